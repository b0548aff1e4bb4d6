"""Rules for pods: one broken rule per row."""

import copy

import pytest

from drumroll.domain.defaults import set_defaults
from drumroll.domain.validation import validate_update
from drumroll.objects.kinds import POD
from tests.domain.validation import made, pod_spec, refused

RANGE = "must be between 1 and 65535, inclusive"
NOT_LABEL = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        pytest.param({"name": ""}, "name: Required value", id="a name is needed"),
        pytest.param({"name": "Bad_Name"}, f'name: Invalid value: "Bad_Name": {NOT_LABEL}', id="the name is a label"),
        pytest.param({"image": ""}, "image: Required value", id="an image is needed"),
        pytest.param({"image": " a"}, 'image: Invalid value: " a": must not have leading or trailing whitespace',
                     id="no blanks around the image"),
        pytest.param({"imagePullPolicy": "Now"},
                     'imagePullPolicy: Unsupported value: "Now": supported values: "Always", "IfNotPresent", "Never"',
                     id="pull policies are known"),
        pytest.param({"terminationMessagePolicy": "X"}, "terminationMessagePolicy: Unsupported value",
                     id="message policies are known"),
        pytest.param({"ports": [{"containerPort": 0}]}, "ports[0].containerPort: Required value", id="a port"),
        pytest.param({"ports": [{"containerPort": 65536}]}, f"ports[0].containerPort: Invalid value: 65536: {RANGE}",
                     id="ports are 16 bits"),
        pytest.param({"ports": [{"containerPort": 1, "hostPort": 70000}]}, f"hostPort: Invalid value: 70000: {RANGE}",
                     id="host ports, too"),
        pytest.param({"ports": [{"containerPort": 1, "protocol": "ICMP"}]},
                     'protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"', id="protocols"),
        pytest.param({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]},
                     'ports[1].name: Duplicate value: "a"', id="port names are unique"),
        pytest.param({"ports": [{"containerPort": 1, "hostPort": 1}, {"containerPort": 2, "hostPort": 1}]},
                     'ports[1].hostPort: Duplicate value: "TCP//1"', id="host ports are unique"),
        pytest.param({"env": [{"name": ""}]}, "env[0].name: Required value", id="a variable has a name"),
        pytest.param({"env": [{"name": "a=b"}]}, "env[0].name: Invalid value", id="without equals sign"),
        pytest.param({"env": [{"name": "a", "valueFrom": {}}]}, "valueFrom: Invalid value: \"\": must specify one of",
                     id="a source is needed"),
        pytest.param({"env": [{"name": "a", "value": "b", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
                     "may not be specified when `value` is not empty", id="a value or a source"),
        pytest.param({"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]},
                     "fieldRef.fieldPath: Unsupported value", id="not every field"),
        pytest.param({"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "what.ever"}}}]},
                     "error converting fieldPath: field label not supported: what.ever", id="no unknown field"),
        pytest.param({"env": [{"name": "a", "valueFrom": {"configMapKeyRef": {"name": "c"}}}]},
                     "configMapKeyRef.key: Required value", id="a key is needed"),
        pytest.param({"envFrom": [{}]}, "envFrom: Invalid value: \"\": must specify one of", id="a map is needed"),
        pytest.param({"volumeMounts": [{"name": "v", "mountPath": "/a"}]}, 'volumeMounts[0].name: Not found: "v"',
                     id="a mounted volume exists"),
        pytest.param({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
                     'resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
                     id="requests stay below limits"),
        pytest.param({"resources": {"limits": {"cpu": "-1"}}},
                     'resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0', id="no debts"),
        pytest.param({"resources": {"limits": {"disk": "1"}}},
                     'resources.limits[disk]: Invalid value: "disk": must be a standard resource type or fully '
                     "qualified", id="resources are known"),
        pytest.param({"livenessProbe": {}}, "livenessProbe: Required value: must specify a handler type",
                     id="a probe has a handler"),
        pytest.param({"livenessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}},
                     "livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type", id="and only one"),
        pytest.param({"livenessProbe": {"exec": {}}}, "livenessProbe.exec.command: Required value", id="a command"),
        pytest.param({"livenessProbe": {"httpGet": {"port": 0}}}, f"httpGet.port: Invalid value: 0: {RANGE}",
                     id="a probe's port"),
        pytest.param({"livenessProbe": {"httpGet": {"port": "80"}}}, "must contain at least one letter (a-z)",
                     id="a port's name has a letter"),
        pytest.param({"livenessProbe": {"httpGet": {"port": 1, "scheme": "FTP"}}}, "scheme: Unsupported value",
                     id="schemes are known"),
        pytest.param({"livenessProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}},
                     "livenessProbe.successThreshold: Invalid value: 2: must be 1", id="one success is life"),
        pytest.param({"readinessProbe": {"tcpSocket": {"port": 1}, "periodSeconds": -1}},
                     "readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
                     id="periods are not negative"),
        pytest.param({"readinessProbe": {"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 5}},
                     "must not be set for readinessProbes", id="readiness never ends a container"),
        pytest.param({"startupProbe": {"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 0}},
                     "must be greater than 0", id="a probe's grace"),
        pytest.param({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
                     "lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than "
                     "terminationGracePeriodSeconds (30)", id="a sleep ends before the grace"),
        pytest.param({"restartPolicy": "Always"}, "restartPolicy: Forbidden: may not be set for non-init containers",
                     id="only init containers have a policy"),
        pytest.param({"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": ""}}}]},
                     "fieldRef.fieldPath: Required value", id="a field is needed"),
        pytest.param({"env": [{"name": "a", "valueFrom": {"resourceFieldRef": {}}}]},
                     "resourceFieldRef.resource: Required value", id="a resource is needed"),
        pytest.param({"env": [{"name": "a", "valueFrom": {"secretKeyRef": {"name": "A", "key": "k"}}}]},
                     "secretKeyRef.name: Invalid value", id="a secret's name"),
        pytest.param({"env": [{"name": "a", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a b"}}}]},
                     "secretKeyRef.key: Invalid value", id="a secret's key"),
        pytest.param({"envFrom": [{"prefix": "a=", "configMapRef": {"name": "c"}}]}, "envFrom[0].prefix: Invalid value",
                     id="a prefix is part of a name"),
        pytest.param({"envFrom": [{"secretRef": {}}]}, "secretRef.name: Required value", id="a secret is named"),
        pytest.param({"resources": {"limits": {"a.b/gpu": "1500m"}}}, "must be an integer", id="no half devices"),
        pytest.param({"resources": {"requests": {"a.b/gpu": "1"}}},
                     "resources.limits: Required value: Limit must be set for non overcommitable resources",
                     id="devices are limited"),
        pytest.param({"resources": {"requests": {"a.b/gpu": "1"}, "limits": {"a.b/gpu": "2"}}},
                     "must be equal to a.b/gpu limit of 2", id="devices are not shared"),
        pytest.param({"resources": {"limits": {"a/b/c": "1"}}}, "a qualified name must consist", id="odd resources"),
        pytest.param({"securityContext": {"allowPrivilegeEscalation": False, "privileged": True}},
                     "cannot set `allowPrivilegeEscalation` to false and `privileged` to true", id="privileges"),
        pytest.param({"livenessProbe": {"httpGet": {"port": 1, "httpHeaders": [{"name": "a b"}]}}},
                     "httpHeaders: Invalid value", id="a header's name"),
        pytest.param({"securityContext": {"runAsUser": -1}}, "runAsUser: Invalid value: -1: must be between 0 and",
                     id="users are not negative"),
    ],
)  # fmt: skip
def test_containers(container, expected):
    found = refused(POD, pod_spec(**container))
    assert found, "nothing was refused"
    assert found[0].startswith("spec.containers[0].")
    assert expected in found[0]


INIT = {"name": "i", "image": "i"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"containers": []}, "spec.containers: Required value", id="a pod has containers"),
        pytest.param({"containers": [INIT, INIT]}, 'spec.containers[1].name: Duplicate value: "i"', id="unique names"),
        pytest.param({"initContainers": [{**INIT, "name": "web"}]}, 'spec.initContainers[0].name: Duplicate value',
                     id="unique among all"),
        pytest.param({"initContainers": [{**INIT, "livenessProbe": {"tcpSocket": {"port": 1}}}]},
                     "livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
                     id="init containers are not probed"),
        pytest.param({"initContainers": [{**INIT, "restartPolicy": "Never"}]}, 'supported values: "Always"',
                     id="a sidecar restarts always"),
        pytest.param({"restartPolicy": "Maybe"},
                     'spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"',
                     id="restart policies are known"),
        pytest.param({"dnsPolicy": "None"}, "spec.dnsConfig: Required value: must provide `dnsConfig`", id="DNS"),
        pytest.param({"nodeSelector": {"a": "b c"}}, "spec.nodeSelector: Invalid value", id="node selector"),
        pytest.param({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds: Invalid value: 0", id="deadline"),
        pytest.param({"hostname": "A"}, "spec.hostname: Invalid value", id="host name"),
        pytest.param({"tolerations": [{"operator": "Equal"}]}, "operator must be Exists when `key` is empty",
                     id="a toleration of everything"),
        pytest.param({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
                     "value must be empty when `operator` is 'Exists'", id="a toleration of any value"),
        pytest.param({"tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule",
                                       "tolerationSeconds": 1}]},
                     "effect must be 'NoExecute' when `tolerationSeconds` is set", id="a toleration for a while"),
        pytest.param({"tolerations": [{"key": "a", "value": "b c"}]}, "a valid label must be", id="a tolerated value"),
        pytest.param({"tolerations": [{"key": "a", "operator": "Lt"}]}, 'supported values: "Equal", "Exists"',
                     id="operators are known"),
        pytest.param({"tolerations": [{"key": "a", "operator": "Exists", "effect": "Odd"}]},
                     "spec.tolerations[0].effect: Unsupported value", id="effects are known"),
        pytest.param({"dnsConfig": {"nameservers": ["1.1.1.1"] * 4}}, "must not have more than 3 nameservers",
                     id="three name servers"),
        pytest.param({"dnsConfig": {"nameservers": ["a"]}}, "spec.dnsConfig.nameservers[0]: Invalid value",
                     id="name servers have addresses"),
        pytest.param({"hostAliases": [{"ip": "a"}]}, "spec.hostAliases[0].ip: Invalid value", id="host aliases"),
        pytest.param({"readinessGates": [{"conditionType": "a b"}]}, "readinessGates[0].conditionType: Invalid value",
                     id="readiness gates"),
        pytest.param({"serviceAccountName": "A"}, "spec.serviceAccountName: Invalid value", id="service account"),
        pytest.param({"securityContext": {"supplementalGroups": [-1]}}, "supplementalGroups[0]: Invalid value: -1",
                     id="groups are not negative"),
        pytest.param({"volumes": [{"name": "v", "secret": {}}]}, "secret.secretName: Required value", id="secret"),
        pytest.param({"volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"key": "k"}]}}]},
                     "items[0].path: Required value", id="an item has a path"),
        pytest.param({"volumes": [{"name": "v", "persistentVolumeClaim": {}}]}, "claimName: Required value",
                     id="a claim is named"),
        pytest.param({"serviceAccountName": "a", "volumes": [{"name": "v", "projected": {"sources": [
            {"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]}}]},
            "may not specify a duration less than 10 minutes", id="a token lives for ten minutes"),
        pytest.param({"volumes": [{"name": "v", "downwardAPI": {"items": [{"path": "p"}]}}]},
                     "one of fieldRef and resourceFieldRef is required", id="a file has content"),
        pytest.param({"hostNetwork": True, "containers": [{**INIT, "ports": [{"containerPort": 1, "hostPort": 2}]}]},
                     "must match `containerPort` when `hostNetwork` is true", id="the host's ports are the pod's"),
        pytest.param({"ephemeralContainers": [INIT]}, "spec.ephemeralContainers: Forbidden: cannot be set on create",
                     id="no debugging containers at first"),
        pytest.param({"volumes": [{"name": "v"}, {"name": "v"}]}, 'spec.volumes[1].name: Duplicate value: "v"',
                     id="unique volumes"),
        pytest.param({"volumes": [{"name": "V"}]}, "spec.volumes[0].name: Invalid value", id="a volume's name"),
        pytest.param({"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]},
                     "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type", id="one source"),
        pytest.param({"volumes": [{"name": "v", "configMap": {}}]}, "configMap.name: Required value", id="config map"),
        pytest.param({"volumes": [{"name": "v", "secret": {"secretName": "s", "defaultMode": 512}}]},
                     "must be a number between 0 and 0777 (octal), both inclusive", id="file modes"),
        pytest.param({"volumes": [{"name": "v", "hostPath": {"path": "/a/../b"}}]}, "must not contain '..'",
                     id="no way up"),
        pytest.param({"volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "/a"}]}}]},
                     "must be a relative path", id="relative paths"),
    ],
)  # fmt: skip
def test_pods(spec, expected):
    found = refused(POD, pod_spec(spec))
    assert len(found) == 1
    assert expected in found[0]


def test_a_usual_pod_is_valid():
    volumes = [{"name": "v", "configMap": {"name": "c"}}, {"name": "e", "emptyDir": {}}]
    mounts = [{"name": "v", "mountPath": "/conf", "readOnly": True}, {"name": "e", "mountPath": "/tmp", "subPath": "a"}]
    sidecar = {**INIT, "restartPolicy": "Always", "readinessProbe": {"httpGet": {"port": "web"}}}
    spec = pod_spec({"volumes": volumes, "initContainers": [sidecar]}, volumeMounts=mounts)
    assert refused(POD, spec) == []


UPDATABLE = "pod updates may not change fields other than `spec.containers[*].image`"


def changed_pod(change, before=None):
    old = made(POD, pod_spec(before))
    new = copy.deepcopy(old)
    change(new["spec"])
    set_defaults(POD, new)
    return [str(error) for error in validate_update(POD, new, old)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda spec: spec["containers"][0].update(image="app:2"), [], id="the image may change"),
        pytest.param(lambda spec: spec.update(activeDeadlineSeconds=5), [], id="a deadline may come"),
        pytest.param(lambda spec: spec.update(tolerations=[{"operator": "Exists"}]), [], id="a toleration may come"),
        pytest.param(lambda spec: spec["containers"][0].update(env=[{"name": "A"}]), [UPDATABLE], id="not variables"),
        pytest.param(lambda spec: spec.update(nodeName="n2"), [UPDATABLE], id="not the node"),
        pytest.param(lambda spec: spec["containers"].append(dict(INIT)),
                     ["spec.containers: Forbidden: pod updates may not add or remove containers"],
                     id="not the number of containers"),
        pytest.param(lambda spec: spec["containers"][0].update(image=""),
                     ["spec.containers[0].image: Required value"] * 2,
                     id="not to nothing"),
    ],
)  # fmt: skip
def test_changed_pods(change, expected):
    found = changed_pod(change)
    assert len(found) == len(expected)
    assert all(text in line for text, line in zip(expected, found, strict=True))


def test_the_refusal_shows_what_changed():
    found = changed_pod(lambda spec: spec.update(hostname="other"))
    assert '\n+ "hostname": "other",\n' in found[0]


@pytest.mark.parametrize(
    ("before", "change", "expected"),
    [
        pytest.param(
            {"activeDeadlineSeconds": 5},
            {"activeDeadlineSeconds": 6},
            "less than or equal to previous value",
            id="a deadline only gets shorter",
        ),
        pytest.param(
            {"activeDeadlineSeconds": 5},
            {"activeDeadlineSeconds": None},
            "must not update from a positive",
            id="a deadline stays",
        ),
        pytest.param(
            {"tolerations": [{"operator": "Exists"}]},
            {"tolerations": []},
            "existing toleration can not be modified except its tolerationSeconds",
            id="a toleration stays",
        ),
    ],
)
def test_pods_changed_back(before, change, expected):
    assert any(expected in line for line in changed_pod(lambda spec: spec.update(change), before))
