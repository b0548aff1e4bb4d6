"""The figures, from entries written by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.load.ledger import (
    Entry,
    Ledger,
    longest_gap,
    percentile,
    read_lines,
    summarize,
    timeline,
    write_lines,
)
from drumroll.load.plan import LoadPlan, Target, plan_from_json


def entry(at, latency=0.01, outcome="answered", reason="", version="0.0.1"):
    return Entry(at, "t", "new", latency, outcome, reason, version, "p")


@pytest.mark.parametrize(
    ("values", "fraction", "expected"),
    [([], 0.5, 0.0), ([7.0], 0.99, 7.0), ([1.0, 2.0], 0.5, 1.0), (list(range(1, 101)), 0.99, 99), ([1, 2, 3], 1.0, 3)],
)
def test_percentile_is_the_nearest_rank(values, fraction, expected):
    assert percentile(values, fraction) == expected


@given(st.lists(st.floats(0, 10), min_size=1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_at_least_that_fraction_does_not_exceed_the_percentile(values, fraction):
    found = percentile(sorted(values), fraction)
    assert found in values
    assert sum(value <= found for value in values) >= fraction * len(values)


@pytest.mark.parametrize(
    ("entries", "seconds", "gap"),
    [
        ([], 3.0, 3.0),
        ([entry(0.0), entry(1.0)], 1.5, 1.0),
        ([entry(2.0)], 2.5, 2.01),
        ([entry(0.0), entry(0.5, outcome="failed"), entry(0.9)], 1.0, 0.9),
        ([entry(0.0)], 4.01, 4.0),
    ],
)
def test_longest_gap_counts_answers_only_and_both_ends(entries, seconds, gap):
    assert longest_gap(entries, seconds) == pytest.approx(gap)


def test_summary_keeps_failed_and_cut_apart():
    ledger = Ledger(
        0.0,
        2.0,
        [
            entry(0.0),
            entry(0.1, version="0.0.2"),
            entry(0.2, outcome="failed", reason="reset"),
            entry(0.3, outcome="cut", reason="closed_1001"),
        ],
    )
    summary = summarize(ledger)
    assert (summary.sent, summary.answered, summary.failed, summary.cut) == (4, 2, 1, 1)
    assert summary.failures == {"new reset": 1}
    assert summary.versions == {"0.0.1": 1, "0.0.2": 1}
    assert summary.rate == 2.0


def test_timeline_has_every_slice_also_the_empty_ones():
    ledger = Ledger(0.0, 1.0, [entry(0.0), entry(0.7, version="0.0.2"), entry(0.6, outcome="failed", reason="reset")])
    slices = timeline(ledger, 0.25)
    assert [bucket.versions for bucket in slices] == [{"0.0.1": 1}, {}, {"0.0.2": 1}, {}, {}]
    assert [bucket.failed for bucket in slices] == [0, 0, 1, 0, 0]


def test_a_ledger_survives_its_text():
    ledger = Ledger(12.5, 2.0, [entry(0.0), entry(0.2, outcome="failed", reason="reset")])
    assert read_lines(write_lines(ledger)) == ledger


def test_a_plan_survives_its_json():
    target = Target("t", "http2", "127.0.0.1", 443, "/x", "store.test", True, 12.5, 3, (("a", "b"),), (200, 401))
    plan = LoadPlan((target,), seconds=3, labels={"step": "update"})
    assert plan_from_json(plan.to_json()) == plan


def test_a_plan_with_an_unknown_field_is_refused():
    with pytest.raises(TypeError, match="speed"):
        plan_from_json(b'{"targets":[{"name":"t","kind":"new","address":"a","port":1,"speed":3}]}')
