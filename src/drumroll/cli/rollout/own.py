"""How an A/B test and a comparison stand: figures for a person, with what they mean."""

from collections.abc import Iterator

from drumroll.cli.rollout.phases import BUSY, UNSURE, with_icon
from drumroll.cli.rollout.tree import table
from drumroll.objects.meta import Obj

_WIDTH = 13
_PHASES = {
    "Running": f"{BUSY} Running",
    "Success": "✔ Success",
    "Harm": "✖ Harm",
    "Futility": "• Futility",
    "Inconclusive": f"{UNSURE} Inconclusive",
    "Terminated": "• Terminated",
}


def abtest_lines(test: Obj) -> list[str]:
    """The lines of `get abtest`."""
    return [*(_line(name, value) for name, value in _abtest(test) if value), "", *table(_variants(test))]


def comparison_lines(one: Obj) -> list[str]:
    """The lines of `get comparison`."""
    lines = [_line(name, value) for name, value in _comparison(one) if value]
    status = one.get("status") or {}
    if places := status.get("places"):
        rows: list[tuple[str, ...]] = [
            ("WHERE", "TIMES"),
            *((place.get("where", ""), str(place.get("count", 0))) for place in places),
        ]
        lines += ["", *table(rows)]
    for example in status.get("examples") or ():
        lines += ["", f"for example {example.get('request', '')}"]
        lines += [f"  {_difference(difference)}" for difference in example.get("differences") or ()]
    return lines


def _line(name: str, value: str) -> str:
    return f"{name + ':':<{_WIDTH}}{value}"


def phase_shown(obj: Obj) -> str:
    """The phase with its icon."""
    phase = (obj.get("status") or {}).get("phase") or "Pending"
    return _PHASES.get(phase) or with_icon(phase)


def _abtest(test: Obj) -> Iterator[tuple[str, str]]:
    spec, status = test["spec"], test.get("status") or {}
    goal, assignment = spec.get("goal") or {}, spec.get("assignment") or {}
    yield "Name", test["metadata"]["name"]
    yield "Namespace", test["metadata"].get("namespace", "")
    yield "Status", phase_shown(test)
    yield "Message", status.get("message") or ""
    yield "Route", (spec.get("routeRef") or {}).get("name", "")
    header = (assignment.get("header") or {}).get("name")
    how = f"the header {header}" if header else "a cookie"
    yield "Split", f"{spec.get('percent', 50)} % of the users get the treatment, told apart by {how}"
    least, direction = goal.get("minimumEffect", 0.01), goal.get("direction", "Increase").lower()
    yield "Goal", f"{goal.get('name') or 'figure'}: {direction} by at least {least}"
    if "effect" in status:
        interval = status.get("interval") or {}
        level = round((1 - float(spec.get("level", 0.05))) * 100, 1)
        yield "Effect", f"{status['effect']:+g}, between {interval.get('low')} and {interval.get('high')} ({level:g} %)"
        yield "P-value", f"{status.get('pValue') or 0:g} after {status.get('looks', 0)} looks; valid at every look"


def _variants(test: Obj) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("VARIANT", "SERVICE", "USERS", "MEAN")]
    for name in ("control", "treatment"):
        sample = (test.get("status") or {}).get(name) or {}
        service = (test["spec"].get(name) or {}).get("service", "")
        mean = f"{sample['mean']:g}" if "mean" in sample else "-"
        rows.append((name, service, str(sample.get("count", 0)), mean))
    return rows


def _comparison(one: Obj) -> Iterator[tuple[str, str]]:
    spec, status = one["spec"], one.get("status") or {}
    yield "Name", one["metadata"]["name"]
    yield "Namespace", one["metadata"].get("namespace", "")
    yield "Status", phase_shown(one)
    yield "Message", status.get("message") or ""
    yield "Route", (spec.get("routeRef") or {}).get("name", "")
    primary, shadow = ((spec.get(name) or {}).get("service", "") for name in ("primary", "shadow"))
    yield "Copies", f"{spec.get('percent', 100)} % of the requests to {primary} go to {shadow} too"
    yield "Compared", str(status.get("compared", 0))
    differing = status.get("differing", 0)
    aspects = ", ".join(f"{name} {count}" for name, count in (status.get("byAspect") or {}).items() if count)
    yield "Differing", f"{differing} ({aspects})" if aspects else str(differing)
    yield "Unanswered", str(status.get("unanswered", 0))
    yield "Latency", _latency(status.get("latencyMilliseconds") or {})


def _latency(figures: Obj) -> str:
    parts = []
    for name, value in figures.items():
        inner = ", ".join(f"{key} {number:g}" for key, number in value.items()) if isinstance(value, dict) else value
        parts.append(f"{name} {inner}")
    return f"{'; '.join(parts)} ms" if parts else ""


def _difference(difference: Obj) -> str:
    where, primary, shadow = (difference.get(name, "") for name in ("where", "primary", "shadow"))
    return f"{where}: {primary} became {shadow}"
