"""The comparison of a canary with the stable version, by the figures of a mesh."""

import pytest
from aiohttp import web

from tests.analysis.bench import asked, read, serving

pytestmark = pytest.mark.asyncio


def mesh(canary, stable):
    """A server that answers like the mesh: requests and errors by revision, and latencies in three buckets."""

    async def give(request: web.Request) -> web.Response:
        query, samples = request.query["query"], []
        for revision, (requests, errors, slow) in (("c1", canary), ("s1", stable)):
            if f'"{revision}"' not in query:
                continue
            if "_total" in query:
                samples.append(({"revision": revision}, errors if "errors" in query else requests))
            else:
                bounds = [("0.05", requests - slow), ("0.25", requests), ("+Inf", requests)]
                samples += [({"revision": revision, "le": bound}, count) for bound, count in bounds]
        result = [{"metric": labels, "value": [1, str(count)]} for labels, count in samples]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})

    return give


COMPARED = [
    ((500, 0, 10), (500, 0, 10), {}, "Successful", ""),
    (
        (500, 25, 10),
        (500, 0, 10),
        {},
        "Failed",
        "5.00% of the canary's requests fail, and 0.00% of the stable version's",
    ),
    ((500, 25, 10), (500, 0, 10), {"errors": False}, "Successful", ""),
    ((500, 25, 10), (500, 0, 10), {"errors": {"maximumIncrease": 0.1}}, "Successful", ""),
    ((500, 0, 400), (500, 0, 10), {}, "Failed", "the 0.95 quantile of the canary's latency is"),
    ((500, 0, 400), (500, 0, 10), {"latency": False}, "Successful", ""),
    ((500, 0, 400), (500, 0, 10), {"latency": {"tolerance": "250ms"}}, "Successful", ""),
    ((20, 5, 0), (500, 0, 0), {}, "Inconclusive", "the canary had 20 requests in the window, and 100 are needed"),
    ((20, 15, 0), (500, 0, 0), {"minimumSample": 20}, "Failed", "75.00% of the canary's requests fail"),
    ((500, 0, 0), (9, 0, 0), {}, "Inconclusive", "the stable version had 9 requests"),
]


@pytest.mark.parametrize(("canary", "stable", "settings", "phase", "message"), COMPARED)
async def test_the_comparison_with_the_stable_version(canary, stable, settings, phase, message) -> None:
    async with serving() as served, asked() as given:
        served.answer = mesh(canary, stable)
        base = {"canary": "c1", "stable": "s1", "address": served.url, "window": "30s", "service": "web"}
        reading = await read("plugin", {"drumroll.dev/comparison": {**base, **settings}}, given)
        assert (reading.error, reading.phase) == ("", phase)
        assert reading.message.startswith(message)
        assert reading.result["requests"] == {"canary": canary[0], "stable": stable[0]}
        queries = [request.query["query"] for request in served.requests]
        assert {query[query.index("{") :].rstrip(")") for query in queries} == {
            f'{{namespace="default",revision="{revision}",service="web"}}[30s]' for revision in ("c1", "s1")
        }


async def test_the_comparison_may_ask_another_mesh() -> None:
    async with serving() as served, asked() as given:
        served.answer = mesh((500, 25, 0), (500, 0, 0))
        queries = {
            "requests": 'istio_requests_total{version="$revision"}[$window]',
            "errors": 'istio_requests_total{version="$revision",errors="yes"}[$window]',
        }
        base = {"canary": "c1", "stable": "s1", "address": served.url, "queries": queries}
        reading = await read("plugin", {"drumroll.dev/comparison": {**base, "latency": False}}, given)
        assert (reading.error, reading.phase) == ("", "Failed")
        assert {request.query["query"] for request in served.requests} == {
            text.replace("$revision", revision).replace("$window", "60s")
            for text in queries.values()
            for revision in ("c1", "s1")
        }
        lacking = await read("plugin", {"drumroll.dev/comparison": base}, given)
        assert lacking.error == "queries.buckets is missing; set latency: false to leave it out"


COMPARISON_FAULTS = [
    ({"stable": "s"}, "canary is missing: the pod template hash of that version"),
    ({"canary": "s", "stable": "s"}, "canary and stable are the same version, s"),
    ({"canary": "c", "stable": "s", "windw": "1m"}, "there is no field windw; there are address, canary"),
    ({"canary": "c", "stable": "s", "window": "x"}, "window: time: invalid duration"),
    ({"canary": "c", "stable": "s", "level": 3}, "level must be from 1e-09 to 0.5, not 3"),
    ({"canary": "c", "stable": "s", "queries": {"errors": "x"}}, "queries must be a map with requests"),
    ({"canary": "c", "stable": "s", "errors": "no"}, "errors must be a map, or false to leave it out"),
]


@pytest.mark.parametrize(("settings", "message"), COMPARISON_FAULTS)
async def test_the_comparison_says_what_is_wrong(settings, message) -> None:
    async with asked() as given:
        reading = await read("plugin", {"drumroll.dev/comparison": settings}, given)
        assert reading.error.startswith(message)
