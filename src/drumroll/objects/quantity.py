"""Kubernetes quantities ("500m", "1Gi") as exact decimals. Source: apimachinery pkg/api/resource/quantity.go."""

import re
from decimal import ROUND_CEILING, Decimal
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
        return number.scaleb(int(suffix[1:]))
    return number * _DECIMAL[suffix]


def milli(text: str | int | float) -> int:
    """Thousandths, rounded up: "250m" is 250, "1" is 1000."""
    return int((parse_quantity(text) * 1000).to_integral_value(ROUND_CEILING))


def whole(text: str | int | float) -> int:
    """Whole units, rounded up: "1Ki" is 1024."""
    return int(parse_quantity(text).to_integral_value(ROUND_CEILING))


@lru_cache(maxsize=4096)
def canonical(text: str | int | float) -> str:
    """The quantity as the original prints it: "0.1" is "100m", "1024Mi" is "1Gi", "1.5" is "1500m".

    Raises ValueError when the text is no quantity. Source: apimachinery pkg/api/resource/quantity.go CanonicalizeBytes.
    """
    value = parse_quantity(text)
    suffix = str(text).lstrip("+-.0123456789")
    value = value.quantize(Decimal("1e-9"), ROUND_CEILING) if value % Decimal("1e-9") else value
    if value == 0:
        return "0"
    if suffix in _BINARY and abs(value) >= 1024 and value == value.to_integral_value():
        number, power = int(value), 0
        while number % 1024 == 0:
            number, power = number // 1024, power + 1
        return f"{number}{('', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei')[power]}"
    sign, digits, exponent = value.normalize().as_tuple()
    shift = int(exponent) // 3 * 3
    mantissa = int("".join(map(str, digits))) * 10 ** (int(exponent) - shift)
    exponential = suffix[:1] in ("e", "E") and len(suffix) > 1
    unit = (f"e{shift}" if shift else "") if exponential else _DECIMAL_UNITS.get(shift, f"e{shift}")
    return f"{'-' if sign else ''}{mantissa}{unit}"


_DECIMAL_UNITS = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
