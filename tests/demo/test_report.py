"""The report says what happened, and fails when it should."""

import re

import pytest

from drumroll.demo.report import BAR, report, rows, verdict
from drumroll.demo.timeline import Limits, Timeline
from drumroll.load.ledger import Entry, Ledger
from tests.demo.worlds import START, good_facts, good_ledger, good_timeline, sample


def test_a_good_run_is_a_success_and_says_so():
    text = report(good_facts())
    assert verdict(good_facts()) == []
    assert "No request was lost: 600 sent, 0 failed." in text
    assert "FAILED" not in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_the_drawing_shows_pods_and_versions_at_their_time():
    lines = report(good_facts()).splitlines()
    first = next(line for line in lines if line.startswith("  0.00s"))
    assert "●●●●" in first
    assert "█" * BAR in first
    update = next(line for line in lines if "◄ update to 0.0.2" in line)
    assert update.lstrip().startswith("2.00s")
    assert "●●●·" in update
    assert "○○" in update
    mixed = next(line for line in lines if line.startswith("  3.50s"))
    assert abs(mixed.count("█") - BAR / 2) <= 1
    assert mixed.count("█") + mixed.count("░") == BAR
    last = next(line for line in lines if line.startswith("  5.75s"))
    assert "░" * BAR in last


def test_figures():
    text = report(good_facts())
    for figure in (
        "600 in 6.0 s (100/s): 400 new, 200 kept-alive",
        "p50 2.0 ms",
        "350 by 0.0.1, 250 by 0.0.2",
        "never below 3 pods (allowed: 3)",
        "never above 5 (allowed: 5)",
    ):
        assert figure in text


def test_a_failed_request_fails_the_run_and_is_named():
    ledger = good_ledger()
    ledger.add(Entry(2.1, "status", "new", 0.1, "failed", "reset"))
    facts = good_facts(ledger=ledger)
    assert verdict(facts) == ["1 requests failed: 1 new reset"]
    assert "FAILED" in report(facts)
    row = next(line for line in report(facts).splitlines() if line.startswith("  2.00s"))
    assert re.search(r" 1  ◄ update", row)


def test_a_cut_connection_does_not():
    ledger = good_ledger()
    ledger.add(Entry(2.1, "ws", "websocket", 0.1, "cut", "closed_1001"))
    facts = good_facts(ledger=ledger)
    assert verdict(facts) == []
    assert "1 long-lived" in report(facts)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (sample(3.5, (2, 2, 2, 0), (2, 2, 0, 0)), "2 available, want at least 3"),
        (sample(3.5, (3, 3, 3, 0), (3, 3, 0, 0)), "6 pods, want at most 5"),
    ],
)
def test_a_broken_bound_fails_the_run(bad, words):
    timeline = good_timeline()
    timeline.samples.insert(3, bad)
    assert words in " ".join(verdict(good_facts(timeline=timeline)))


def test_a_pod_too_many_fails_the_run_even_when_the_replica_sets_want_fewer():
    timeline = good_timeline()
    timeline.samples.insert(3, sample(3.985, (1, 2, 2, 0), (4, 4, 4, 0)))
    facts = good_facts(timeline=timeline)
    assert "6 pods, want at most 5" in " ".join(verdict(facts))
    assert "never above 6 (allowed: 5), those ending aside" in report(facts)


def test_nothing_sent_and_nothing_recorded_are_no_success():
    facts = good_facts(ledger=Ledger(START, 3.0), timeline=Timeline())
    reasons = " ".join(verdict(facts))
    assert "no request was sent" in reasons
    assert "nothing was recorded" in reasons
    assert "FAILED" in report(facts)


def test_other_problems_fail_the_run():
    assert verdict(good_facts(problems=("deployment storefront: only 1 of 4",))) == [
        "deployment storefront: only 1 of 4"
    ]


@pytest.mark.parametrize("seconds", [0.3, 6.0, 61.0, 1800.0])
def test_every_run_fits_a_page(seconds):
    slices = rows(good_ledger(seconds, rate=10))
    assert 1 <= len(slices) <= 29
    assert sum(sum(each.versions.values()) for each in slices) == int(seconds * 10)


def test_colour_only_when_asked():
    assert "\x1b[36m" in report(good_facts(), colour=True)


def test_other_limits_are_respected():
    assert verdict(good_facts(limits=Limits(4, 0, 1)))
