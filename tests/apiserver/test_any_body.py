"""Whatever a client sends, the answer is the API's: never a fault of ours, and nothing half-written."""

import asyncio
import copy
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drumroll.objects.wire import JSON_PATCH, MERGE_PATCH
from tests.apiserver.server import CONFIG_MAPS, DEPLOYMENTS, PODS, Server, config_map, deployment, pod, service
from tests.searching import examples

SERVICES = "/api/v1/namespaces/default/services"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
INGRESS = {
    "metadata": {"name": "i"},
    "spec": {
        "tls": [{"hosts": ["a.b"], "secretName": "t"}],
        "rules": [
            {
                "host": "a.b",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "web", "port": {"number": 80}}},
                        }
                    ]
                },
            }
        ],
    },
}
GOOD = {
    CONFIG_MAPS: config_map("a", color="red"),
    PODS: pod("p", volumes=[{"name": "v", "emptyDir": {}}], terminationGracePeriodSeconds=5),
    DEPLOYMENTS: deployment("web", 2),
    SERVICES: service("s", type="NodePort"),
    INGRESSES: INGRESS,
}
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**65),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from([[], {}, [None], [{}], [[]], {"name": None}, [{"name": "x"}], "10%", "1Gi", "None"]),
)


def spots(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value that can be replaced."""
    found: list[tuple[Any, Any]] = []
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found.append((value, key))
        found.extend(spots(value[key]))
    return found


@st.composite
def bent(draw: st.DrawFn) -> tuple[str, Any]:
    """A good object with up to three places bent, and where it goes."""
    path = draw(st.sampled_from(sorted(GOOD)))
    body = copy.deepcopy(GOOD[path])
    for _ in range(draw(st.integers(1, 3))):
        places = spots(body)
        if places:
            container, key = draw(st.sampled_from(places))
            container[key] = copy.deepcopy(draw(JUNK))
    return path, body


async def _throw(path: str, body: Any) -> list[int]:
    server = Server()
    await server.api.prepare()
    for collection, good in GOOD.items():
        await server.made("POST", collection, {**good, "metadata": {**good["metadata"], "name": "good"}})
    data = json.dumps(body).encode()
    codes = [(await server.call("POST", path, data))[0]]
    codes += [(await server.call("PUT", f"{path}/good", data))[0]]
    codes += [(await server.call("PATCH", f"{path}/good", data, content_type=MERGE_PATCH))[0]]
    operations = json.dumps([{"op": "replace", "path": "/spec", "value": body}]).encode()
    codes += [(await server.call("PATCH", f"{path}/good", operations, content_type=JSON_PATCH))[0]]
    for accept in ("application/json", "application/json;as=Table;v=v1;g=meta.k8s.io"):
        codes += [(await server.call("GET", path, accept=accept))[0]]
    assert {record.revision for record in server.store.select("configmaps")} <= set(range(server.store.revision + 1))
    return codes


@settings(max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bent())
def test_no_body_is_answered_with_a_fault_of_ours(caplog, thrown):
    path, body = thrown
    with caplog.at_level(logging.ERROR, "drumroll.apiserver"):
        codes = asyncio.run(_throw(path, body))
    assert caplog.records == [], caplog.records[0].exc_text
    assert codes[-2:] == [200, 200]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/pods/../../secrets",
        "/api/v1/namespaces//pods",
        "/apis/apps/v1/namespaces/default/deployments/a/b/c",
        "/api/v1/namespaces/default/pods/x/nope",
        "/apis//v1/x",
        "//",
        "/api/v1/pods/%00",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.asyncio
async def test_no_path_is_answered_with_a_fault_of_ours(server, method, path):
    response = await server.send(method, path, {} if method in ("POST", "PUT", "PATCH") else None)
    assert 400 <= response.status < 500


async def _warned(data: dict[str, Any]) -> list[str]:
    server = Server()
    await server.api.prepare()
    response = await server.send("POST", CONFIG_MAPS, {**config_map("a"), **data})
    assert response.status == 201
    return [value for name, value in response.headers if name == "Warning"]


def test_many_warnings_are_cut_and_then_left_out():
    """An answer's header stays readable for every client, whatever unknown fields it was about."""
    few = asyncio.run(_warned({"x" * 300: 1, "b": 1}))
    assert few == [f'299 - "unknown field \\"{"x" * 300}\\""', '299 - "unknown field \\"b\\""']
    many = asyncio.run(_warned({f"{number}{'x' * 300}": 1 for number in range(10, 60)}))
    assert (len(many), {len(one) for one in many}) == (16, {256 + len('299 - ""') + 1})
