"""Series as the text that Prometheus scrapes."""

from collections.abc import Iterable, Mapping

from drumroll.domain.promql.encode import json_number
from drumroll.domain.promql.values import NAME, Labels, label
from drumroll.objects.metrics import escape_label

_PARTS = ("_bucket", "_sum", "_count")


def exposition(figures: Iterable[tuple[Labels, float]], families: Mapping[str, tuple[str, str]]) -> str:
    """The text format, version 0.0.4; `families` has each name's type and what it is."""
    lines: dict[str, list[str]] = {name: [] for name in families}
    for labels, value in figures:
        name = label(labels, NAME)
        pairs = ",".join(f'{key}="{escape_label(text)}"' for key, text in labels if key != NAME)
        lines[_family(name, families)].append(f"{name}{{{pairs}}} {json_number(value)}")
    found = []
    for name, (kind, text) in families.items():
        if lines[name]:
            found += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *lines[name]]
    return "\n".join([*found, ""])


def _family(name: str, families: Mapping[str, tuple[str, str]]) -> str:
    if name in families:
        return name
    return next(name.removesuffix(part) for part in _PARTS if name.endswith(part))
