"""Rules for the schedules of CronJobs, in the words of the original's parser (robfig/cron) for what it refuses."""

import re
from collections.abc import Iterator, Mapping

_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[int, int, Mapping[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_DURATION = re.compile(
    r"[-+]?(0|([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*"
)
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")


def schedule_faults(schedule: str, zone_was_inside: bool, time_zone: str | None) -> Iterator[str]:
    """What is wrong with a schedule. `zone_was_inside`: the stored one names a zone already, which is tolerated."""
    if fault := _syntax_fault(schedule):
        yield fault
    if "TZ" in schedule:
        if not zone_was_inside:
            yield "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        elif time_zone is not None:
            yield "cannot use both timeZone field and TZ or CRON_TZ in schedule"


def _syntax_fault(schedule: str) -> str:
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        zone, _, schedule = schedule.partition("=")[2].partition(" ")
        if not _is_zone(zone):
            return f"provided bad location {zone}: unknown time zone {zone}"
        schedule = schedule.strip()
    if schedule.startswith("@"):
        return _descriptor_fault(schedule)
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    for field, (least, most, names) in zip(fields, _FIELDS, strict=True):
        for expression in filter(None, field.split(",")):
            try:
                _check_range(expression, least, most, names)
            except ValueError as error:
                return str(error)
    return ""


def _descriptor_fault(descriptor: str) -> str:
    if descriptor in _DESCRIPTORS:
        return ""
    if not descriptor.startswith("@every "):
        return f"unrecognized descriptor: {descriptor}"
    duration = descriptor.removeprefix("@every ")
    if _DURATION.fullmatch(duration):
        return ""
    return f'failed to parse duration {descriptor}: time: invalid duration "{duration}"'


def _check_range(expression: str, least: int, most: int, names: Mapping[str, int]) -> None:
    """Nothing, when "a-b/step" lies within its bounds. Raises ValueError."""
    bounds, *steps = expression.split("/")
    first, *rest = bounds.split("-")
    if first in ("*", "?"):
        start, end = least, most
    else:
        start = end = _number(first, names)
        if len(rest) == 1:
            end = _number(rest[0], names)
        elif rest:
            raise ValueError(f"too many hyphens: {expression}")
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {expression}")
    step = _number(steps[0], {}) if steps else 1
    if steps and not rest:
        end = most
    if start < least:
        raise ValueError(f"beginning of range ({start}) below minimum ({least}): {expression}")
    if end > most:
        raise ValueError(f"end of range ({end}) above maximum ({most}): {expression}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {expression}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {expression}")


def _number(text: str, names: Mapping[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"[-+]?[0-9]+", text):
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def zone_faults(zone: str) -> Iterator[str]:
    """What is wrong with the name of a time zone."""
    if not zone:
        yield "timeZone must be nil or non-empty string"
        return
    parts = zone.split("/")
    if any(part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part) for part in parts):
        yield f"unknown time zone {zone}"
        return
    if zone.lower() == "local":
        yield "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
    elif not _is_zone(zone):
        yield f"unknown time zone {zone}"


def _is_zone(zone: str) -> bool:
    """Whether the zone is known; where no time zones are installed, every name is taken as one."""
    from zoneinfo import ZoneInfo, available_timezones

    if zone in ("UTC", "Local", ""):
        return True
    try:
        ZoneInfo(zone)
    except (ValueError, KeyError, OSError):
        return not available_timezones()
    return True
