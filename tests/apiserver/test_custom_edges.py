"""Custom resources at the edges: names of lists, scopes, dry runs, bodies that make no sense."""

import pytest

from tests.apiserver.server import Server
from tests.apiserver.test_custom import DEFINITIONS, TABLE, WIDGETS, definition, version, widget

pytestmark = pytest.mark.asyncio


async def test_a_deprecated_version_warns_its_writers(server: Server):
    await server.made("POST", DEFINITIONS, definition(version(deprecated=True)))
    response = await server.send("POST", WIDGETS, widget())
    assert response.headers == (("Warning", '299 - "example.com/v1 Widget is deprecated"'),)


async def test_lists_and_tables_have_the_names_of_the_definition(server: Server):
    await server.made("POST", DEFINITIONS, definition(listKind="Widgetry"))
    assert (await server.made("GET", WIDGETS))["kind"] == "Widgetry"
    table = await server.made("GET", DEFINITIONS, accept=TABLE)
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Created At"]
    assert table["rows"][0]["cells"] == ["widgets.example.com", "2026-01-01T00:00:00Z"]
    table = await server.made("GET", WIDGETS, accept=TABLE)
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Age"]


async def test_cluster_wide_kinds_have_no_namespace(server: Server):
    crd = definition()
    crd["spec"]["scope"] = "Cluster"
    await server.made("POST", DEFINITIONS, crd)
    made = await server.made("POST", "/apis/example.com/v1/widgets", widget())
    assert "namespace" not in made["metadata"]
    assert (await server.made("GET", "/apis/example.com/v1/widgets/a"))["spec"]["size"] == 2
    assert (await server.call("GET", f"{WIDGETS}/a"))[0] == 404


async def test_a_dry_run_stores_nothing(server: Server):
    await server.made("POST", DEFINITIONS, definition(version("v1beta1", storage=False), version("v1")))
    beta = WIDGETS.replace("v1", "v1beta1")
    made = await server.made("POST", f"{beta}?dryRun=All", widget(api="example.com/v1beta1"))
    assert (made["apiVersion"], made["spec"]["color"]) == ("example.com/v1beta1", "red")
    assert (await server.call("GET", f"{WIDGETS}/a"))[0] == 404


BENT = [
    pytest.param("POST", WIDGETS, {**widget("b"), "metadata": ""}, 400, id="metadata is a text"),
    pytest.param("POST", WIDGETS, [], 400, id="a list"),
    pytest.param("POST", WIDGETS, {**widget("b"), "kind": "Gadget"}, 400, id="another kind"),
    pytest.param("PATCH", f"{WIDGETS}/a", {"spec": True}, 422, id="spec is true"),
    pytest.param("PATCH", f"{WIDGETS}/a", {"spec": None}, 200, id="no spec"),
    pytest.param("PATCH", f"{WIDGETS}/a", {"spec": {"size": 1e300}}, 422, id="a whole number beyond integers"),
    pytest.param("PATCH", f"{WIDGETS}/a/scale", {"spec": {"replicas": "x"}}, 422, id="replicas are a text"),
    pytest.param("PATCH", f"{WIDGETS}/a/status", {"status": []}, 422, id="status is a list"),
]


@pytest.mark.parametrize(("method", "path", "body", "code"), BENT)
async def test_bent_bodies_are_answered(server: Server, method, path, body, code):
    await server.made("POST", DEFINITIONS, definition())
    await server.made("POST", WIDGETS, widget())
    status, answer = await server.call(method, path, body)
    assert status == code, answer
    assert (await server.call("GET", WIDGETS, accept=TABLE))[0] == 200
