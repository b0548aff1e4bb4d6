"""Canonical forms of quantities, times and bytes, as a stock API server answers them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.objects.gotext import go_value
from drumroll.objects.quantity import parse_quantity
from drumroll.objects.scalars import canonical_micro_time, canonical_quantity, canonical_time, check_base64


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"), ("1", "1"), ("0.5", "500m"), ("1500m", "1500m"), ("1000m", "1"), ("1.5", "1500m"), ("100m", "100m"),
        ("1000", "1k"), ("1200", "1200"), ("100000", "100k"), ("1M", "1M"), ("0.1", "100m"), (".5", "500m"),
        ("1024Mi", "1Gi"), ("64Mi", "64Mi"), ("1.5Gi", "1536Mi"), ("0.5Ki", "512"), ("0Mi", "0"), ("1000Mi", "1000Mi"),
        ("1e3", "1e3"), ("12E2", "1200"), ("-5", "-5"), ("0.0000000001", "1n"), ("128974848", "128974848"), ("+1", "1"),
    ],
)  # fmt: skip
def test_quantity_is_printed_as_the_original_prints_it(text: str, canonical: str):
    assert canonical_quantity(text) == canonical


NUMBERS = st.tuples(st.integers(0, 10**6), st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi"]))


@given(NUMBERS)
def test_canonical_quantity_keeps_its_value_and_is_stable(number: tuple[int, str]):
    text = f"{number[0]}{number[1]}"
    canonical = canonical_quantity(text)
    assert parse_quantity(canonical) == parse_quantity(text)
    assert canonical_quantity(canonical) == canonical


@pytest.mark.parametrize("text", ["", "x", "1x", "1 ", "1mi", "--1", "1ee3", "Infinity", "NaN"])
def test_what_is_no_quantity_is_refused(text: str):
    with pytest.raises(ValueError, match="quantities must match"):
        canonical_quantity(text)


def test_times_become_utc():
    assert canonical_time("2026-01-01T01:30:00+01:30") == "2026-01-01T00:00:00Z"
    assert canonical_time("2026-01-01T00:00:00.999999999Z") == "2026-01-01T00:00:00Z"
    assert canonical_micro_time("2026-01-01T00:00:00.123456Z") == "2026-01-01T00:00:00.123456Z"


@pytest.mark.parametrize("text", ["", "now", "2026-13-01T00:00:00Z", "2026-01-01", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(ValueError, match="parsing time"):
        canonical_time(text)


@pytest.mark.parametrize(("text", "good"), [("", True), ("Yg==", True), ("Yg=", False), ("Yg==!", False), ("é", False)])
def test_base64_is_checked(text: str, good: bool):
    if good:
        assert check_base64(text) == text
    else:
        with pytest.raises(ValueError, match="illegal base64 data"):
            check_base64(text)


def test_values_are_printed_as_go_prints_them():
    assert go_value({"b": [1, "x", None], "a": {"c": True}}) == "map[a:map[c:true] b:[1 x <nil>]]"
