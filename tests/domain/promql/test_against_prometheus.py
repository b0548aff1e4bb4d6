"""The same questions to a real Prometheus and to ours, about the same samples."""

import math

import pytest

from drumroll.domain.promql.api import answer
from tests.domain.promql import prometheus
from tests.domain.promql.queries import FAILING, INSTANT, WRONG
from tests.domain.promql.random_queries import random_queries
from tests.domain.promql.series import BASE, Fixed, as_openmetrics, everything

pytestmark = prometheus.NEEDED

OURS = Fixed(everything())
MOMENTS = (BASE + 47_000, BASE + 330_000, BASE + 610_250, BASE + 900_000)
IN_ORDER = ("sort", "topk", "bottomk")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    prometheus.fill(folder, as_openmetrics(everything()))
    with prometheus.running_prometheus(folder) as port:
        yield lambda path, **asked: prometheus.ask(port, f"/api/v1/{path}", **asked)


def ours(path, **parameters):
    return answer(path, {name: [str(value)] for name, value in parameters.items()}, OURS, BASE)


def alike(mine, others):
    """True when two numbers as text differ by no more than the order of additions explains."""
    if mine == others:
        return True
    a, b = float(mine), float(others)
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def same(mine, others, *, ordered):
    assert mine["resultType"] == others["resultType"]
    if mine["resultType"] in {"scalar", "string"}:
        return mine["result"][0] == others["result"][0] and (
            mine["result"][1] == others["result"][1] or alike(mine["result"][1], others["result"][1])
        )

    def listed(data):
        return data["result"] if ordered else sorted(data["result"], key=lambda e: sorted(e["metric"].items()))

    pairs = list(zip(listed(mine), listed(others), strict=True))
    return all(a["metric"] == b["metric"] and _same_values(a, b) for a, b in pairs)


def _same_values(mine, others):
    a = mine.get("values") or [mine["value"]]
    b = others.get("values") or [others["value"]]
    return len(a) == len(b) and all(x[0] == y[0] and alike(x[1], y[1]) for x, y in zip(a, b, strict=True))


def test_enough_queries():
    assert len(INSTANT) >= 150


@pytest.mark.parametrize("query", INSTANT)
def test_instant_queries(theirs, query):
    for moment in MOMENTS:
        status, wanted = theirs("query", query=query, time=moment / 1000)
        assert status == 200, wanted
        mine_status, mine = ours("query", query=query, time=moment / 1000)
        assert mine_status == 200, mine
        assert same(mine["data"], wanted["data"], ordered=query.startswith(IN_ORDER) and "by" not in query), (
            moment - BASE,
            mine["data"],
            wanted["data"],
        )


@pytest.mark.parametrize("query", [q for q in INSTANT if not q.startswith(("'", '"', "topk", "bottomk"))])
def test_range_queries(theirs, query):
    for step in (15, 47.5):
        asked = {"query": query, "start": BASE / 1000 - 30, "end": BASE / 1000 + 1300, "step": step}
        status, wanted = theirs("query_range", **asked)
        assert status == 200, wanted
        mine_status, mine = ours("query_range", **asked)
        assert mine_status == 200, mine
        assert same(mine["data"], wanted["data"], ordered=True), (mine["data"], wanted["data"])


def test_whatever_is_asked(theirs):
    for query in random_queries(seed=7, count=400):
        moment = MOMENTS[len(query) % len(MOMENTS)]
        status, wanted = theirs("query", query=query, time=moment / 1000)
        mine_status, mine = ours("query", query=query, time=moment / 1000)
        assert mine_status == status, (query, mine, wanted)
        if status == 200:
            assert same(mine["data"], wanted["data"], ordered=False), (query, mine["data"], wanted["data"])


@pytest.mark.parametrize("query", FAILING)
def test_what_fails_in_execution(theirs, query):
    status, wanted = theirs("query", query=query, time=MOMENTS[1] / 1000)
    mine_status, mine = ours("query", query=query, time=MOMENTS[1] / 1000)
    assert (mine_status, mine["errorType"]) == (status, wanted["errorType"]), (mine, wanted)
    if "found duplicate series" in wanted["error"]:  # which two of them it names is a matter of order
        assert mine["error"].split(":")[0][:50] == wanted["error"].split(":")[0][:50]
    else:
        assert mine["error"] == wanted["error"]


@pytest.mark.parametrize("query", WRONG)
def test_what_is_no_query(theirs, query):
    status, wanted = theirs("query", query=query, time=BASE / 1000)
    mine_status, mine = ours("query", query=query, time=BASE / 1000)
    assert (mine_status, mine["errorType"]) == (status, wanted["errorType"]), (mine, wanted)
    assert mine["error"] == wanted["error"]
