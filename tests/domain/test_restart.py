"""Restart back-off (semantics 4.2)."""

from datetime import UTC, datetime, timedelta

import pytest

from drumroll.domain.restart import BackOff, advance, back_off, wants_restart

START = datetime(2026, 1, 1, tzinfo=UTC)


def delays(n, ran_for=timedelta(seconds=1)):
    """The delay before each of n restarts of a program that runs `ran_for` each time."""
    entry, now, found = None, START, []
    for _ in range(n):
        finished = now + ran_for
        restart = back_off(entry, finished)
        found.append((restart.at - finished).total_seconds())
        now = restart.at
        entry = advance(entry, finished, now)
    return found


def test_delays_double_from_ten_seconds_to_five_minutes():
    assert delays(9) == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_ten_minutes_of_work_forget_the_past():
    assert delays(3, timedelta(seconds=601)) == [0, 0, 0]


def test_a_little_less_does_not():
    assert delays(3, timedelta(seconds=599)) == [0, 10, 20]


def test_ten_minutes_count_from_the_last_restart_and_only_what_is_more_forgets():
    entry = BackOff(timedelta(seconds=40), START)
    for seconds, delay in ((600, 40), (601, 0)):
        finished = START + timedelta(seconds=seconds)
        assert back_off(entry, finished).delay == timedelta(seconds=delay)
        assert advance(entry, finished, finished).delay == timedelta(seconds=2 * delay or 10)


@pytest.mark.parametrize(
    ("policy", "code", "expected"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_restart_policy(policy, code, expected):
    assert wants_restart(policy, code) is expected
