"""How kubectl sees objects: cells of every kind, ages, and the words for a pod's state."""

from datetime import UTC, datetime, timedelta

import pytest

from drumroll.apiserver.tables import render_table
from drumroll.apiserver.tables_cells import cut_short, format_selector, human_duration
from drumroll.objects.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    ENDPOINTS,
    EVENT,
    EVENTS_EVENT,
    HORIZONTAL_POD_AUTOSCALER,
    INGRESS,
    INGRESS_CLASS,
    KINDS,
    LEASE,
    NAMESPACE,
    NODE,
    POD,
    POD_DISRUPTION_BUDGET,
    REPLICA_SET,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
)
from drumroll.objects.meta import timestamp

NOW = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)
MINUTE_AGO = timestamp(NOW - timedelta(seconds=60))


def table(kind, obj, include_object=""):
    meta = {"name": "x", "creationTimestamp": MINUTE_AGO, **obj.pop("metadata", {})}
    return render_table(kind, [{"metadata": meta, **obj}], NOW, include_object, {"resourceVersion": "7"})


def cells(kind, **obj):
    return table(kind, obj)["rows"][0]["cells"]


@pytest.mark.parametrize(
    ("elapsed", "printed"),
    [
        pytest.param(-5, "<invalid>", id="the future is invalid"),
        pytest.param(-1, "0s", id="clocks may differ a little"),
        pytest.param(0, "0s", id="now"),
        pytest.param(119, "119s", id="seconds up to two minutes"),
        pytest.param(120, "2m", id="whole minutes"),
        pytest.param(599, "9m59s", id="minutes and seconds up to ten minutes"),
        pytest.param(600, "10m", id="minutes"),
        pytest.param(3 * 3600 - 1, "179m", id="minutes up to three hours"),
        pytest.param(3 * 3600, "3h", id="whole hours"),
        pytest.param(8 * 3600 - 60, "7h59m", id="hours and minutes up to eight hours"),
        pytest.param(47 * 3600, "47h", id="hours up to two days"),
        pytest.param(48 * 3600, "2d", id="whole days"),
        pytest.param((7 * 24 + 23) * 3600, "7d23h", id="days and hours up to eight days"),
        pytest.param(325 * 86400, "325d", id="days up to two years"),
        pytest.param(2 * 365 * 86400, "2y", id="whole years"),
        pytest.param((3 * 365 + 5) * 86400, "3y5d", id="years and days up to eight years"),
        pytest.param(9 * 365 * 86400 + 86400, "9y", id="years"),
    ],
)
def test_ages(elapsed, printed):
    assert human_duration(timedelta(seconds=elapsed)) == printed


@pytest.mark.parametrize(
    ("selector", "printed"),
    [
        pytest.param(None, "<none>", id="no selector"),
        pytest.param({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2", id="labels in key order"),
        pytest.param({"matchExpressions": [{"key": "t", "operator": "In", "values": ["b", "a"]}]}, "t in (a,b)",
                     id="a set"),
        pytest.param({"matchExpressions": [{"key": "t", "operator": "DoesNotExist"}]}, "!t", id="absence"),
    ],
)  # fmt: skip
def test_selectors(selector, printed):
    assert format_selector(selector) == printed


def test_long_lists_are_cut_short():
    assert cut_short(["a", "b", "c", "d", "e"], 3) == "a,b,c + 2 more..."
    assert cut_short(["a", "b", "c"], 3) == "a,b,c"


def status(name="web", ready=False, restarts=0, **rest):
    return {"name": name, "ready": ready, "restartCount": restarts, **rest}


RUNNING = {"running": {"startedAt": MINUTE_AGO}}
WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}
DONE = {"terminated": {"exitCode": 0, "reason": "Completed"}}
CRASHED_BEFORE = {"terminated": {"exitCode": 1, "finishedAt": timestamp(NOW - timedelta(seconds=12))}}


def pod(phase="Running", init=(), deleting=False, spec=None, **state):
    meta = {"deletionTimestamp": "t"} if deleting else {}
    containers = {"containers": [{"name": "web"}], "initContainers": [{"name": "i"}] if init else []}
    state = {"phase": phase, "initContainerStatuses": list(init), **state}
    return {"metadata": meta, "spec": {**containers, **(spec or {})}, "status": state}


@pytest.mark.parametrize(
    ("obj", "ready", "word", "restarts"),
    [
        pytest.param(pod("Pending"), "0/1", "Pending", "0", id="not scheduled"),
        pytest.param(pod("Pending", containerStatuses=[status(state={"waiting": {"reason": "ContainerCreating"}})]),
                     "0/1", "ContainerCreating", "0", id="its container is being made"),
        pytest.param(pod(containerStatuses=[status(ready=True, state=RUNNING)]), "1/1", "Running", "0", id="ready"),
        pytest.param(pod(containerStatuses=[status(state=RUNNING)]), "0/1", "Running", "0", id="running, not ready"),
        pytest.param(pod(containerStatuses=[status(restarts=3, state=WAITING, lastState=CRASHED_BEFORE)]),
                     "0/1", "CrashLoopBackOff", "3 (12s ago)", id="crashing over and over"),
        pytest.param(pod("Succeeded", containerStatuses=[status(state=DONE)]), "0/1", "Completed", "0", id="done"),
        pytest.param(pod("Failed", containerStatuses=[status(state={"terminated": {"exitCode": 3}})]),
                     "0/1", "ExitCode:3", "0", id="an exit code without reason"),
        pytest.param(pod("Failed", containerStatuses=[status(state={"terminated": {"exitCode": 137, "signal": 9}})]),
                     "0/1", "Signal:9", "0", id="a signal without reason"),
        pytest.param(pod("Failed", reason="Evicted"), "0/1", "Evicted", "0", id="the pod's own reason"),
        pytest.param(pod(deleting=True, containerStatuses=[status(ready=True, state=RUNNING)]),
                     "1/1", "Terminating", "0", id="being deleted"),
        pytest.param(pod("Succeeded", deleting=True, containerStatuses=[status(state=DONE)]), "0/1", "Completed", "0",
                     id="deleted, but already done"),
        pytest.param(pod(deleting=True, reason="NodeLost"), "0/1", "Unknown", "0", id="its node is lost"),
        pytest.param(pod("Pending", init=[status("i", state=RUNNING)]), "0/1", "Init:0/1", "0", id="initializing"),
        pytest.param(pod("Pending", init=[status("i", state={"waiting": {"reason": "PodInitializing"}})]),
                     "0/1", "Init:0/1", "0", id="about to initialize"),
        pytest.param(pod("Pending", init=[status("i", restarts=2, state=WAITING)]),
                     "0/1", "Init:CrashLoopBackOff", "2", id="an init container crashes"),
        pytest.param(pod("Pending", init=[status("i", state={"terminated": {"exitCode": 2}})]),
                     "0/1", "Init:ExitCode:2", "0", id="an init container failed"),
        pytest.param(pod("Pending", init=[status("i", state=DONE)], containerStatuses=[
            status(state={"waiting": {"reason": "PodInitializing"}})]),
            "0/1", "PodInitializing", "0", id="initialized"),
        pytest.param(pod("Pending", conditions=[{"type": "PodScheduled", "reason": "SchedulingGated"}]),
                     "0/1", "SchedulingGated", "0", id="held back by a gate"),
        pytest.param(pod(init=[status("i", restarts=1, ready=True, started=True, state=RUNNING)],
                         spec={"initContainers": [{"name": "i", "restartPolicy": "Always"}]},
                         containerStatuses=[status(ready=True, state=RUNNING)]),
                     "2/2", "Running", "1", id="a sidecar counts as a container"),
        pytest.param(pod(spec={"containers": [{"name": "a"}, {"name": "b"}]},
                         containerStatuses=[status("a", state=DONE), status("b", ready=True, state=RUNNING)],
                         conditions=[{"type": "Ready", "status": "True"}]),
                     "1/2", "Running", "0", id="one is done, the other runs"),
        pytest.param(pod(spec={"containers": [{"name": "a"}, {"name": "b"}]},
                         containerStatuses=[status("a", state=DONE), status("b", ready=True, state=RUNNING)]),
                     "1/2", "NotReady", "0", id="one is done, the pod is not ready"),
    ],
)  # fmt: skip
def test_pods(obj, ready, word, restarts):
    assert cells(POD, **obj)[1:5] == [ready, word, restarts, "60s"]


def test_wide_pods():
    spec = {"nodeName": "n1", "readinessGates": [{"conditionType": "g"}, {"conditionType": "h"}]}
    obj = pod(spec=spec, podIPs=[{"ip": "10.0.0.9"}], conditions=[{"type": "g", "status": "True"}])
    assert cells(POD, **obj)[5:] == ["10.0.0.9", "n1", "<none>", "1/2"]
    assert cells(POD, **pod())[5:] == ["<none>"] * 4


@pytest.mark.parametrize(
    ("phase", "reason"),
    [pytest.param("Succeeded", "Succeeded", id="success"), pytest.param("Failed", "Failed", id="failure")],
)
def test_ended_pods_are_marked_so_that_clients_can_dim_them(phase, reason):
    assert table(POD, pod(phase))["rows"][0]["conditions"][0]["reason"] == reason
    assert "conditions" not in table(POD, pod())["rows"][0]


TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j:2"}]}}
WORKLOAD = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}


def balanced(*points):
    return {"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "ports": [{"port": 80, "protocol": "TCP"}]},
            "status": {"loadBalancer": {"ingress": list(points)}}}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "obj", "printed"),
    [
        pytest.param(DEPLOYMENT, {"spec": WORKLOAD, "status": {"readyReplicas": 2, "updatedReplicas": 1}},
                     ["x", "2/3", 1, 0, "60s", "a,b", "i:1,j:2", "app=web"], id="deployment"),
        pytest.param(REPLICA_SET, {"spec": WORKLOAD, "status": {"replicas": 3, "readyReplicas": 2}},
                     ["x", 3, 3, 2, "60s", "a,b", "i:1,j:2", "app=web"], id="replica set"),
        pytest.param(SERVICE, {"spec": {"type": "ClusterIP", "clusterIPs": ["10.0.0.1"], "selector": {"a": "b"},
                                        "ports": [{"port": 80, "protocol": "TCP"}]}},
                     ["x", "ClusterIP", "10.0.0.1", "<none>", "80/TCP", "60s", "a=b"], id="service"),
        pytest.param(SERVICE, {"spec": {"type": "NodePort", "clusterIPs": ["10.0.0.1"], "externalIPs": ["1.2.3.4"],
                                        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30001},
                                                  {"port": 53, "protocol": "UDP"}]}},
                     ["x", "NodePort", "10.0.0.1", "1.2.3.4", "80:30001/TCP,53/UDP", "60s", "<none>"],
                     id="service with node ports"),
        pytest.param(SERVICE, balanced(),
                     ["x", "LoadBalancer", "10.0.0.1", "<pending>", "80/TCP", "60s", "<none>"],
                     id="load balancer that waits for its address"),
        pytest.param(SERVICE, balanced({"hostname": "h"}, {"ip": "1.2.3.4"}),
                     ["x", "LoadBalancer", "10.0.0.1", "1.2.3.4,h", "80/TCP", "60s", "<none>"], id="load balancer"),
        pytest.param(SERVICE, {"spec": {"type": "ExternalName", "externalName": "a.b"}},
                     ["x", "ExternalName", "<none>", "a.b", "<none>", "60s", "<none>"], id="external name"),
        pytest.param(INGRESS, {"spec": {"ingressClassName": "nginx", "tls": [{}],
                                        "rules": [{"host": h} for h in "abcd"]},
                               "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}},
                     ["x", "nginx", "a,b,c + 1 more...", "127.0.0.1", "80, 443", "60s"], id="ingress"),
        pytest.param(INGRESS, {"spec": {"rules": [{"http": {}}]}}, ["x", "<none>", "*", "", "80", "60s"],
                     id="ingress for every host"),
        pytest.param(INGRESS_CLASS, {"spec": {"controller": "a/b", "parameters": {"apiGroup": "g", "kind": "K",
                                                                                  "name": "n"}}},
                     ["x", "a/b", "K.g/n", "60s"], id="ingress class"),
        pytest.param(ENDPOINTS, {"subsets": [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}],
                                              "ports": [{"port": 80}, {"port": 81}]}]},
                     ["x", "10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more...", "60s"], id="endpoints"),
        pytest.param(ENDPOINTS, {}, ["x", "<none>", "60s"], id="no endpoints"),
        pytest.param(ENDPOINT_SLICE, {"addressType": "IPv4", "ports": [{"port": 80}, {"name": "a"}, {}],
                                      "endpoints": [{"addresses": ["10.0.0.1"]}]},
                     ["x", "IPv4", "80,a,*", "10.0.0.1", "60s"], id="endpoint slice"),
        pytest.param(ENDPOINT_SLICE, {"addressType": "IPv4", "ports": [], "endpoints": []},
                     ["x", "IPv4", "<unset>", "<unset>", "60s"], id="empty endpoint slice"),
        pytest.param(NAMESPACE, {"status": {"phase": "Active"}}, ["x", "Active", "60s"], id="namespace"),
        pytest.param(CONFIG_MAP, {"data": {"a": "1"}, "binaryData": {"b": ""}}, ["x", 2, "60s"], id="config map"),
        pytest.param(SECRET, {"type": "Opaque", "data": {"a": ""}}, ["x", "Opaque", 1, "60s"], id="secret"),
        pytest.param(SERVICE_ACCOUNT, {}, ["x", "60s"], id="service account"),
        pytest.param(LEASE, {"spec": {"holderIdentity": "me"}}, ["x", "me", "60s"], id="lease"),
        pytest.param(NODE, {"metadata": {"labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "a"}},
                            "spec": {"unschedulable": True},
                            "status": {"conditions": [{"type": "Ready", "status": "True"}],
                                       "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                                       "nodeInfo": {"kubeletVersion": "v1"}}},
                     ["x", "Ready,SchedulingDisabled", "a,worker", "60s", "v1", "10.0.0.1", "<none>", "<unknown>",
                      "<unknown>", "<unknown>"], id="node"),
        pytest.param(POD_DISRUPTION_BUDGET, {"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}},
                     ["x", "50%", "N/A", 1, "60s"], id="budget"),
    ],
)  # fmt: skip
def test_other_kinds(kind, obj, printed):
    assert cells(kind, **obj) == printed


@pytest.mark.parametrize(
    ("metric", "current", "printed"),
    [
        pytest.param({"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}},
                     {"resource": {"current": {"averageUtilization": 25}}}, "cpu: 25%/80%", id="utilization"),
        pytest.param({"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}, {},
                     "cpu: <unknown>/80%", id="not measured yet"),
        pytest.param({"type": "Pods", "pods": {"target": {"averageValue": "10"}}},
                     {"pods": {"current": {"averageValue": "4"}}}, "4/10", id="per pod"),
    ],
)  # fmt: skip
def test_autoscalers(metric, current, printed):
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 4, "metrics": [metric]}
    state = {"currentReplicas": 2, "currentMetrics": [current]}
    wanted = ["x", "Deployment/web", printed, "<unset>", 4, 2, "60s"]
    assert cells(HORIZONTAL_POD_AUTOSCALER, spec=spec, status=state) == wanted


HOUR_AGO = timestamp(NOW - timedelta(hours=4))


@pytest.mark.parametrize(
    ("event", "printed"),
    [
        pytest.param({"firstTimestamp": HOUR_AGO, "lastTimestamp": MINUTE_AGO, "type": "Normal", "reason": "R",
                      "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec"}, "count": 3,
                      "message": " m\n", "source": {"component": "c", "host": "h"}},
                     ["60s", "Normal", "R", "pod/p", "spec", "c, h", "m", "4h", 3, "x"], id="an old event"),
        pytest.param({"eventTime": MINUTE_AGO, "reportingComponent": "c"},
                     ["60s", "", "", "", "", "c", "", "60s", 1, "x"], id="a new event"),
        pytest.param({"eventTime": HOUR_AGO, "series": {"count": 5, "lastObservedTime": MINUTE_AGO}},
                     ["60s", "", "", "", "", "", "", "4h", 5, "x"], id="a series"),
        pytest.param({}, ["<unknown>", "", "", "", "", "", "", "<unknown>", 1, "x"], id="an empty event"),
    ],
)  # fmt: skip
def test_events(event, printed):
    assert cells(EVENT, **event) == printed


def test_both_kinds_of_event_print_alike():
    newer = {"regarding": {"kind": "Pod", "name": "p"}, "note": "m", "eventTime": MINUTE_AGO}
    older = {"involvedObject": {"kind": "Pod", "name": "p"}, "message": "m", "eventTime": MINUTE_AGO}
    assert cells(EVENTS_EVENT, **newer) == cells(EVENT, **older)


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        pytest.param("", "PartialObjectMetadata", id="metadata by default"),
        pytest.param("Metadata", "PartialObjectMetadata", id="metadata on request"),
        pytest.param("Object", "ConfigMap", id="the whole object"),
        pytest.param("None", None, id="nothing"),
    ],
)
def test_rows_carry_what_was_asked_for(include, expected):
    shown = table(CONFIG_MAP, {"data": {"a": "1"}}, include)
    assert shown["metadata"] == {"resourceVersion": "7"}
    obj = shown["rows"][0]["object"]
    assert (obj["kind"] if obj else None) == expected
    assert ("data" in (obj or {})) == (include == "Object")


@pytest.mark.parametrize("kind", [pytest.param(k, id=f"{k.resource} has a cell for every column") for k in KINDS])
def test_empty_objects_print(kind):
    shown = table(kind, {})
    assert len(shown["rows"][0]["cells"]) == len(shown["columnDefinitions"])
    assert {tuple(sorted(column)) for column in shown["columnDefinitions"]} == {
        ("description", "format", "name", "priority", "type")
    }
