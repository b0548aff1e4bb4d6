"""Values as the query API writes them."""

import math

from drumroll.domain.promql.values import Labels, Points, Sample


def number(value: float) -> str:
    """The shortest text that reads back as the same number, as Go writes it with the format `f`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 2**53:
        return ("-" if math.copysign(1, value) < 0 else "") + str(abs(int(value)))
    return _plain(value)


def json_number(value: float) -> str:
    """The same, with an exponent for very small and very large ones."""
    if value == 0 or not math.isfinite(value) or 1e-6 <= abs(value) < 1e21:
        return number(value)
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:  # never below 1e-6: Python uses exponents from 1e-5 down
        return mantissa
    if mantissa.endswith(".0"):
        mantissa = mantissa[:-2]
    return f"{mantissa}e{int(exponent):+03d}"


def _plain(value: float) -> str:
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa.removesuffix(".0")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = "" if fraction == "0" else fraction
    shift = int(exponent)
    digits = whole + fraction
    if shift < 0:
        return f"{sign}0.{'0' * (-shift - 1)}{digits}"
    return f"{sign}{digits}{'0' * (shift - len(fraction))}"


def seconds(at: int) -> float | int:
    """A time in ms as JSON has it: seconds, with a fraction only where there is one."""
    return at // 1000 if at % 1000 == 0 else at / 1000


def pair(at: int, value: float) -> list[object]:
    """`[seconds, "value"]`."""
    return [seconds(at), json_number(value)]


def sample(at: int, element: Sample) -> dict[str, object]:
    """An element of an instant vector."""
    return {"metric": dict(element.labels), "value": pair(at, element.value)}


def points(labels: Labels, times: list[int], values: list[float]) -> dict[str, object]:
    """An element of a matrix."""
    return {"metric": dict(labels), "values": [pair(at, value) for at, value in zip(times, values, strict=True)]}


def window(element: Points) -> dict[str, object]:
    """An element of a range vector."""
    return points(element.labels, element.times, element.values)
