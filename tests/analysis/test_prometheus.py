"""The prometheus provider against Debian's Prometheus: what it answers is read as it means it."""

import pytest

from tests.analysis.bench import asked
from tests.analysis.test_providers import read
from tests.domain.promql import prometheus

pytestmark = [pytest.mark.asyncio, prometheus.NEEDED, pytest.mark.slow]


async def test_a_real_prometheus_is_understood(tmp_path) -> None:
    with prometheus.running_prometheus(tmp_path) as port:
        async with asked() as given:

            async def value(query, **settings):
                address = f"http://127.0.0.1:{port}"
                return await read("prometheus", {"address": address, "query": query, **settings}, given)

            assert (await value("vector(0.5)")).value == "[0.5]"
            assert (await value("1 + 1")).result == 2.0
            assert (await value("vector(1e-7)")).value == "[0.0000001]"
            assert (await value("vector(1) / 0")).value == "[+Inf]"
            assert (await value("0 * vector(1) / 0")).value == "[NaN]"
            assert (await value("nothing_here")).result == []
            wanted = {"start": 'now() - duration("2m")', "end": "now()", "step": "1m"}
            assert (await value("vector(3)", rangeQuery=wanted)).result == [3.0, 3.0, 3.0]
            assert (await value("sum(")).error.startswith("bad_data: ")
            assert "Prometheus metric type not supported" in (await value('"text"')).error
