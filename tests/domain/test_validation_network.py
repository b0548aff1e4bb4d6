"""Rules for Services, Ingresses, endpoints, ConfigMaps, Secrets, Events, Leases and Nodes."""

import copy

import pytest

from drumroll.domain.defaults import set_defaults
from drumroll.domain.strategy import prepare_create, prepare_update
from drumroll.domain.validation import validate_create, validate_update
from drumroll.objects.kinds import (
    CONFIG_MAP,
    ENDPOINT_SLICE,
    ENDPOINTS,
    EVENT,
    EVENTS_EVENT,
    INGRESS,
    INGRESS_CLASS,
    LEASE,
    NODE,
    SECRET,
    SERVICE,
)


def made(kind, **content):
    meta = {"name": "x", **({"namespace": "n"} if kind.namespaced else {}), **content.pop("metadata", {})}
    obj = {"metadata": meta, **copy.deepcopy(content)}
    set_defaults(kind, obj)
    prepare_create(kind, obj)
    return obj


def refused(kind, **content):
    return [str(error) for error in validate_create(kind, made(kind, **content))]


def changed(kind, before, after):
    old, new = made(kind, **before), made(kind, **after)
    prepare_update(kind, new, old)
    return [str(error) for error in validate_update(kind, new, old)]


RANGE = "must be between 1 and 65535, inclusive"
PORT = [{"port": 80}]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"ports": PORT}, [], id="a port is enough"),
        pytest.param({"clusterIP": "None"}, [], id="headless needs no port"),
        pytest.param({"type": "ExternalName", "externalName": "a.b."}, [], id="a name may end in a dot"),
        pytest.param({"ports": []}, ["spec.ports: Required value"], id="a port is needed"),
        pytest.param({"ports": [{"port": 80}, {"port": 81}]},
                     ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
                     id="several ports have names"),
        pytest.param({"ports": [{"port": 70000}]},
                     [f"spec.ports[0].port: Invalid value: 70000: {RANGE}",
                      f"spec.ports[0].targetPort: Invalid value: 70000: {RANGE}"], id="ports are 16 bits"),
        pytest.param({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]},
                     ['spec.ports[1].name: Duplicate value: "a"'], id="port names are unique"),
        pytest.param({"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
                     ['spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,'
                      '"TargetPort":0,"NodePort":0}'], id="ports are unique"),
        pytest.param({"ports": [{"port": 80, "nodePort": 30001}]},
                     ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
                     id="node ports need a type"),
        pytest.param({"ports": PORT, "type": "Odd"},
                     ['spec.type: Unsupported value: "Odd": supported values: "ClusterIP", "ExternalName", '
                      '"LoadBalancer", "NodePort"'], id="types are known"),
        pytest.param({"ports": PORT, "clusterIP": "1.2.3.4.5"},
                     ['spec.clusterIPs[0]: Invalid value: "1.2.3.4.5": must be a valid IP address, '
                      "(e.g. 10.9.8.7 or 2001:db8::ffff)"], id="addresses are addresses"),
        pytest.param({"ports": PORT, "clusterIP": "None", "type": "NodePort"},
                     ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services'],
                     id="node ports need an address"),
        pytest.param({"type": "ExternalName"}, ["spec.externalName: Required value"], id="a name is needed"),
        pytest.param({"ports": PORT, "selector": {"a": "b c"}}, ["spec.selector: Invalid value"], id="selector"),
        pytest.param({"ports": PORT, "sessionAffinity": "Odd"}, ["spec.sessionAffinity: Unsupported value"],
                     id="affinities are known"),
        pytest.param({"ports": PORT, "externalIPs": ["127.0.0.1"]}, ["may not be in the loopback range"],
                     id="not our own loopback"),
        pytest.param({"ports": PORT, "externalTrafficPolicy": "Local"},
                     ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible '
                      "services"], id="a policy for outside"),
        pytest.param({"ports": PORT, "internalTrafficPolicy": "Odd"}, ["spec.internalTrafficPolicy: Unsupported value"],
                     id="policies are known"),
        pytest.param({"ports": PORT, "loadBalancerSourceRanges": ["10.0.0.0/8"]},
                     ["may only be used when `type` is 'LoadBalancer'"], id="ranges need a load balancer"),
    ],
)  # fmt: skip
def test_services(spec, expected):
    found = refused(SERVICE, spec=spec)
    assert len(found) == len(expected)
    assert all(text in line for text, line in zip(expected, found, strict=True))


def test_a_service_name_is_a_label():
    assert "must not contain dots" in refused(SERVICE, metadata={"name": "a.b"}, spec={"ports": PORT})[0]
    assert refused(SERVICE, metadata={"name": "1bad"}, spec={"ports": PORT}) == []


def test_an_address_stays():
    before = {"spec": {"ports": PORT, "clusterIP": "10.0.0.1"}}
    after = {"spec": {"ports": PORT, "clusterIP": "10.96.99.99"}}
    assert changed(SERVICE, before, after) == [
        'spec.clusterIPs[0]: Invalid value: ["10.96.99.99"]: may not change once set'
    ]
    assert changed(SERVICE, before, {"spec": {"ports": PORT, "selector": {"a": "b"}}}) == []


def route(path="/", kind="Prefix", **service):
    backend = {"service": {"name": "web", "port": {"number": 80}, **service}}
    return {"rules": [{"http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]}}]}


WHERE = "spec.rules[0].http.paths[0]"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(route("/sf(/|$)(.*)", "ImplementationSpecific", port={"name": "http"}), [], id="a pattern"),
        pytest.param({}, ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
                     id="something to do"),
        pytest.param(route("nope"), [f'{WHERE}.path: Invalid value: "nope": must be an absolute path'], id="absolute"),
        pytest.param(route("/a//b"), [f"{WHERE}.path: Invalid value: \"/a//b\": must not contain '//'"], id="clean"),
        pytest.param(route("/a/.."), ["cannot end with '/..'"], id="no way up"),
        pytest.param(route("/", None), [f"{WHERE}.pathType: Required value: pathType must be specified"], id="type"),
        pytest.param(route("/", "Odd"), ['supported values: "Exact", "ImplementationSpecific", "Prefix"'], id="types"),
        pytest.param(route(name=""), [f"{WHERE}.backend.service.name: Required value"], id="a service"),
        pytest.param(route(port={}), [f"{WHERE}.backend: Required value: port name or number is required"], id="port"),
        pytest.param(route(port={"name": "a", "number": 1}), ["cannot set both port name & port number"], id="one"),
        pytest.param({"rules": [{"http": {"paths": []}}]}, ["spec.rules[0].http.paths: Required value"], id="a path"),
        pytest.param({"rules": [{"host": "1.2.3.4"}]}, ["must be a DNS name, not an IP address"], id="a host's name"),
        pytest.param({"rules": [{"host": "a_b"}]}, ["spec.rules[0].host: Invalid value"], id="a host is a subdomain"),
        pytest.param({"rules": [{"host": "*.a.b"}], "tls": [{"hosts": ["*.a.b"], "secretName": "t"}]}, [], id="wild"),
        pytest.param({"defaultBackend": {}}, ["spec.defaultBackend: Invalid value: \"\": resource or service backend"],
                     id="a backend"),
    ],
)  # fmt: skip
def test_ingresses(spec, expected):
    found = refused(INGRESS, spec=spec)
    assert len(found) == len(expected)
    assert all(text in line for text, line in zip(expected, found, strict=True))


def test_an_ingress_class_keeps_its_controller():
    assert "must be a domain-prefixed path" in refused(INGRESS_CLASS, spec={"controller": "a"})[0]
    before, after = {"spec": {"controller": "a/b"}}, {"spec": {"controller": "a/c"}}
    assert changed(INGRESS_CLASS, before, after) == [
        'spec.controller: Invalid value: "a/c": field is immutable',
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param({"addressType": "IPv4", "endpoints": [{"addresses": ["127.244.0.2"]}]}, [], id="a loopback pod"),
        pytest.param({}, ["addressType: Required value"], id="a type"),
        pytest.param({"addressType": "IPv4", "endpoints": [{"addresses": ["::1"]}]},
                     ['endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address'], id="IPv4"),
        pytest.param({"addressType": "IPv4", "endpoints": [{"addresses": []}]},
                     ["endpoints[0].addresses: Required value: must contain at least 1 address"], id="an address"),
        pytest.param({"addressType": "IPv4", "endpoints": [{"addresses": ["1.1.1.1"]}] * 1001},
                     ["endpoints: Too many: 1001: must have at most 1000 items"], id="not too many"),
        pytest.param({"addressType": "IPv4", "ports": [{"port": 1}, {"port": 2}]},
                     ['ports[1].name: Duplicate value: ""'], id="port names are unique"),
    ],
)  # fmt: skip
def test_endpoint_slices(content, expected):
    assert refused(ENDPOINT_SLICE, **content) == expected


def test_endpoints_name_their_ports():
    subset = {"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 1, "name": "a"}, {"port": 2}]}
    assert refused(ENDPOINTS, subsets=[subset, {}]) == [
        "subsets[0].ports[1].name: Required value",
        "subsets[1]: Required value: must specify `addresses` or `notReadyAddresses`",
    ]


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        pytest.param(CONFIG_MAP, {"data": {"a b": ""}}, "data[a b]: Invalid value", id="keys are file names"),
        pytest.param(CONFIG_MAP, {"data": {"a": ""}, "binaryData": {"a": ""}}, "duplicate of key present in binaryData",
                     id="keys are unique"),
        pytest.param(CONFIG_MAP, {"data": {"a": "x" * 1048577}}, "[]: Too long: may not be more than 1048576 bytes",
                     id="one megabyte"),
        pytest.param(SECRET, {"type": "kubernetes.io/tls", "data": {"tls.key": ""}}, "data[tls.crt]: Required value",
                     id="TLS needs a certificate"),
        pytest.param(SECRET, {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{"}},
                     '"<secret contents redacted>"', id="secrets are not shown"),
        pytest.param(LEASE, {"spec": {"leaseDurationSeconds": 0}}, "must be greater than 0", id="lease"),
        pytest.param(NODE, {"spec": {"taints": [{"key": "a", "effect": "Odd"}]}}, "effect: Unsupported value",
                     id="taints are known"),
        pytest.param(NODE, {"spec": {"taints": [{"key": "a", "effect": "NoExecute"}] * 2}},
                     "taints must be unique by key and effect pair", id="taints are unique"),
        pytest.param(EVENTS_EVENT, {"regarding": {"namespace": "n"}, "type": "Normal"}, "eventTime: Required value",
                     id="a new event says when"),
        pytest.param(EVENTS_EVENT, {"regarding": {"namespace": "n"}, "type": "Odd", "eventTime": "t", "reason": "r",
                                    "action": "a", "reportingController": "c", "reportingInstance": "i"},
                     "type: Invalid value", id="types of events are known"),
        pytest.param(EVENTS_EVENT, {"regarding": {"namespace": "n"}, "type": "Normal", "eventTime": "t", "reason": "r",
                                    "reportingController": "c", "reportingInstance": "i"},
                     "action: Required value", id="a new event says what was done"),
        pytest.param(SECRET, {"type": "kubernetes.io/service-account-token"},
                     "metadata.annotations[kubernetes.io/service-account.name]: Required value", id="account"),
        pytest.param(INGRESS_CLASS, {"spec": {"controller": "a/b", "parameters": {"kind": "K", "name": "n",
                                                                                  "scope": "Odd"}}},
                     "spec.parameters.scope: Unsupported value", id="scopes are known"),
        pytest.param(INGRESS, {"metadata": {"annotations": {"kubernetes.io/ingress.class": "a"}},
                               "spec": {**route(), "ingressClassName": "b"}},
                     "must match `ingressClassName` when both are specified", id="one class"),
        pytest.param(ENDPOINTS, {"subsets": [{"addresses": []}]}, "must specify `addresses` or `notReadyAddresses`",
                     id="endpoints have addresses"),
        pytest.param(EVENT, {"involvedObject": {"namespace": "other"}},
                     'involvedObject.namespace: Invalid value: "other": does not match event.namespace', id="event"),
    ],
)  # fmt: skip
def test_other_kinds(kind, content, expected):
    found = refused(kind, **content)
    assert len(found) == 1
    assert expected in found[0]


FROZEN = "Forbidden: field is immutable when `immutable` is set"


@pytest.mark.parametrize(
    ("kind", "before", "after", "expected"),
    [
        pytest.param(CONFIG_MAP, {"data": {"a": "1"}}, {"data": {"a": "2"}}, [], id="a config map may change"),
        pytest.param(CONFIG_MAP, {"data": {"a": "1"}, "immutable": True}, {"data": {"a": "2"}},
                     [f"immutable: {FROZEN}", f"data: {FROZEN}"], id="unless frozen"),
        pytest.param(SECRET, {"data": {}, "immutable": True}, {"data": {"a": "Yg=="}, "immutable": True},
                     [f"data: {FROZEN}"], id="so a secret"),
        pytest.param(SECRET, {"type": "a"}, {"type": "b"}, ['type: Invalid value: "b": field is immutable'],
                     id="a secret keeps its type"),
    ],
)  # fmt: skip
def test_frozen_content(kind, before, after, expected):
    assert changed(kind, before, after) == expected
