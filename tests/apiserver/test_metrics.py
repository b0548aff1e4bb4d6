"""What /metrics tells about requests, watches and the store."""

import pytest

from tests.apiserver.server import CONFIG_MAPS, Server, config_map


async def figures(server: Server) -> dict[str, float]:
    response = await server.send("GET", "/metrics")
    assert (response.status, response.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = (line for line in response.body.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def request(verb: str, resource: str, scope: str, code: int = 0, group: str = "", subresource: str = "") -> str:
    what = (
        f'verb="{verb}",group="{group}",version="v1",resource="{resource}",subresource="{subresource}",scope="{scope}"'
    )
    return f'apiserver_request_total{{{what},code="{code}"}}'


@pytest.mark.asyncio
async def test_requests_are_counted_by_what_they_asked_for(server):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    await server.made("GET", f"{CONFIG_MAPS}/a")
    await server.made("GET", CONFIG_MAPS)
    await server.made("GET", "/api/v1/configmaps")
    await server.refused(404, "GET", f"{CONFIG_MAPS}/b")
    await server.made("DELETE", CONFIG_MAPS)
    await server.made("PATCH", "/api/v1/namespaces/default/status", {"metadata": {"labels": {"a": "b"}}})
    found = await figures(server)
    assert found[request("POST", "configmaps", "namespace", 201)] == 1
    assert found[request("GET", "configmaps", "resource", 200)] == 1
    assert found[request("LIST", "configmaps", "namespace", 200)] == 1
    assert found[request("LIST", "configmaps", "cluster", 200)] == 1
    assert found[request("GET", "configmaps", "resource", 404)] == 1
    assert found[request("DELETECOLLECTION", "configmaps", "namespace", 200)] == 1
    assert found[request("PATCH", "namespaces", "resource", 200, subresource="status")] == 1
    duration = request("POST", "configmaps", "namespace").replace("request_total", "request_duration_seconds_count")
    assert found[duration.replace(',code="0"', "")] == 1


@pytest.mark.asyncio
async def test_names_that_clients_made_up_are_no_labels(server):
    for n in range(50):
        await server.call("GET", f"/apis/g{n}.example.com/v1/things{n}")
        await server.call("GET", f"/made/up/{n}")
        await server.call("GET", f"/api/v1/namespaces/default/pods/x/nope{n}")
    text = "\n".join(await figures(server))
    assert "example.com" not in text
    assert "made" not in text
    assert "nope" not in text


@pytest.mark.asyncio
async def test_open_watches_and_stored_objects_are_told(server):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    open_watches = 'apiserver_longrunning_requests{verb="WATCH",resource="configmaps"}'
    async with server.watching(CONFIG_MAPS) as watch:
        await watch.next()
        found = await figures(server)
        assert found[open_watches] == 1
        assert found['apiserver_storage_objects{resource="configmaps"}'] == len(server.store.select("configmaps"))
        assert found["drumroll_store_revision"] == server.store.revision
    assert (await figures(server))[open_watches] == 0


@pytest.mark.asyncio
async def test_a_request_leaves_no_trace_in_flight(server):
    await server.call("POST", CONFIG_MAPS, b"nonsense")
    assert (await figures(server))["apiserver_current_inflight_requests"] == 1  # the one that asks
