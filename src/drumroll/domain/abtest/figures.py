"""What a goal's provider says, made into samples. Raises ValueError with a sentence for what cannot be read."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from drumroll.domain.abtest.assignment import VARIANTS, Split, Variant
from drumroll.domain.abtest.sequential import Sample, conversions
from drumroll.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Figures:
    """Both samples, or in `fault` why there are none. `counters` are the raw counts that the next look goes on from."""

    control: Sample
    treatment: Sample
    fault: str = ""
    counters: Obj = field(default_factory=dict)


NOBODY = Sample(0, 0.0, 0.0)


def no_figures(fault: str) -> Figures:
    """A look that gave nothing."""
    return Figures(NOBODY, NOBODY, fault)


def of_web(body: bytes) -> Figures:
    """The figures in a web provider's answer, `{"control": {"count": 100, "total": 7}, "treatment": {…}}`."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the answer is no JSON: {error}") from error
    parts = answer if isinstance(answer, dict) else {}
    return Figures(_of_part(parts, "control"), _of_part(parts, "treatment"))


def _of_part(parts: Obj, variant: Variant) -> Sample:
    part = parts.get(variant) or {}
    if not hasattr(part, "get") or "count" not in part:
        raise ValueError(f'the answer has no object "{variant}" with count and total')
    return sample(part.get("count"), part.get("total"), part.get("squares"), variant)


def sample(count: Any, total: Any, squares: Any, variant: str) -> Sample:
    """A sample of figures from outside; without squares it is a yes-or-no goal."""
    numbers = [_number(value, f"{variant}.{name}") for name, value in (("count", count), ("total", total))]
    if numbers[0] < 0:
        raise ValueError(f"{variant}.count: {numbers[0]:g} is less than nobody")
    whole = int(numbers[0])
    if squares is None:
        return conversions(whole, round(numbers[1]))
    found = _number(squares, f"{variant}.squares")
    if whole and found * whole < numbers[1] ** 2 * (1 - 1e-9):
        raise ValueError(
            f"{variant}.squares: {found:g} is too small for {whole:,} values that sum up to {numbers[1]:g}"
        )
    return Sample(whole, numbers[1], found)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{where}: {value!r} is no number")
    return float(value)


def queries(provider: Obj, split: Split, variant: Variant) -> dict[str, str]:
    """A Prometheus provider's queries for one variant."""
    replaced = {"{{service}}": split.service(variant), "{{variant}}": variant}
    found = {}
    for name in ("count", "total", "squares"):
        text = provider.get(name)
        if text:
            for placeholder, value in replaced.items():
                text = text.replace(placeholder, value)
            found[name] = text
    return found


def mesh_queries(namespace: str, service: str, goal: str) -> dict[str, str]:
    """What to ask the mesh: how many requests a Service has answered so far, and how many with that goal."""
    where = f'namespace="{namespace}",service="{service}"'
    named = goal.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return {
        "count": f"sum(drumroll_requests_total{{{where}}})",
        "total": f'sum(drumroll_goals_total{{{where},goal="{named}"}})',
    }


def of_counters(before: Obj, now: Mapping[Variant, Mapping[str, float]], samples: Mapping[Variant, Sample]) -> Figures:
    """Samples from counters that only grow: what they grew by since the look before is added to the `samples` so far.

    `now` has `count` and `total` by variant. A counter that is smaller than before began anew, at 0. On the first look
    (`before` is empty) the counters only say where the test begins.
    """
    found = {}
    for variant in VARIANTS:
        so_far = samples.get(variant, NOBODY)
        if before:
            grown = {
                name: _grown((before.get(variant) or {}).get(name, 0.0), now[variant][name]) for name in now[variant]
            }
            count = so_far.count + int(grown["count"])
            so_far = conversions(count, min(count, int(so_far.total + grown["total"])))
        found[variant] = so_far
    kept: Obj = {variant: dict(now[variant]) for variant in VARIANTS}
    return Figures(found["control"], found["treatment"], counters=kept)


def _grown(before: float, now: float) -> float:
    return now - before if now >= before else now


def of_logs(lines: Iterable[bytes], user_field: str, value_field: str, into: dict[str, float]) -> None:
    """Fold JSON log lines into the best value of each user; lines that are none, or lack the user, are passed over."""
    for line in lines:
        if not line.startswith(b"{"):
            continue
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        user = found.get(user_field)
        if user is None or isinstance(user, dict | list):
            continue
        value = found.get(value_field)
        worth = float(value) if isinstance(value, bool | int | float) and math.isfinite(value) else 0.0
        into[str(user)] = max(into.get(str(user), 0.0), worth)


def of_users(users: Mapping[str, float]) -> Sample:
    """The sample of users and their values."""
    return Sample(len(users), sum(users.values()), sum(value * value for value in users.values()))
