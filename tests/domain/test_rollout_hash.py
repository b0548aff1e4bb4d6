"""The hash of a pod template: the original's, byte for byte."""

from typing import Any

import pytest

from drumroll.domain.rollout.go_json import template_json
from drumroll.domain.rollout.go_order import ORDERS
from drumroll.domain.rollout.revision import pod_hash
from drumroll.domain.rollout.steps import step_hash
from drumroll.domain.rollout.steps_json import steps_json
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


PAUSE: dict[str, Any] = {"pause": {}}


@pytest.mark.parametrize(
    ("canary", "wanted"),
    [
        ({"steps": [PAUSE]}, "6b9b86fbd5"),
        ({"steps": [PAUSE, PAUSE]}, "79c9b9f6bf"),
        ({}, "5ffbfbbd64"),
    ],
)
def test_the_hashes_of_steps_that_the_originals_tests_expect(canary: dict[str, Any], wanted: str) -> None:
    assert step_hash(Rollout({"metadata": {"name": "x"}, "spec": {"strategy": {"canary": canary}}})) == wanted


@pytest.mark.parametrize(
    ("step", "written"),
    [
        ({"setWeight": 0}, '{"setWeight":0}'),
        ({"pause": {"duration": "10s"}}, '{"pause":{"duration":"10s"}}'),
        ({"setCanaryScale": {"matchTrafficWeight": False, "replicas": 0}}, '{"setCanaryScale":{"replicas":0}}'),
        (
            {"analysis": {"args": [{"valueFrom": {"podTemplateHashValue": "Latest"}, "name": "h"}],
                          "templates": [{"clusterScope": False, "templateName": "t"}]}},
            '{"analysis":{"templates":[{"templateName":"t"}],"args":[{"name":"h","valueFrom":'
            '{"podTemplateHashValue":"Latest"}}],"analysisRunMetadata":{}}}',
        ),
        (
            {"experiment": {"duration": "1m", "templates": [
                {"specRef": "canary", "name": "a", "service": {}, "weight": 0}]}},
            '{"experiment":{"templates":[{"name":"a","specRef":"canary","metadata":{},"weight":0,"service":{}}],'
            '"duration":"1m","analysisRunMetadata":{}}}',
        ),
        ({"setHeaderRoute": {"name": "r"}}, '{"setHeaderRoute":{"name":"r"}}'),
        (
            {"setMirrorRoute": {"percentage": 5, "name": "m", "match": [
                {"headers": {"z": {"regex": "<a>"}, "b": {"exact": "1"}}}]}},
            '{"setMirrorRoute":{"name":"m","match":[{"headers":{"b":{"exact":"1"},"z":{"regex":"\\u003ca\\u003e"}}}],'
            '"percentage":5}}',
        ),
    ],
)  # fmt: skip
def test_steps_are_written_as_go_writes_them(step: dict[str, Any], written: str) -> None:
    assert steps_json([step]).decode() == f"[{written}]"
