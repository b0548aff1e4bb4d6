"""What the original says of applied values whose types are not those of the schema."""

import pytest

from drumroll.objects.typed import mismatches, typed_message, typed_schema

DEPLOYMENT = typed_message("api.apps.v1.Deployment")
CONFIG_MAP = typed_message("api.core.v1.ConfigMap")
WEB = '.spec.template.spec.containers[name="web"]'


def deployment(**container):
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", **container}]}}}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(
            {"spec": {"replicas": "2"}}, [".spec.replicas: expected numeric (int or float), got string"], id="a"
        ),
        pytest.param(
            {"spec": {"replicas": {"a": 1}}},
            [".spec.replicas: expected numeric (int or float), got map[string]interface {}"],
            id="%T of a map",
        ),
        pytest.param(
            deployment(env=[{"name": "PORT", "value": 8080}]),
            [f'{WEB}.env[name="PORT"].value: expected string, got &value.valueUnstructured{{Value:8080}}'],
            id="%#v of a number",
        ),
        pytest.param(
            deployment(image={"tag": "1", "list": [1, None, "x"], "on": True}),
            [
                f"{WEB}.image: expected string, got &value.valueUnstructured{{Value:map[string]interface {{}}"
                '{"list":[]interface {}{1, interface {}(nil), "x"}, "on":true, "tag":"1"}}'
            ],
            id="%#v of a map",
        ),
        pytest.param(deployment(tty="yes"), [f"{WEB}.tty: expected boolean, got &{{yes}}"], id="%v of a string"),
        pytest.param(deployment(command="sh"), [f"{WEB}.command: expected list, got &{{sh}}"], id="no list"),
        pytest.param(
            deployment(command=[1]),
            [f"{WEB}.command[0]: expected string, got &value.valueUnstructured{{Value:1}}"],
            id="items of atomic lists by their places",
        ),
        pytest.param({"spec": [{"a": 1}]}, [".spec: expected map, got &{[map[a:1]]}"], id="no map"),
        pytest.param(
            deployment(resources={"limits": {"cpu": 1, "memory": "1Gi"}}), [], id="a quantity may be a number"
        ),
        pytest.param(deployment(ports=[{"containerPort": 80}]), [], id="a key with a default may be left out"),
        pytest.param(deployment(command=None, ports=None, tty=None), [], id="null is of any type"),
        pytest.param(
            {"spec": {"template": {"spec": {"containers": [{"image": "x"}, {"name": 1}]}}}},
            [
                ".spec.template.spec.containers: element 0: associative list with keys has an element that omits all"
                ' key fields ["name"] (and doesn\'t have default values for any key fields)'
            ],
            id="an item without its key",
        ),
        pytest.param(
            deployment(env=[{"name": "A"}, {"name": "A"}, None]),
            [
                f'{WEB}.env: duplicate entries for key [name="A"]',
                f"{WEB}.env: element 2: associative list with keys may not have a null element",
            ],
            id="keys of a list",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["a", {}]}},
            [".metadata.finalizers: element 1: associative list without keys has an element that's a map type"],
            id="a set",
        ),
        pytest.param(
            {"spce": {}, "spec": {"replica": 1}},
            [".spce: field not declared in schema", ".spec.replica: field not declared in schema"],
            id="all at once",
        ),
    ],
)
def test_values_of_other_types(value, expected):
    assert mismatches(DEPLOYMENT, value) == expected


def test_the_values_of_a_map():
    assert mismatches(CONFIG_MAP, {"data": {"a": ["10.0.0.1"]}}) == [
        '.data.a: expected string, got &value.valueUnstructured{Value:[]interface {}{"10.0.0.1"}}'
    ]


def test_custom_resources():
    item = {"type": "object", "properties": {"id": {"type": "integer"}, "to": {"x-kubernetes-int-or-string": True}}}
    rows = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = typed_schema({"type": "object", "properties": {"rows": rows, "free": free, "size": {"type": "integer"}}})
    assert mismatches(schema, {"rows": [{"id": 1, "to": "x"}], "free": {"any": [1]}, "size": 3}) == []
    assert mismatches(schema, {"rows": [{"id": 1, "to": []}], "size": "3", "other": 1}) == [
        ".rows[id=1].to: expected any scalar, got &{[]}",
        ".size: expected numeric (int or float), got string",
        ".other: field not declared in schema",
    ]
