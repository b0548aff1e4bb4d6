"""AnalysisRuns against a real API server: measured, assessed, ended, deleted, and resumed after a kill."""

import asyncio

import pytest
from aiohttp import web

from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import ANALYSIS_RUN
from tests.analysis.bench import Served, analysis_run, bench, eventually, secret, serving

pytestmark = pytest.mark.asyncio


def asking(served: Served, name: str = "m", **metric):
    settings = {"url": f"{served.url}/value", "jsonPath": "{$.value}"}
    return {"name": name, "successCondition": "result < 5", "provider": {"web": settings}, **metric}


async def test_a_good_run_succeeds_and_says_so() -> None:
    async with serving() as served, bench() as cluster:
        served.in_turn({"value": 1}, {"value": 2}, {"value": 4.5})
        await cluster.client.create(analysis_run(asking(served, interval="1s", count=3)))
        status = await cluster.ended()
        (result,) = status["metricResults"]
        assert (status["phase"], status["message"]) == ("Successful", "")
        assert (result["phase"], result["count"], result["successful"]) == ("Successful", 3, 3)
        assert [one["value"] for one in result["measurements"]] == ["1", "2", "4.5"]
        assert status["runSummary"] == {"count": 1, "successful": 1}
        assert await cluster.events("MetricSuccessful") == ["Metric 'm' Completed. Result: Successful"]
        assert await cluster.events("AnalysisRunSuccessful") == ["Analysis Completed. Result: Successful"]


async def test_a_failed_metric_ends_the_run_at_once() -> None:
    async with serving() as served, serving() as bad, bench() as cluster:
        served.always({"value": 1})
        bad.always({"value": 9})
        endless, failing = asking(served, "endless", interval="1s"), asking(bad, "failing")
        await cluster.client.create(analysis_run(endless, failing))
        status = await cluster.ended()
        assert (status["phase"], status["message"]) == (
            "Failed",
            'Metric "failing" assessed Failed due to failed (1) > failureLimit (0)',
        )
        assert {one["name"]: one["phase"] for one in status["metricResults"]} == {
            "endless": "Successful",
            "failing": "Failed",
        }


async def test_what_fails_a_run_is_not_kept_waiting_by_a_slow_provider() -> None:
    async with serving() as slow, serving() as bad, bench() as cluster:

        async def never(_: web.Request) -> web.Response:
            await asyncio.Event().wait()
            raise AssertionError

        slow.answer = never
        bad.always({"value": 9})
        hanging = asking(slow, "hanging")
        hanging["provider"]["web"]["timeoutSeconds"] = 3600
        await cluster.client.create(analysis_run(hanging, asking(bad, "failing")))
        status = await cluster.ended()
        assert [one["name"] for one in status["metricResults"]] == ["failing"]
        assert status["phase"] == "Failed"


async def test_errors_are_told_and_no_secret_with_them() -> None:
    async with serving() as served, bench() as cluster:
        served.always("no such token: hunter2", status=403)
        await cluster.client.create(secret("tokens", token="hunter2"))
        metric = asking(served, consecutiveErrorLimit=0)
        metric["provider"]["web"]["headers"] = [{"key": "Authorization", "value": "Bearer {{args.token}}"}]
        source = {"secretKeyRef": {"name": "tokens", "key": "token"}}
        await cluster.client.create(analysis_run(metric, args=[{"name": "token", "valueFrom": source}]))
        status = await cluster.ended()
        assert status["phase"] == "Error"
        assert served.requests[0].headers["Authorization"] == "Bearer hunter2"
        assert "received non 2xx response code: 403 no such token: *****" in status["message"]
        assert "hunter2" not in str(await cluster.run())


WRONG = [
    (analysis_run(), "Analysis spec invalid: no metrics specified"),
    (
        analysis_run({"name": "m", "provider": {}}),
        "Analysis spec invalid: metrics[0]: no provider specified",
    ),
    (
        analysis_run({"name": "m", "provider": {"web": {"url": "http://x/{{args.x}}"}}}),
        "Unable to resolve metric arguments: failed to resolve {{args.x}}",
    ),
    (
        analysis_run(
            {"name": "m", "provider": {"web": {"url": "http://{{args.x}}"}}},
            args=[{"name": "x", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}],
        ),
        'Unable to resolve metric arguments: secrets "gone" not found',
    ),
]


@pytest.mark.parametrize(("run", "message"), WRONG)
async def test_a_run_that_cannot_be_measured_says_why(run, message) -> None:
    async with bench() as cluster:
        await cluster.client.create(run)
        status = await cluster.ended()
        assert (status["phase"], status["message"]) == ("Error", message)
        assert await cluster.events("AnalysisRunError")


async def test_a_run_that_is_terminated_ends_well() -> None:
    async with serving() as served, bench() as cluster:
        served.always({"value": 1})
        await cluster.client.create(analysis_run(asking(served, interval="1h")))

        async def is_measured() -> bool:
            return bool(((await cluster.run()).get("status") or {}).get("metricResults"))

        await eventually(is_measured)
        await cluster.client.patch(ANALYSIS_RUN, "default", "run", {"spec": {"terminate": True}})
        status = await cluster.ended()
        assert (status["phase"], status["message"]) == ("Successful", "Run Terminated")
        assert len(served.requests) == 1


async def test_a_killed_controller_goes_on_where_it_was_and_counts_nothing_twice() -> None:
    async with serving() as served, bench() as cluster:
        asked, answer = asyncio.Event(), asyncio.Event()

        async def slow(_: web.Request) -> web.Response:
            asked.set()
            await answer.wait()
            return web.json_response({"value": 1})

        served.answer = slow
        await cluster.client.create(analysis_run(asking(served, interval="1s", count=2)))
        async with asyncio.timeout(30):
            await asked.wait()
        await cluster.stop()  # in the middle of the first measurement
        answer.set()
        cluster.start()

        async def is_once() -> bool:
            results = ((await cluster.run()).get("status") or {}).get("metricResults") or [{}]
            return bool(results[0].get("count"))

        await eventually(is_once)
        await cluster.stop()  # between two measurements
        cluster.start()
        (result,) = (await cluster.ended())["metricResults"]
        assert (result["count"], len(result["measurements"])) == (2, 2)


async def test_an_ended_run_is_deleted_when_its_time_is_over() -> None:
    async with serving() as served, bench() as cluster:
        served.always({"value": 1})
        await cluster.client.create(analysis_run(asking(served), ttlStrategy={"secondsAfterCompletion": 0}))

        async def is_gone() -> bool:
            try:
                await cluster.run()
            except NotFound:
                return True
            return False

        await eventually(is_gone)


async def test_a_dry_run_fails_without_consequence() -> None:
    async with serving() as served, bench() as cluster:
        served.always({"value": 9})
        await cluster.client.create(analysis_run(asking(served), dryRun=[{"metricName": ".*"}]))
        status = await cluster.ended()
        assert (status["phase"], status["dryRunSummary"]) == ("Successful", {"count": 1, "failed": 1})
