"""A/B tests: the level holds under continuous looking, ends come for the right reasons, users stay where they are."""

import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.abtest.assignment import Split, promoted, sends_to, with_test, without_test
from drumroll.domain.abtest.sequential import Sample, conversions, is_enough, is_lopsided, look
from drumroll.domain.abtest.verdict import Terms, judge

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(seed: int, control: float, treatment: float, terms: Terms, users: int = 4000, step: int = 10) -> tuple:
    """One test, looked at after every ten users; its outcome, the users it took and its last p-value."""
    rng, counts, converted, p_value = random.Random(seed), [0, 0], [0, 0], 1.0
    for number in range(1, users + 1):
        side = int(rng.random() < terms.share)
        counts[side] += 1
        converted[side] += rng.random() < (control, treatment)[side]
        if number % step == 0:
            samples = [conversions(c, x) for c, x in zip(counts, converted, strict=True)]
            found = judge(terms, *samples, started=START, now=START, before=p_value)
            p_value = found.evidence.p_value if found.evidence else p_value
            if found.outcome != "Running":
                return found.outcome, number, p_value
    return "Running", users, p_value


@pytest.mark.parametrize(
    ("rate", "share", "minimum_effect"),
    [(0.01, 0.5, 0.005), (0.05, 0.5, 0.01), (0.05, 0.1, 0.01), (0.2, 0.5, 0.02), (0.5, 0.5, 0.05), (0.98, 0.5, 0.01)],
)
def test_false_alarms_stay_below_the_level_though_one_looks_after_every_ten_users(rate, share, minimum_effect):
    """400 tests with no effect at level 5 %: 20 expected at most, 33 is three standard deviations above."""
    terms = Terms(level=0.05, minimum_effect=minimum_effect, share=share)
    found = [run(seed, rate, rate, terms) for seed in range(400)]
    outcomes = Counter(outcome for outcome, _, _ in found)
    assert outcomes["Success"] + outcomes["Harm"] <= 33
    assert sum(p_value < 0.05 for _, _, p_value in found) <= 33
    assert outcomes["Broken"] <= 3


def test_a_fixed_test_looked_at_as_often_would_alarm_far_more_often():
    """The simulation can fail: the textbook's z-test, looked at after every ten users, is wrong in every third case."""
    alarms = 0
    for seed in range(200):
        rng, counts, converted = random.Random(seed), [0, 0], [0, 0]
        for number in range(1, 4001):
            side = rng.random() < 0.5
            counts[side] += 1
            converted[side] += rng.random() < 0.2
            if number % 10 == 0 and min(counts) >= 100:
                pooled = sum(converted) / number
                error = (pooled * (1 - pooled) * (1 / counts[0] + 1 / counts[1])) ** 0.5
                if abs(converted[1] / counts[1] - converted[0] / counts[0]) > 1.96 * error:
                    alarms += 1
                    break
    assert alarms > 40


def test_a_real_effect_is_found():
    terms = Terms(minimum_effect=0.04)
    found = Counter(run(seed, 0.1, 0.16, terms, users=8000)[0] for seed in range(60))
    assert found["Success"] >= 54
    assert found["Harm"] == 0


def test_harm_is_found_before_the_end():
    terms = Terms(minimum_effect=0.2)
    found = Counter(run(seed, 0.3, 0.1, terms)[0] for seed in range(60))
    assert found["Harm"] + found["Futility"] == 60
    assert found["Success"] == 0


@given(
    st.integers(100, 10_000), st.integers(100, 10_000), st.floats(0.01, 0.99), st.floats(0.01, 0.99),
    st.floats(0.001, 0.5),
)  # fmt: skip
def test_the_interval_excludes_nothing_exactly_when_the_p_value_is_not_below_the_level(n, m, p, q, scale):
    control, treatment = conversions(n, int(n * p)), conversions(m, int(m * q))
    found = look(control, treatment, level=0.05, scale=scale)
    assert found.low < found.effect < found.high
    if abs(found.p_value - 0.05) > 1e-9:
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)
    mirrored = look(treatment, control, level=0.05, scale=scale)
    assert mirrored.effect == pytest.approx(-found.effect)
    assert mirrored.low == pytest.approx(-found.high)


def test_evidence_once_seen_stays():
    found = look(conversions(1000, 100), conversions(1000, 100), level=0.05, scale=0.01, before=0.02)
    assert found.p_value == 0.02


@pytest.mark.parametrize(
    ("control", "treatment", "enough"),
    [
        (conversions(99, 50), conversions(1000, 50), False),
        (conversions(100, 10), conversions(100, 9), False),
        (conversions(100, 10), conversions(100, 10), True),
        (conversions(100, 95), conversions(100, 90), False),  # too few who did not convert
        (Sample(100, 12.0, 99.0), Sample(100, 1.0, 4.0), True),  # amounts, not yes or no
    ],
)
def test_what_is_enough_to_say_anything(control, treatment, enough):
    assert is_enough(control, treatment) is enough


def test_a_broken_split_is_noticed_and_a_fair_one_is_not():
    assert is_lopsided(600, 400, 0.5)
    assert not is_lopsided(520, 480, 0.5)
    assert not is_lopsided(60, 30, 0.5)
    assert not is_lopsided(9000, 1010, 0.1)
    assert is_lopsided(9000, 1500, 0.1)


@pytest.mark.parametrize(
    ("terms", "control", "treatment", "after", "outcome"),
    [
        (Terms(), conversions(10, 1), conversions(9, 1), 0, "Running"),
        (Terms(minimum_effect=0.05), conversions(2000, 200), conversions(2000, 330), 0, "Success"),
        (Terms(minimum_effect=0.05, higher_is_better=False), conversions(2000, 200), conversions(2000, 330), 0, "Harm"),
        (Terms(minimum_effect=0.05, higher_is_better=False), conversions(2000, 330), conversions(2000, 200), 0,
         "Success"),
        (Terms(minimum_effect=0.3), conversions(2000, 200), conversions(2000, 201), 0, "Futility"),
        (Terms(), conversions(2000, 200), conversions(2000, 210), 0, "Running"),
        (Terms(most_sample=4000), conversions(2000, 200), conversions(2000, 210), 0, "Inconclusive"),
        (Terms(most_time=timedelta(hours=1)), conversions(2000, 200), conversions(2000, 210), 3600, "Inconclusive"),
        (Terms(most_time=timedelta(hours=1)), conversions(0, 0), conversions(0, 0), 3600, "Inconclusive"),
        (Terms(), conversions(3000, 200), conversions(2000, 210), 0, "Broken"),
    ],
)  # fmt: skip
def test_how_tests_end(terms, control, treatment, after, outcome):
    found = judge(terms, control, treatment, started=START, now=START + timedelta(seconds=after))
    assert found.outcome == outcome
    assert found.message


@pytest.mark.parametrize(("count", "converted"), [(1, 2), (5, -1)])
def test_impossible_counts_are_refused(count, converted):
    with pytest.raises(ValueError, match="there cannot be"):
        conversions(count, converted)


SPLIT = Split("button", "web-a", "web-b", 20, "ab-button", 3600)
RULE = {
    "name": "shop",
    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
    "backendRefs": [{"name": "web-a", "port": 80}],
}
OTHER = {"backendRefs": [{"name": "api", "port": 80}]}


def test_the_rules_stand_in_front_and_the_users_own_stay_as_they_are():
    found = with_test([OTHER, RULE], SPLIT)
    assert [rule.get("name") for rule in found] == [
        None, "abtest-button-control-0", "abtest-button-treatment-0", "abtest-button-assign-0", "shop",
    ]  # fmt: skip
    assert found[0] is OTHER
    assert found[-1] is RULE
    assign = found[3]["backendRefs"]
    assert [(one["name"], one["port"], one["weight"]) for one in assign] == [("web-a", 80, 80), ("web-b", 80, 20)]
    cookies = [one["filters"][0]["responseHeaderModifier"]["add"][0]["value"] for one in assign]
    assert [cookie.split(";")[0] for cookie in cookies] == ["ab-button=control", "ab-button=treatment"]


@given(st.lists(st.sampled_from([RULE, OTHER]), max_size=5))
def test_putting_in_and_taking_out_are_inverse_and_repeatable(rules):
    once = with_test(rules, SPLIT)
    assert with_test(once, SPLIT) == once
    assert without_test(once, SPLIT.name) == rules
    assert sends_to(rules, "web-a") == (RULE in rules)


@pytest.mark.parametrize(
    ("cookie", "variant"),
    [
        ("ab-button=treatment", "treatment"),
        ("a=1; ab-button=control", "control"),
        ("a=1;ab-button=treatment; b=2", "treatment"),
        ("xab-button=treatment", None),
        ("ab-button=treatmentx", None),
        ("other=ab-button=control", None),
        ("", None),
    ],
)
def test_a_cookie_leads_where_it_says(cookie, variant):
    rules = with_test([RULE], SPLIT)
    matching = [
        rule["name"].split("-")[2]
        for rule in rules[:2]
        if re.fullmatch(rule["matches"][0]["headers"][0]["value"], cookie)
    ]
    assert matching == ([variant] if variant else [])


def test_a_success_sends_everybody_to_the_treatment():
    assert promoted(with_test([RULE, OTHER], SPLIT), SPLIT) == [
        {**RULE, "backendRefs": [{"name": "web-b", "port": 80}]}, OTHER,
    ]  # fmt: skip


def test_users_known_by_a_header_need_no_cookie():
    found = with_test([RULE], Split("button", "web-a", "web-b", 50, "", 0, header="x-user"))
    assert [rule["name"] for rule in found] == ["abtest-button-assign-0", "shop"]
    assert all("filters" not in backend for backend in found[0]["backendRefs"])
