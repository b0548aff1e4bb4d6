"""$(VAR), fieldRef, resourceFieldRef and service variables."""

import pytest

from drumroll.domain.expansion import expand
from drumroll.domain.expansion_fields import PodPlace, field_value, resource_value
from drumroll.domain.expansion_services import service_environment

KNOWN = {"A": "1", "B": "two words", "EMPTY": ""}
PLACE = PodPlace("10.244.0.5", "10.244.0.1", 2, 4096)
POD = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "labels": {"app": "web", "a": 'x"y'},
                 "annotations": {"note": "n"}},
    "spec": {"nodeName": "node", "serviceAccountName": "default"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)z", "x1ytwo wordsz"),
        ("$(EMPTY)", ""),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$A", "$A"),
        ("$", "$"),
        ("a$", "a$"),
        ("$(A", "$(A"),
        ("$()", "$()"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_expand(text, expected):
    assert expand(text, KNOWN) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", "n"),
        ("metadata.labels", 'a="x\\"y"\napp="web"'),
        ("spec.nodeName", "node"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "10.244.0.5"),
        ("status.hostIP", "10.244.0.1"),
    ],
)
def test_field_value(path, expected):
    assert field_value(POD, path, PLACE) == expected


def test_an_unknown_field_is_refused():
    with pytest.raises(ValueError, match="unsupported fieldPath"):
        field_value(POD, "spec.secret", PLACE)


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        pytest.param("limits.cpu", None, "1", id="a quarter core is rounded up to one"),
        pytest.param("limits.cpu", "1m", "250", id="in thousandths"),
        pytest.param("limits.memory", "1Mi", "64", id="memory in mebibytes"),
        pytest.param("requests.cpu", "1m", "0", id="no request is zero"),
    ],
)
def test_resource_value(resource, divisor, expected):
    container = {"resources": {"limits": {"cpu": "250m", "memory": "64Mi"}}}
    assert resource_value(container, {"resource": resource, "divisor": divisor}, PLACE) == expected


def test_without_a_limit_the_machine_counts():
    assert resource_value({}, {"resource": "limits.cpu"}, PLACE) == "2"


def service(name, namespace, ports, ip="10.96.0.7"):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "ports": ports}}


def test_services_of_the_namespace_and_kubernetes_are_told():
    services = [
        service("store-front", "shop", [{"name": "web", "port": 8080, "protocol": "TCP"}, {"port": 9080}]),
        service("other", "elsewhere", [{"port": 80}]),
        service("headless", "shop", [{"port": 80}], ip="None"),
        service("kubernetes", "default", [{"name": "https", "port": 443}], ip="10.96.0.1"),
    ]
    assert service_environment(services, "shop") == {
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "443",
        "KUBERNETES_PORT": "tcp://10.96.0.1:443",
        "KUBERNETES_PORT_443_TCP": "tcp://10.96.0.1:443",
        "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
        "KUBERNETES_PORT_443_TCP_PORT": "443",
        "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
        "STORE_FRONT_SERVICE_HOST": "10.96.0.7",
        "STORE_FRONT_SERVICE_PORT": "8080",
        "STORE_FRONT_SERVICE_PORT_WEB": "8080",
        "STORE_FRONT_PORT": "tcp://10.96.0.7:8080",
        "STORE_FRONT_PORT_8080_TCP": "tcp://10.96.0.7:8080",
        "STORE_FRONT_PORT_8080_TCP_PROTO": "tcp",
        "STORE_FRONT_PORT_8080_TCP_PORT": "8080",
        "STORE_FRONT_PORT_8080_TCP_ADDR": "10.96.0.7",
        "STORE_FRONT_PORT_9080_TCP": "tcp://10.96.0.7:9080",
        "STORE_FRONT_PORT_9080_TCP_PROTO": "tcp",
        "STORE_FRONT_PORT_9080_TCP_PORT": "9080",
        "STORE_FRONT_PORT_9080_TCP_ADDR": "10.96.0.7",
    }


def test_low_ports_are_told_as_published():
    values = service_environment([service("web", "shop", [{"port": 80}])], "shop", low_port_offset=20000)
    assert values["WEB_SERVICE_PORT"] == "20080"
    assert values["WEB_PORT_80_TCP"] == "tcp://10.96.0.7:20080"
