"""Durations as Go writes them: `1h30m`, `500ms`, `1.5s`."""

import re
from datetime import timedelta

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
LONGEST = 290 * 365 * 86400  # seconds: what Go's int64 of nanoseconds can hold


def parse_duration(text: str) -> timedelta:
    """The duration that a text names. Raises ValueError with a message like Go's."""
    rest = text[1:] if text[:1] in "+-" and text else text
    if rest == "0":
        return timedelta()
    if not rest or _PART.sub("", rest):
        raise ValueError(f'time: invalid duration "{text}"' if text else 'time: invalid duration ""')
    seconds = sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(rest))
    if seconds > LONGEST:
        raise ValueError(f'time: invalid duration "{text}"')
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


def parse_seconds(value: str | int) -> timedelta:
    """Seconds as a number or numeral (`60`), or a duration as Go writes it (`1m`). Raises ValueError."""
    if isinstance(value, int):
        return timedelta(seconds=value)
    return timedelta(seconds=int(value)) if value.isascii() and value.isdigit() else parse_duration(value)
