"""Quantities, times and bytes, checked and brought into the original's canonical form."""

import binascii
import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from drumroll.objects.quantity import parse_quantity

_BINARY_SUFFIXES = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL_SUFFIXES = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$")


@lru_cache(4096)
def canonical_quantity(text: str) -> str:
    """The quantity as the original prints it: 0.5 is "500m", 1024Mi is "1Gi". Raises ValueError when it is none.

    Source: apimachinery pkg/api/resource/quantity.go, CanonicalizeBytes.
    """
    value = parse_quantity(text)
    if text.endswith("i") and abs(value) >= 1024:
        whole = int(value.to_integral_value("ROUND_UP"))
        power = 0
        while whole % 1024 == 0 and power < 6:
            whole, power = whole // 1024, power + 1
        return f"{whole}{_BINARY_SUFFIXES[power]}"
    if value == 0:
        return "0"
    sign, digits, point = value.quantize(Decimal("1e-9"), "ROUND_UP").normalize().as_tuple()
    number, exponent = int("".join(map(str, digits))), int(point)
    rest = exponent % 3
    mantissa, power = number * 10**rest, exponent - rest
    if power > 18 and not re.search(r"[eE][+-]?\d+$", text):
        mantissa, power = mantissa * 10 ** (power - 18), 18
    suffix = _exponent_suffix(power) if re.search(r"[eE][+-]?\d+$", text) else _DECIMAL_SUFFIXES[power]
    return f"{'-' if sign else ''}{mantissa}{suffix}"


def _exponent_suffix(power: int) -> str:
    return f"e{power}" if power else ""


@lru_cache(4096)
def canonical_time(text: str) -> str:
    """An RFC 3339 time in UTC and whole seconds, as metav1.Time prints. Raises ValueError in the original's words."""
    return _parse(text).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(4096)
def canonical_micro_time(text: str) -> str:
    """An RFC 3339 time in UTC and microseconds, as metav1.MicroTime prints. Raises ValueError."""
    return _parse(text).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _parse(text: str) -> datetime:
    match = _TIME.match(text)
    if match is None:
        raise ValueError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"')
    try:
        fraction = (match[2] or ".0")[:7].ljust(7, "0")
        return datetime.fromisoformat(f"{match[1]}{fraction}{match[3]}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f'parsing time "{text}": {str(error).replace("must be in", "out of range")}') from error


def check_base64(text: str) -> str:
    """The text itself when it is standard base64. Raises ValueError in the original's words."""
    try:
        binascii.a2b_base64(text.replace("\n", "").replace("\r", ""), strict_mode=bool(text))
    except (binascii.Error, ValueError) as error:
        bad = re.search(r"[^A-Za-z0-9+/\r\n]", text)
        raise ValueError(f"illegal base64 data at input byte {bad.start() if bad else len(text)}") from error
    return text
