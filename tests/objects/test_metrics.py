"""Figures come out in the format that Prometheus reads; checked by a parser of our own that knows its rules."""

import re

import pytest

from drumroll.objects import metrics as module
from drumroll.objects.metrics import Metrics


def read(metrics: Metrics) -> dict[str, float]:
    """Series to value; every line must be a comment or a sample."""
    found = {}
    for line in metrics.text().decode().splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            continue
        match = re.fullmatch(
            r'([a-z_]+(?:\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})?) (\S+)', line
        )
        assert match, line
        assert match[1] not in found, line
        found[match[1]] = float(match[2])
    return found


def test_counters_and_gauges_come_out_by_label():
    metrics = Metrics()
    counter = metrics.counter("things_total", "Things.", "verb", "code")
    counter.add(("GET", "200"))
    counter.add(("GET", "200"), 2)
    counter.add(('a"b\\c\nd', ""))
    metrics.gauge("depth", "Depth.", "name").follow(lambda: 7, ("x",))
    metrics.gauge("parts", "Parts.", "name", read=lambda: [(("y",), 0.25)])
    assert read(metrics) == {
        'things_total{verb="GET",code="200"}': 3,
        'things_total{verb="a\\"b\\\\c\\nd",code=""}': 1,
        'depth{name="x"}': 7,
        'parts{name="y"}': 0.25,
    }


def test_buckets_add_up():
    metrics = Metrics()
    histogram = metrics.histogram("took_seconds", "Time.", bounds=(0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 3):
        histogram.observe(value)
    assert read(metrics) == {
        'took_seconds_bucket{le="0.1"}': 2,
        'took_seconds_bucket{le="1"}': 3,
        'took_seconds_bucket{le="+Inf"}': 4,
        "took_seconds_sum": 3.65,
        "took_seconds_count": 4,
    }


def test_the_same_name_is_the_same_family_and_another_kind_is_refused():
    metrics = Metrics()
    metrics.counter("a_total", "A.").add()
    metrics.counter("a_total", "A.").add()
    assert read(metrics) == {"a_total": 2}
    with pytest.raises(AssertionError):
        metrics.gauge("a_total", "A.")


def test_no_client_can_make_a_family_grow_without_end(monkeypatch):
    monkeypatch.setattr(module, "MOST_SERIES", 3)
    metrics = Metrics()
    counter, histogram = metrics.counter("a_total", "A.", "x"), metrics.histogram("b_seconds", "B.", "x", bounds=(1,))
    for n in range(10):
        counter.add((str(n),))
        histogram.observe(0.5, (str(n),))
    assert read(metrics)['a_total{x=""}'] == 7
    assert read(metrics)['b_seconds_count{x=""}'] == 7
