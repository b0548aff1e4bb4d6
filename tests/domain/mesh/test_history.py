"""A quarter of an hour of figures in little room."""

from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.mesh.history import History
from drumroll.domain.promql.evaluate import evaluate_at
from drumroll.domain.promql.nodes import Matcher
from drumroll.domain.promql.parser import parse
from drumroll.domain.promql.values import labels_from

STEP = 5000


def series(name, **labels):
    return labels_from({"__name__": name, **labels}.items())


UP, DOWN = series("x", way="up"), series("x", way="down")
ANY = [Matcher("__name__", "=", "x")]


def test_values_come_back_as_they_were():
    history = History()
    for step in range(20):
        history.record(step * STEP, [(UP, float(step))])
    (found,) = history.select(ANY)
    assert (found.labels, list(found.times), list(found.values)) == (
        UP,
        [n * STEP for n in range(20)],
        [float(n) for n in range(20)],
    )


def test_a_series_that_is_gone_is_stale_at_once():
    history = History()
    history.record(0, [(UP, 1.0), (DOWN, 2.0)])
    history.record(STEP, [(UP, 1.0)])
    history.record(2 * STEP, [(UP, 1.0)])
    assert [s.labels for s in evaluate_at(history, parse("x"), 2 * STEP)] == [UP]
    assert len(evaluate_at(history, parse("count_over_time(x[1m])"), 2 * STEP)) == 2
    history.record(3 * STEP, [(UP, 1.0), (DOWN, 3.0)])
    down = next(one for one in history.select(ANY) if one.labels == DOWN)
    assert list(down.values) == [2.0, None, None, 3.0]


def test_the_past_goes_and_so_do_its_series():
    history = History(retention_ms=60_000)
    history.record(0, [(UP, 1.0), (DOWN, 1.0)])
    for step in range(1, 100):
        history.record(step * STEP, [(UP, float(step))])
    (found,) = history.select(ANY)
    assert len(found.times) <= 60_000 // STEP + 12
    assert found.values[-1] == 99.0
    assert found.times[0] >= 99 * STEP - 60_000 - 10 * STEP


@given(st.lists(st.sets(st.sampled_from("abcde")), max_size=60), st.integers(1, 30))
def test_whatever_comes_and_goes_the_newest_values_are_right(steps, most):
    history = History(retention_ms=10**9, most_steps=most)
    for at, present in enumerate(steps):
        history.record(at, [], [(series("x", n=name), float(at)) for name in present])
    if steps:
        found = evaluate_at(history, parse("x"), len(steps) - 1)
        assert {dict(s.labels)["n"] for s in found} == steps[-1]
        for one in history.select(ANY):
            assert len(one.times) == len(one.values)
            assert all(v is None or v == at for at, v in zip(one.times, one.values, strict=True))


def test_what_a_counter_began_with_is_not_lost_to_a_rate():
    history = History()
    history.record(0, [(UP, 50.0)])  # the first look: who knows when those were
    history.record(STEP, [(UP, 50.0), (DOWN, 7.0)], [(series("g"), 3.0)])
    increase = evaluate_at(history, parse("increase(x[5s])"), STEP)
    assert {dict(s.labels)["way"]: s.value for s in increase} == {"up": 0.0, "down": 7.0}
    assert evaluate_at(history, parse("increase(g[5s])"), STEP) == []


def test_room_is_bounded_and_what_is_refused_is_counted():
    history = History(most_series=3)
    history.record(0, [(series("x", n=str(n)), 1.0) for n in range(5)])
    assert (len(history.select(ANY)), history.refused) == (3, 2)


def test_a_clock_that_goes_back_is_ignored():
    history = History()
    history.record(STEP, [(UP, 1.0)])
    history.record(0, [(UP, 2.0)])
    (found,) = history.select(ANY)
    assert list(found.values) == [1.0]
    assert history.newest() == STEP
