"""Durations as Gateway API writes them: `1h`, `1m30s`, `250ms`. Source: GEP-2257."""

import re

_WHOLE = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
_PART = re.compile(r"([0-9]{1,5})(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds_of(text: str) -> float:
    """The duration in seconds. Raises ValueError when it is none."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no duration such as 10s, 250ms or 1m30s")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
