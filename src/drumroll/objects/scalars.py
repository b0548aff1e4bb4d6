"""Quantities, times and bytes, checked and brought into the original's canonical form."""

import binascii
import re
from datetime import UTC, datetime
from functools import lru_cache

from drumroll.objects.quantity import canonical

_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$")


def canonical_quantity(text: str) -> str:
    """The quantity as the original prints it: 0.5 is "500m", 1024Mi is "1Gi". Raises ValueError when it is none."""
    return canonical(text)


def format_time(moment: datetime) -> str:
    """A moment in UTC as metav1.Time prints it; the year always has four digits."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def format_micro_time(moment: datetime) -> str:
    """A moment in UTC as metav1.MicroTime prints it; the year always has four digits."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


@lru_cache(4096)
def canonical_time(text: str) -> str:
    """An RFC 3339 time in UTC and whole seconds, as metav1.Time prints. Raises ValueError in the original's words."""
    return format_time(_parse(text))


@lru_cache(4096)
def canonical_micro_time(text: str) -> str:
    """An RFC 3339 time in UTC and microseconds, as metav1.MicroTime prints. Raises ValueError."""
    return format_micro_time(_parse(text))


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
