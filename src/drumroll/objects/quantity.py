"""Kubernetes quantities ("500m", "1Gi") as exact decimals. Source: apimachinery pkg/api/resource/quantity.go."""

import re
from decimal import ROUND_CEILING, ROUND_UP, Context, Decimal
from functools import lru_cache

_SHAPE = re.compile(r"^([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)([KMGTPE]i|[numkMGTPE]?|[eE][+-]?[0-9]+)$")
_BINARY = {f"{letter}i": Decimal(1024) ** (n + 1) for n, letter in enumerate("KMGTPE")}
_DECIMAL = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal("1e3"),
    "M": Decimal("1e6"), "G": Decimal("1e9"), "T": Decimal("1e12"), "P": Decimal("1e15"), "E": Decimal("1e18"),
}  # fmt: skip


def parse_quantity(text: str | int | float) -> Decimal:
    """The exact value. Raises ValueError when the text is no quantity."""
    match = _SHAPE.match(str(text))
    if match is None:
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    number, suffix = Decimal(match[1]), match[2]
    if suffix in _BINARY:
        return number * _BINARY[suffix]
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        if len(suffix) > 4:  # beyond what the original can hold, and what we want to compute with
            raise ValueError("unable to parse quantity's suffix")
        return number.scaleb(int(suffix[1:]))
    return number * _DECIMAL[suffix]


def milli(text: str | int | float) -> int:
    """Thousandths, rounded up: "250m" is 250, "1" is 1000."""
    return int((parse_quantity(text) * 1000).to_integral_value(ROUND_CEILING))


def whole(text: str | int | float) -> int:
    """Whole units, rounded up: "1Ki" is 1024."""
    return int(parse_quantity(text).to_integral_value(ROUND_CEILING))


_EXACT = Context(prec=100)
_DECIMAL_UNITS = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}


@lru_cache(maxsize=4096)
def canonical(text: str | int | float) -> str:
    """The quantity as the original prints it: "0.1" is "100m", "1024Mi" is "1Gi", "0.1Gi" is "107374182400m".

    What is finer than a billionth is rounded up. Raises ValueError when the text is no quantity.
    Source: apimachinery pkg/api/resource/quantity.go CanonicalizeBytes.
    """
    value, suffix = parse_quantity(text), str(text).lstrip("+-.0123456789")
    if value == 0:
        return "0"
    if abs(value.adjusted()) > 60:
        raise ValueError("unable to parse quantity's suffix")
    value = value.quantize(Decimal("1e-9"), ROUND_UP, _EXACT)
    if suffix in _BINARY and abs(value) >= 1024 and value == value.to_integral_value():
        number, power = int(value), 0
        while number % 1024 == 0 and power < 6:
            number, power = number // 1024, power + 1
        return f"{number}{('', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei')[power]}"
    sign, digits, exponent = value.normalize(_EXACT).as_tuple()
    exponential = len(suffix) > 1 and suffix[0] in "eE"
    shift = int(exponent) // 3 * 3 if exponential else min(int(exponent) // 3 * 3, 18)
    mantissa = int("".join(map(str, digits))) * 10 ** (int(exponent) - shift)
    unit = _exponent(shift) if exponential else _DECIMAL_UNITS[shift]
    return f"{'-' if sign else ''}{mantissa}{unit}"


def _exponent(shift: int) -> str:
    return f"e{shift}" if shift else ""
