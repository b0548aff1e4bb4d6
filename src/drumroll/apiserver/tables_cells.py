"""What the printers of all kinds share: columns, ages, selectors, lists that are cut short."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from drumroll.objects.meta import Obj, parse_timestamp

Cell: TypeAlias = str | int
NONE, UNKNOWN = "<none>", "<unknown>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `wide` ones are shown by `-o wide` only; `type` and `format` are OpenAPI's."""

    name: str
    description: str
    type: str = "string"
    format: str = ""
    wide: bool = False

    def definition(self) -> Obj:
        """The column as the Table lists it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": int(self.wide),
        }


@dataclass(frozen=True, slots=True)
class Printer:
    """How a kind is printed: its columns, and the cells of one object at a moment, in the columns' order."""

    columns: Sequence[Column]
    cells: Callable[[Obj, datetime], Sequence[Cell]]
    conditions: Callable[[Obj], list[Obj]] | None = None


NAME = Column("Name", "Unique within a namespace among objects of the kind.", format="name")
AGE = Column("Age", "Time since the object was created.")


def age(obj: Obj, now: datetime) -> str:
    """The age of an object."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(moment: str | None, now: datetime) -> str:
    """Time since a timestamp as kubectl prints ages; <unknown> when there is none."""
    return human_duration(now - parse_timestamp(moment)) if moment else UNKNOWN


def human_duration(elapsed: timedelta) -> str:
    """A duration in at most two units: 119s, 2m, 9m59s, 10m, 7h59m, 47h, 7d23h, 729d, 2y.

    Clocks may differ by less than two seconds; beyond, a negative duration is <invalid>.
    Source: apimachinery pkg/util/duration/duration.go HumanDuration.
    """
    seconds = int(elapsed.total_seconds())
    if seconds < 120:
        return "<invalid>" if seconds < -1 else f"{max(seconds, 0)}s"
    minutes, hours = seconds // 60, seconds // 3600
    days = hours // 24
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 24 * 8:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def cut_short(items: Sequence[str], most: int, separator: str = ",") -> str:
    """The first `most` items, and how many more there are."""
    text = separator.join(items[:most])
    return f"{text} + {len(items) - most} more..." if len(items) > most else text


def format_labels(labels: Mapping[str, str] | None) -> str:
    """`a=1,b=2` in key order, or <none>."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def format_selector(selector: Obj | None) -> str:
    """A label selector in the syntax of `kubectl -l`, in key order; <none> when it selects nothing or everything."""
    selector = selector or {}
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for wish in selector.get("matchExpressions") or ():
        key, values = wish.get("key", ""), ",".join(sorted(wish.get("values") or ()))
        match wish.get("operator"):
            case "In":
                parts.append((key, f"{key} in ({values})"))
            case "NotIn":
                parts.append((key, f"{key} notin ({values})"))
            case "Exists":
                parts.append((key, key))
            case "DoesNotExist":
                parts.append((key, f"!{key}"))
            case _:
                return "<error>"
    return ",".join(text for _, text in sorted(parts, key=lambda part: part[0])) or NONE
