"""Defaults: what is filled in, how absent values look, and that a second time changes nothing."""

import copy

import pytest

from drumroll.domain.defaults import set_defaults
from drumroll.objects.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    EVENT,
    HORIZONTAL_POD_AUTOSCALER,
    INGRESS,
    INGRESS_CLASS,
    KINDS,
    NAMESPACE,
    POD,
    POD_DISRUPTION_BUDGET,
    REPLICA_SET,
    SECRET,
    SERVICE,
)
from drumroll.objects.quantity import canonical


def defaulted(kind, **content):
    obj = {"metadata": {"name": "x"}, **content}
    set_defaults(kind, obj)
    return obj


def container(**fields):
    return defaulted(POD, spec={"containers": [{"name": "web", "image": "app:1", **fields}]})["spec"]["containers"][0]


def volume(**source):
    return defaulted(POD, spec={"containers": [], "volumes": [{"name": "v", **source}]})["spec"]["volumes"][0]


POD_SPEC = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def test_a_pod_with_one_image_gets_all_that_a_stock_server_adds():
    assert defaulted(POD, spec={"containers": [{"name": "web", "image": "app:1"}]})["spec"] == {
        **POD_SPEC,
        "enableServiceLinks": True,
        "containers": [
            {
                "name": "web",
                "image": "app:1",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }
        ],
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        pytest.param("app:1", "IfNotPresent", id="a tag is kept"),
        pytest.param("repo/app", "Always", id="no tag means latest"),
        pytest.param("i:latest", "Always", id="latest is always pulled"),
        pytest.param("host:5000/app", "Always", id="a registry's port is no tag"),
        pytest.param("host:5000/app:2", "IfNotPresent", id="a tag behind a registry's port"),
        pytest.param("app@sha256:0f", "IfNotPresent", id="a digest cannot move"),
    ],
)
def test_pull_policy_follows_the_tag(image, policy):
    assert container(image=image)["imagePullPolicy"] == policy


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        pytest.param(
            {"livenessProbe": {"httpGet": {"port": 8080}}},
            {"livenessProbe": {"httpGet": {"port": 8080, "path": "/", "scheme": "HTTP"}, **PROBE}},
            id="an HTTP probe gets path, scheme and numbers",
        ),
        pytest.param(
            {"readinessProbe": {"exec": {"command": ["x"]}, "initialDelaySeconds": 0, "periodSeconds": 5}},
            {"readinessProbe": {"exec": {"command": ["x"]}, **PROBE, "periodSeconds": 5}},
            id="given numbers stay and zero delays vanish",
        ),
        pytest.param(
            {"startupProbe": {"grpc": {"port": 1}}},
            {"startupProbe": {"grpc": {"port": 1, "service": ""}, **PROBE}},
            id="a gRPC probe asks for the server as a whole",
        ),
        pytest.param(
            {"lifecycle": {"preStop": {"httpGet": {"path": "/x", "port": 80}}}},
            {"lifecycle": {"preStop": {"httpGet": {"path": "/x", "port": 80, "scheme": "HTTP"}}}},
            id="a hook gets a scheme",
        ),
        pytest.param(
            {"ports": [{"containerPort": 80, "hostPort": 0}]},
            {"ports": [{"containerPort": 80, "protocol": "TCP"}]},
            id="ports are TCP and a zero host port vanishes",
        ),
        pytest.param(
            {"env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            {"env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}}]},
            id="a field reference gets a version",
        ),
        pytest.param(
            {"resources": {"requests": {"cpu": "0.1", "memory": "1024Mi"}}},
            {"resources": {"requests": {"cpu": "100m", "memory": "1Gi"}}},
            id="quantities are printed canonically",
        ),
        pytest.param(
            {"resources": {"limits": {"cpu": "1"}, "requests": {"memory": "64Mi"}}},
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1", "memory": "64Mi"}}},
            id="a pod requests what it limits",
        ),
        pytest.param({"command": [], "tty": False, "env": []}, {}, id="empty and false fields vanish"),
    ],
)
def test_containers(given, stored):
    usual = container()
    changed = container(**copy.deepcopy(given))
    assert changed == {**usual, **stored}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        pytest.param({}, {"emptyDir": {}}, id="no source is an empty folder"),
        pytest.param({"configMap": {"name": "c"}}, {"configMap": {"name": "c", "defaultMode": 420}}, id="config map"),
        pytest.param({"secret": {"secretName": "s", "defaultMode": 256}},
                     {"secret": {"secretName": "s", "defaultMode": 256}}, id="a given mode stays"),
        pytest.param({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}, id="host path"),
        pytest.param(
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                           "defaultMode": 420}},
            id="a projected token lives for an hour",
        ),
    ],
)  # fmt: skip
def test_volumes(given, stored):
    assert volume(**copy.deepcopy(given)) == {"name": "v", **stored}


@pytest.mark.parametrize(
    ("amount", "printed"),
    [
        pytest.param("0.1", "100m", id="thousandths"),
        pytest.param("1000m", "1", id="no needless unit"),
        pytest.param("1000", "1k", id="thousands"),
        pytest.param("1500M", "1500M", id="whole numbers of the largest unit"),
        pytest.param("1024Mi", "1Gi", id="powers of 1024"),
        pytest.param("0.5Gi", "512Mi", id="half a power"),
        pytest.param("0.1Gi", "107374182400m", id="nothing is lost"),
        pytest.param("1.5Ki", "1536", id="no whole power"),
        pytest.param("512", "512", id="plain"),
        pytest.param("1e3", "1e3", id="exponents stay exponents"),
        pytest.param("0.1n", "1n", id="rounded up to a billionth"),
        pytest.param("99.245E", "99245P", id="large amounts"),
        pytest.param("00", "0", id="zero"),
    ],
)
def test_amounts_are_printed_canonically(amount, printed):
    assert canonical(amount) == printed


def test_a_deployment_gets_its_strategy_and_limits():
    spec = defaulted(DEPLOYMENT, spec={"paused": False, "template": {"metadata": {"creationTimestamp": None}}})["spec"]
    assert spec == {
        "replicas": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "template": {"metadata": {}, "spec": POD_SPEC},
    }


def test_explicit_zeros_of_pointers_stay():
    rolling = {"maxSurge": 0, "maxUnavailable": 1}
    given = {"replicas": 0, "revisionHistoryLimit": 0, "strategy": {"rollingUpdate": rolling}}
    spec = defaulted(DEPLOYMENT, spec=given)["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"]) == (0, 0)
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_recreate_gets_no_rolling_update():
    assert defaulted(DEPLOYMENT, spec={"strategy": {"type": "Recreate"}})["spec"]["strategy"] == {"type": "Recreate"}


def test_a_template_gets_neither_requests_from_limits_nor_service_links():
    template = {"spec": {"containers": [{"name": "a", "image": "b", "resources": {"limits": {"cpu": "250m"}}}]}}
    spec = defaulted(REPLICA_SET, spec={"template": template})["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"] == {"limits": {"cpu": "250m"}}
    assert "enableServiceLinks" not in spec


@pytest.mark.parametrize(
    ("spec", "added"),
    [
        pytest.param({}, {"type": "ClusterIP", "internalTrafficPolicy": "Cluster"}, id="cluster IP by default"),
        pytest.param(
            {"type": "LoadBalancer"},
            {
                "externalTrafficPolicy": "Cluster",
                "internalTrafficPolicy": "Cluster",
                "allocateLoadBalancerNodePorts": True,
            },
            id="a load balancer has node ports",
        ),
        pytest.param(
            {"type": "NodePort", "externalTrafficPolicy": "Local"},
            {"externalTrafficPolicy": "Local", "internalTrafficPolicy": "Cluster"},
            id="a given policy stays",
        ),
        pytest.param({"type": "ExternalName", "externalName": "a.b"}, {}, id="an external name needs nothing"),
        pytest.param(
            {"sessionAffinity": "ClientIP"},
            {
                "type": "ClusterIP",
                "internalTrafficPolicy": "Cluster",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
            },
            id="affinity lasts three hours",
        ),
    ],
)
def test_services(spec, added):
    assert defaulted(SERVICE, spec=dict(spec))["spec"] == {"sessionAffinity": "None", **spec, **added}


def test_a_service_port_targets_itself():
    service = defaulted(SERVICE, spec={"ports": [{"port": 80}, {"port": 81, "targetPort": "web"}]})
    assert service["spec"]["ports"] == [
        {"port": 80, "protocol": "TCP", "targetPort": 80},
        {"port": 81, "protocol": "TCP", "targetPort": "web"},
    ]


def test_secrets_keep_text_as_bytes():
    secret = defaulted(SECRET, stringData={"a": "b"}, data={"a": "eA==", "c": "ZA=="})
    assert secret == {"metadata": {"name": "x"}, "type": "Opaque", "data": {"a": "Yg==", "c": "ZA=="}}


@pytest.mark.parametrize(
    ("kind", "content", "stored"),
    [
        pytest.param(NAMESPACE, {}, {"metadata": {"name": "x", "labels": {"kubernetes.io/metadata.name": "x"}},
                                     "spec": {}, "status": {"phase": "Active"}}, id="namespace"),
        pytest.param(EVENT, {}, {"metadata": {"name": "x"}, "involvedObject": {}, "source": {}, "eventTime": None,
                                 "firstTimestamp": None, "lastTimestamp": None, "reportingComponent": "",
                                 "reportingInstance": ""}, id="event"),
        pytest.param(INGRESS, {}, {"metadata": {"name": "x"}, "spec": {}, "status": {"loadBalancer": {}}},
                     id="ingress"),
        pytest.param(INGRESS_CLASS, {"spec": {"parameters": {"kind": "K"}}},
                     {"metadata": {"name": "x"}, "spec": {"parameters": {"kind": "K", "scope": "Cluster"}}},
                     id="ingress class"),
        pytest.param(ENDPOINT_SLICE, {"ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]},
                     {"metadata": {"name": "x"}, "ports": [{"port": 80, "name": "", "protocol": "TCP"}],
                      "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {}}]}, id="endpoint slice"),
        pytest.param(POD_DISRUPTION_BUDGET, {}, {"metadata": {"name": "x"}, "spec": {}, "status": {
            "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}}, id="budget"),
    ],
)  # fmt: skip
def test_other_kinds(kind, content, stored):
    assert defaulted(kind, **copy.deepcopy(content)) == stored


def test_an_autoscaler_aims_at_eighty_percent_of_cpu():
    spec = defaulted(HORIZONTAL_POD_AUTOSCALER, spec={"maxReplicas": 3, "behavior": {"scaleUp": {}}})["spec"]
    assert spec["minReplicas"] == 1
    assert spec["metrics"][0]["resource"] == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 80},
    }
    assert [p["type"] for p in spec["behavior"]["scaleUp"]["policies"]] == ["Pods", "Percent"]
    assert "stabilizationWindowSeconds" not in spec["behavior"]["scaleDown"]


def test_statuses_print_what_is_never_left_out():
    status = {"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "web"}]}
    pod = defaulted(POD, spec={"containers": []}, status=status)
    assert pod["status"] == {
        "phase": "Pending",
        "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None, "lastTransitionTime": None}],
        "containerStatuses": [
            {
                "name": "web", "ready": False, "restartCount": 0, "image": "", "imageID": "", "state": {},
                "lastState": {},
            }
        ],
    }  # fmt: skip


@pytest.mark.parametrize("kind", [pytest.param(kind, id=f"{kind.resource} twice is once") for kind in KINDS])
def test_defaults_are_idempotent(kind):
    spec = {
        "containers": [{"name": "a", "image": "b", "ports": [{"containerPort": 1}], "livenessProbe": {"grpc": {}}}],
        "ports": [{"port": 80}],
        "template": {"spec": {"containers": [{"name": "a", "resources": {"limits": {"memory": "2048Mi"}}}]}},
        "behavior": {},
    }
    once = defaulted(kind, spec=copy.deepcopy(spec))
    twice = copy.deepcopy(once)
    set_defaults(kind, twice)
    assert twice == once
