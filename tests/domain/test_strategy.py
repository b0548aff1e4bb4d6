"""What a write may not touch, when generations grow, and quality-of-service classes."""

import copy

import pytest

from drumroll.domain.defaults import set_defaults
from drumroll.domain.quality_of_service import quality_of_service
from drumroll.domain.strategy import prepare_create, prepare_status, prepare_update
from drumroll.objects.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    INGRESS,
    NAMESPACE,
    NODE,
    POD,
    REPLICA_SET,
    SERVICE,
)


def stored(kind, **content):
    meta = {"name": "x", "namespace": "n", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}
    meta |= {"generation": 3, **content.pop("metadata", {})}
    return {"metadata": meta, **content}


def updated(kind, old, **changes):
    new = copy.deepcopy(old)
    new["metadata"] |= changes.pop("metadata", {})
    new |= changes
    before = copy.deepcopy(old)
    prepare_update(kind, new, old)
    assert old == before, "the stored object must not change"
    return new


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        pytest.param(DEPLOYMENT, {}, id="a deployment starts without status"),
        pytest.param(REPLICA_SET, {"replicas": 0}, id="a replica set starts with none"),
        pytest.param(NAMESPACE, {"phase": "Active"}, id="a namespace starts active"),
        pytest.param(INGRESS, {"loadBalancer": {}}, id="an ingress starts unserved"),
        pytest.param(POD, {"phase": "Pending", "qosClass": "BestEffort"}, id="a pod starts pending"),
        pytest.param(NODE, {"made": "up"}, id="a node registers with its status"),
    ],
)
def test_creation_sets_status_and_forgets_deletion(kind, status):
    new = {"metadata": {"name": "x", "generation": 9, "deletionTimestamp": "t"}, "status": {"made": "up"}, "spec": {}}
    prepare_create(kind, new)
    assert new["status"] == status
    assert "deletionTimestamp" not in new["metadata"]
    assert new["metadata"]["generation"] == (1 if kind.generation else 9)


def test_a_new_namespace_is_emptied_before_it_goes():
    new = {"metadata": {"name": "x"}}
    prepare_create(NAMESPACE, new)
    assert new["spec"] == {"finalizers": ["kubernetes"]}


def test_a_gated_pod_says_why_it_is_not_scheduled():
    new = {"metadata": {"name": "x"}, "spec": {"schedulingGates": [{"name": "g"}]}}
    prepare_create(POD, new)
    assert new["status"]["conditions"][0]["reason"] == "SchedulingGated"


@pytest.mark.parametrize(
    ("kind", "change", "grows"),
    [
        pytest.param(DEPLOYMENT, {"spec": {"replicas": 2}}, True, id="a deployment's spec"),
        pytest.param(DEPLOYMENT, {"metadata": {"annotations": {"a": "1"}}}, True, id="a deployment's annotations"),
        pytest.param(DEPLOYMENT, {"metadata": {"annotations": {}}}, False, id="no annotations are no annotations"),
        pytest.param(DEPLOYMENT, {"metadata": {"labels": {"a": "1"}}}, False, id="not a deployment's labels"),
        pytest.param(REPLICA_SET, {"spec": {"replicas": 2}}, True, id="a replica set's spec"),
        pytest.param(REPLICA_SET, {"metadata": {"annotations": {"a": "1"}}}, False, id="not its annotations"),
        pytest.param(POD, {"spec": {"containers": [{"image": "b"}]}}, True, id="a pod's spec"),
        pytest.param(POD, {"status": {"phase": "Running"}}, False, id="not a pod's status"),
        pytest.param(ENDPOINT_SLICE, {"endpoints": [{"addresses": ["a"]}]}, True, id="a slice's endpoints"),
        pytest.param(ENDPOINT_SLICE, {"metadata": {"labels": {"a": "1"}}}, True, id="a slice's labels"),
        pytest.param(ENDPOINT_SLICE, {"metadata": {"annotations": {"a": "1"}}}, False, id="not its annotations'"),
        pytest.param(CONFIG_MAP, {"data": {"a": "1"}}, False, id="nothing of kinds without generations"),
    ],
)
def test_generations_grow_when_something_new_is_asked_for(kind, change, grows):
    new = updated(kind, stored(kind, spec={"replicas": 1}), **change)
    assert new["metadata"]["generation"] == (4 if grows else 3)


def test_an_update_keeps_system_fields_and_status():
    old = stored(DEPLOYMENT, spec={}, status={"replicas": 2}, metadata={"deletionTimestamp": "t"})
    new = {"metadata": {"name": "x", "namespace": "n", "generation": 7}, "spec": {}, "status": {"replicas": 9}}
    prepare_update(DEPLOYMENT, new, old)
    assert new == old


def test_another_uid_stays_for_validation_to_see():
    old = stored(DEPLOYMENT, spec={})
    assert updated(DEPLOYMENT, old, metadata={"uid": "other"})["metadata"]["uid"] == "other"


def test_a_namespace_keeps_its_finalizers():
    old = stored(NAMESPACE, spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})
    assert updated(NAMESPACE, old, spec={})["spec"] == {"finalizers": ["kubernetes"]}


def test_a_status_write_changes_only_the_status():
    old = stored(DEPLOYMENT, spec={"replicas": 1}, status={})
    new = copy.deepcopy(old) | {"spec": {"replicas": 7}, "status": {"replicas": 2}, "apiVersion": "apps/v1"}
    new["metadata"] |= {"labels": {"a": "1"}, "annotations": {"b": "2"}, "resourceVersion": "5"}
    prepare_status(DEPLOYMENT, new, old)
    assert new == {
        "apiVersion": "apps/v1",
        "metadata": {**old["metadata"], "annotations": {"b": "2"}, "resourceVersion": "5"},
        "spec": {"replicas": 1},
        "status": {"replicas": 2},
    }


def test_a_pod_keeps_its_quality_of_service():
    old = stored(POD, spec={}, status={"qosClass": "Burstable"})
    new = copy.deepcopy(old) | {"status": {"phase": "Running"}}
    prepare_status(POD, new, old)
    assert new["status"] == {"phase": "Running", "qosClass": "Burstable"}


SERVICE_SPEC = {
    "type": "NodePort", "clusterIP": "10.0.0.5", "clusterIPs": ["10.0.0.5"], "ipFamilies": ["IPv4"],
    "ipFamilyPolicy": "SingleStack", "externalTrafficPolicy": "Cluster",
    "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30001}],
}  # fmt: skip


def service_after(**spec):
    old = stored(SERVICE, spec=copy.deepcopy(SERVICE_SPEC), status={"loadBalancer": {}})
    new = {"metadata": {"name": "x", "namespace": "n"}, "spec": spec}
    set_defaults(SERVICE, new)
    prepare_update(SERVICE, new, old)
    return new["spec"]


def test_a_replaced_service_keeps_what_was_allocated():
    spec = service_after(type="NodePort", ports=[{"port": 80}])
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("10.0.0.5", ["10.0.0.5"])
    assert spec["ports"][0]["nodePort"] == 30001


def test_a_service_that_needs_no_node_ports_loses_them():
    spec = service_after(**copy.deepcopy(SERVICE_SPEC) | {"type": "ClusterIP"})
    assert "nodePort" not in spec["ports"][0]
    assert "externalTrafficPolicy" not in spec


def test_a_service_that_becomes_a_name_loses_its_address():
    spec = service_after(**copy.deepcopy(SERVICE_SPEC) | {"type": "ExternalName", "externalName": "a.b"})
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & spec.keys()


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        pytest.param({"clusterIP": "10.0.0.9"}, ("10.0.0.9", ["10.0.0.9"]), id="a changed address is both"),
        pytest.param({"clusterIPs": ["10.0.0.9"]}, ("10.0.0.9", ["10.0.0.9"]), id="a changed list is both"),
    ],
)
def test_the_changed_one_of_two_address_fields_decides(ip, expected):
    spec = service_after(**copy.deepcopy(SERVICE_SPEC) | ip)
    assert (spec["clusterIP"], spec["clusterIPs"]) == expected


@pytest.mark.parametrize(
    ("spec", "families"),
    [
        pytest.param({}, (["IPv4"], "SingleStack"), id="one family"),
        pytest.param({"clusterIP": "None", "selector": {"a": "b"}}, (["IPv4"], "SingleStack"), id="headless too"),
        pytest.param({"clusterIP": "None"}, (["IPv4", "IPv6"], "RequireDualStack"), id="headless without selector"),
        pytest.param({"type": "ExternalName"}, (None, None), id="a name has no address"),
    ],
)
def test_new_services_get_families(spec, families):
    new = {"metadata": {"name": "x"}, "spec": dict(spec)}
    prepare_create(SERVICE, new)
    assert (new["spec"].get("ipFamilies"), new["spec"].get("ipFamilyPolicy")) == families


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        pytest.param([{}], "BestEffort", id="nothing asked"),
        pytest.param([{"requests": {"cpu": "0"}}], "BestEffort", id="zero is nothing"),
        pytest.param([{"requests": {"cpu": "1"}}], "Burstable", id="a request only"),
        pytest.param([{"requests": BOTH, "limits": BOTH}], "Guaranteed", id="all limited to what is requested"),
        pytest.param([{"requests": BOTH, "limits": BOTH}, {}], "Burstable", id="one container without limits"),
        pytest.param([{"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}], "Burstable", id="memory is free"),
        pytest.param([{"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": BOTH}], "Guaranteed",
                     id="equal amounts in other words"),
        pytest.param([{"requests": {"example.com/gpu": "1"}}], "BestEffort", id="other resources do not count"),
    ],
)  # fmt: skip
def test_quality_of_service(resources, quality):
    assert quality_of_service({"containers": [{"resources": part} for part in resources]}) == quality
