"""The comparison of a canary with the stable version: known values of its tests, and how often it cries wolf."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.analysis.comparison import (
    Side,
    Terms,
    compare,
    from_cumulative,
    more_errors,
    quantile,
    slower,
    spent,
)


def test_fishers_exact_test_is_that_of_the_books() -> None:
    # the lady tasting tea: 3 of 4 and 1 of 4, one-sided p = 17/70
    assert more_errors(Side(4, 3), Side(4, 1), 0.0) == pytest.approx(17 / 70)
    assert more_errors(Side(10, 0), Side(10, 0), 0.0) == pytest.approx(1.0)


def test_the_test_of_two_proportions_is_that_of_the_books() -> None:
    # pooled p = 0.06, z = 0.04 / sqrt(0.06 * 0.94 * (1/500 + 1/500)) = 2.663
    assert more_errors(Side(500, 40), Side(500, 20), 0.0) == pytest.approx(0.003872, abs=1e-5)
    assert more_errors(Side(500, 20), Side(500, 40), 0.0) == pytest.approx(1 - 0.003872, abs=1e-5)
    assert more_errors(Side(500, 40), Side(500, 20), 0.04) == pytest.approx(0.5, abs=0.02)


def test_mann_whitney_is_that_of_the_books() -> None:
    # without ties: ranks of x are 4, 5, 6 of 6: U = 9, mean 4.5, variance 9/12*7 = 5.25
    apart = {1.0: 1, 2.0: 1, 3.0: 1}, {4.0: 1, 5.0: 1, 6.0: 1}
    assert slower(apart[1], apart[0]) == pytest.approx(0.5 * math.erfc(4.5 / math.sqrt(5.25) / math.sqrt(2)))
    assert slower(apart[0], apart[1]) > 0.97
    assert slower({1.0: 9}, {1.0: 4}) == 1.0
    assert slower({}, {1.0: 4}) == 1.0


QUANTILES = [
    ({0.1: 10}, 0.5, 0.05),
    ({0.1: 5, 0.2: 5}, 0.5, 0.1),
    ({0.1: 5, 0.2: 5}, 0.75, 0.15),
    ({0.1: 5, math.inf: 5}, 0.9, 0.1),
    ({}, 0.9, 0.0),
    ({0.1: 0, math.inf: 0}, 0.9, 0.0),
]


@pytest.mark.parametrize(("buckets", "share", "seconds"), QUANTILES)
def test_quantiles_are_between_the_bounds(buckets, share, seconds) -> None:
    assert quantile(buckets, share) == pytest.approx(seconds)


def test_cumulative_counts_become_counts_per_bucket() -> None:
    assert from_cumulative([(0.5, 7.2), (0.1, 3.1), (math.inf, 7.2)]) == {0.1: 3, 0.5: 4, math.inf: 0}


counts = st.integers(0, 400)


@given(counts, counts, st.integers(1, 400), st.integers(1, 400))
def test_more_errors_are_never_less_alarming(first, second, n, m) -> None:
    stable = Side(m, min(second, m))
    chances = [more_errors(Side(n, errors), stable, 0.0) for errors in (min(first, n), min(first + 1, n))]
    assert 0 <= chances[1] <= chances[0] + 0.05  # exact test and approximation meet somewhere
    assert 0 <= chances[0] <= 1


BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


def side(chance, n, error_rate, factor):
    buckets = dict.fromkeys((*BOUNDS, math.inf), 0)
    for _ in range(n):
        seconds = chance.lognormvariate(-3.0, 0.6) * factor
        buckets[next((bound for bound in BOUNDS if seconds <= bound), math.inf)] += 1
    return Side(n, sum(chance.random() < error_rate for _ in range(n)), buckets)


def test_looking_again_and_again_alarms_no_more_runs_than_the_level_says() -> None:
    chance = random.Random(7)
    strict = Terms(level=0.05, error_increase=0.0, latency_increase=0.0)

    def is_alarmed() -> bool:
        return any(
            compare(side(chance, 100, 0.03, 1), side(chance, 200, 0.03, 1), strict, look).phase == "Failed"
            for look in range(1, 16)
        )

    alarmed = sum(is_alarmed() for _ in range(120))
    assert alarmed <= 13  # 6 expected at most; more than 13 of 120 at 5 % have a chance of 0.3 %


def test_a_version_that_is_broken_or_slow_is_found_at_once() -> None:
    chance = random.Random(7)
    stable = [side(chance, 1500, 0.02, 1) for _ in range(30)]
    assert {compare(side(chance, 300, 0.12, 1), one, Terms()).phase for one in stable} == {"Failed"}
    assert {compare(side(chance, 300, 0.02, 2.5), one, Terms()).phase for one in stable} == {"Failed"}
    assert {compare(side(chance, 300, 0.25, 1), one, Terms(), look=100).phase for one in stable} == {"Failed"}


def test_all_looks_together_spend_the_level_and_no_more() -> None:
    both, one = Terms(level=0.05), Terms(level=0.05, latency_increase=None)
    assert 0.049 < sum(spent(one, look) for look in range(1, 1000)) < 0.05
    assert spent(both, 1) == spent(one, 1) / 2
