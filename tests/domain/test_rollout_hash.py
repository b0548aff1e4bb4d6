"""The hash of a pod template: the original's, byte for byte."""

from typing import Any

import pytest

from drumroll.domain.rollout.go_json import template_json
from drumroll.domain.rollout.go_order import ORDERS
from drumroll.domain.rollout.revision import pod_hash
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.schema import message, message_names


def nginx(app: str, **spec: Any) -> dict[str, Any]:
    container = {
        "name": app, "image": "nginx:1.19-alpine", "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
        "resources": {"requests": {"memory": "16Mi", "cpu": "5m"}},
    }  # fmt: skip
    return {"metadata": {"labels": {"app": app}}, "spec": {**spec, "containers": [container]}}


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        (nginx("canary-scaledowndelay"), "674d8cf959"),
        (
            nginx("dynamic-stable-scale", readinessGates=[{"conditionType": "argoproj.io/e2e-readiness"}]),
            "6b56c8cdb4",
        ),
    ],
)
def test_the_hashes_that_the_originals_tests_expect(template: dict[str, Any], wanted: str) -> None:
    rollout = Rollout({"metadata": {"name": "x"}, "spec": {"template": template}})
    assert pod_hash(rollout) == wanted


def test_a_collision_gives_another_hash() -> None:
    body = {"metadata": {"name": "x"}, "spec": {"template": nginx("a")}}
    hashes = {pod_hash(Rollout({**body, "status": {"collisionCount": n} if n is not None else {}})) for n in (None, 1)}
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("container", "written"),
    [
        ({"name": "a"}, '{"name":"a","resources":{}}'),
        ({"image": "i", "name": "a", "tty": False, "args": [], "env": None}, '{"name":"a","image":"i","resources":{}}'),
        ({"name": "a", "command": ["sh", "-c", 'x <&>"']},
         r'{"name":"a","command":["sh","-c","x \u003c\u0026\u003e\""],"resources":{}}'),
        ({"name": "a", "resources": {"limits": {"memory": "1024Mi", "cpu": "0.5"}}},
         '{"name":"a","resources":{"limits":{"cpu":"500m","memory":"1Gi"}}}'),
        ({"name": "a", "securityContext": {}}, '{"name":"a","resources":{},"securityContext":{}}'),
        ({"name": "a", "securityContext": {"runAsUser": 0, "privileged": False}},
         '{"name":"a","resources":{},"securityContext":{"privileged":false,"runAsUser":0}}'),
        ({"name": "a", "env": [{"name": "E", "value": ""}, {"name": "F", "valueFrom": {"resourceFieldRef": {
            "resource": "limits.cpu"}}}]},
         '{"name":"a","env":[{"name":"E"},{"name":"F","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu",'
         '"divisor":"0"}}}],"resources":{}}'),
        ({"name": "a", "readinessProbe": {"periodSeconds": 1, "httpGet": {"port": "http", "path": "/"}}},
         '{"name":"a","resources":{},"readinessProbe":{"httpGet":{"path":"/","port":"http"},"periodSeconds":1}}'),
        ({"name": "ä", "unknown": 1}, '{"name":"ä","resources":{}}'),
    ],
)  # fmt: skip
def test_what_go_writes(container: dict[str, Any], written: str) -> None:
    template = {"spec": {"containers": [container]}}
    assert template_json(template).decode() == f'{{"metadata":{{}},"spec":{{"containers":[{written}]}}}}'


def test_the_orders_name_every_field_that_there_is() -> None:
    known = {
        message(name).short: message(name) for name in message_names() if ".core.v1." in name or ".meta.v1." in name
    }
    for short, order in ORDERS.items():
        assert set(known[short].fields) == set(order), short
