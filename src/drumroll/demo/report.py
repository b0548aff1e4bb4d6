"""The report for people: what the replica sets did, who answered meanwhile, and what it did to the requests. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from drumroll.demo.timeline import Limits, Set, Timeline, bounds
from drumroll.load.ledger import Bucket, Ledger, Summary, summarize, timeline

ROWS = 28
BAR = 30
READY, STARTING, ENDING = "●", "○", "·"
SHADES = ("█", "░", "▒", "▓")
COLOURS = ("36", "33", "35", "32")
NOTE = 24


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report is made of. `timeline` begins when the load does; `problems` are what else went wrong."""

    title: str
    ledger: Ledger
    timeline: Timeline
    limits: Limits
    problems: tuple[str, ...] = ()


def verdict(facts: Facts) -> list[str]:
    """Why this run is no success; empty when it is one."""
    summary = summarize(facts.ledger)
    reasons = list(facts.problems)
    if not summary.sent:
        reasons.append("no request was sent")
    if summary.failed:
        failures = ", ".join(f"{count} {name}" for name, count in summary.failures.items())
        reasons.append(f"{summary.failed} requests failed: {failures}")
    reasons += [f"bound broken at {each}" for each in bounds(facts.timeline, facts.limits)]
    return reasons


def report(facts: Facts, *, colour: bool = False) -> str:
    """The whole report, at most 100 columns wide; with ANSI colours if `colour`."""
    paint = _Paint(colour)
    summary = summarize(facts.ledger)
    lines = [paint.bold(facts.title), "", *_drawing(facts, paint), "", *_figures(facts, summary), ""]
    reasons = verdict(facts)
    if reasons:
        lines += [paint.bad("FAILED"), *(f"  - {reason}" for reason in reasons)]
    else:
        lines.append(paint.good(f"No request was lost: {summary.sent:,} sent, 0 failed."))
    return "\n".join(lines) + "\n"


class _Paint:
    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and text else text

    def bold(self, text: str) -> str:
        return self._wrap("1", text)

    def good(self, text: str) -> str:
        return self._wrap("1;32", text)

    def bad(self, text: str) -> str:
        return self._wrap("1;31", text)

    def version(self, index: int, text: str) -> str:
        return self._wrap(COLOURS[index % len(COLOURS)], text)


def _drawing(facts: Facts, paint: _Paint) -> list[str]:
    names = _sets(facts.timeline)
    versions = sorted({version for _, version in names} | set(summarize(facts.ledger).versions))
    width = max([7, *(_pods_width(facts.timeline, name) for name, _ in names)])
    heads = "  ".join(f"{version or name:<{width}}" for name, version in names)
    key = "  ".join(paint.version(i, f"{SHADES[i % 4]} {version}") for i, version in enumerate(versions))
    lines = [
        f"pods: {READY} ready  {STARTING} starting  {ENDING} ending      answers: {key}",
        "",
        paint.bold(f"{'time':>7}  {heads}  {'answers':>7}  {'by version':<{BAR}}  failed"),
    ]
    slices = rows(facts.ledger)
    length = slices[1].at - slices[0].at if len(slices) > 1 else max(0.25, facts.ledger.seconds)
    for bucket in slices:
        begin = facts.ledger.started + bucket.at
        pods = _pods_at(facts.timeline, begin + length, [name for name, _ in names], width)
        notes = [what for at, what in facts.timeline.marks if begin <= at < begin + length]
        note = f"  ◄ {', '.join(notes)[:NOTE]}" if notes else ""
        failed = paint.bad(f"{bucket.failed:>6}") if bucket.failed else f"{'·':>6}"
        answered, bar = sum(bucket.versions.values()), _bar(bucket.versions, versions, paint)
        lines.append(f"{bucket.at:>6.2f}s  {pods}  {answered:>7}  {bar}  {failed}{note}")
    return lines


def rows(ledger: Ledger, limit: int = ROWS) -> list[Bucket]:
    """The run in at most `limit` slices of equal length, a multiple of a quarter of a second.

    What ended after the run's end adds a slice; an empty last one is left out.
    """
    width = 0.25
    while ledger.seconds / width > limit:
        width += 0.25
    slices = timeline(ledger, width)
    last = slices[-1]
    is_empty = last.at >= ledger.seconds and not (last.versions or last.failed or last.cut)
    return slices[:-1] if is_empty and len(slices) > 1 else slices


def _pods_at(recorded: Timeline, moment: float, names: Sequence[str], width: int) -> str:
    """The pods of each replica set just before a moment."""
    sample = recorded.at(moment - 1e-6)
    found = {each.name: each for each in sample.sets} if sample else {}
    return "  ".join(f"{_pods(found.get(name)):<{width}}" for name in names)


def _pods(one: Set | None) -> str:
    if one is None:
        return ""
    return READY * one.ready + STARTING * (one.current - one.ready) + ENDING * one.ending


def _pods_width(recorded: Timeline, name: str) -> int:
    return max((len(_pods(one)) for sample in recorded.samples for one in sample.sets if one.name == name), default=0)


def _sets(recorded: Timeline) -> list[tuple[str, str]]:
    """(name, version) of every replica set that was seen, in the order of appearance."""
    return list(dict.fromkeys((one.name, one.version) for sample in recorded.samples for one in sample.sets))


def _bar(counts: dict[str, int], versions: Sequence[str], paint: _Paint) -> str:
    """A bar whose parts are as long as the versions' shares of the answers; a version that answered is always seen."""
    total = sum(counts.values())
    if not total:
        return " " * BAR
    lengths = {name: max(1, round(BAR * count / total)) for name, count in counts.items() if count}
    while (excess := sum(lengths.values()) - BAR) != 0:
        largest = max(lengths, key=lambda name: lengths[name])
        lengths[largest] -= 1 if excess > 0 else -1
    order = {version: index for index, version in enumerate(versions)}
    parts = sorted(lengths.items(), key=lambda item: order.get(item[0], len(order)))
    return "".join(paint.version(order.get(name, 3), SHADES[order.get(name, 3) % 4] * size) for name, size in parts)


def _figures(facts: Facts, summary: Summary) -> list[str]:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in summary.kinds.items())
    versions = ", ".join(f"{count:,} by {version}" for version, count in summary.versions.items())
    available = [sample.available for sample in facts.timeline.samples]
    totals = [sample.total for sample in facts.timeline.samples]
    limits = facts.limits
    lines = [
        f"  sent        {summary.sent:,} in {facts.ledger.seconds:.1f} s ({summary.rate:.0f}/s): {kinds}",
        f"  answered    {summary.answered:,}: {versions}",
        f"  failed      {summary.failed:,}",
        f"  cut         {summary.cut:,} long-lived connections",
        f"  latency     p50 {_ms(summary.p50)}   p99 {_ms(summary.p99)}   longest {_ms(summary.longest)}",
        f"  gap         {_ms(summary.longest_gap)} was the longest time without an answer",
    ]
    if available:
        floor, ceiling = limits.replicas - limits.max_unavailable, limits.replicas + limits.max_surge
        lines += [
            f"  available   never below {min(available)} pods (allowed: {floor})",
            f"  pods        never above {max(totals)} (allowed: {ceiling}), those ending aside",
        ]
    return lines


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
