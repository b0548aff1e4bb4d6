"""Canary against stable over the same window: is it worse by more than chance, and by enough to matter?

Errors: a one-sided test of two proportions against the margin that is allowed; Fisher's exact test where a count is
small and no margin is given. Latency: a one-sided Mann-Whitney test on the histograms (ties corrected: all of a bucket
are tied), and a quantile that must have grown by more than is allowed. A version fails only when both say so, for with
many requests any difference is significant.

Who looks often is fooled often: look number k may spend 1/(k(k+1)) of the false alarms that are allowed. That adds up
to all of them and no more, however long a run looks and however much its windows overlap.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from drumroll.domain.analysis.names import FAILED, INCONCLUSIVE, SUCCESSFUL

FEW = 5.0  # an expected count below which the normal approximation is not trusted


@dataclass(frozen=True, slots=True)
class Side:
    """What one version did in the window. `buckets` counts its requests by upper bound in seconds, not cumulated."""

    requests: int = 0
    errors: int = 0
    buckets: Mapping[float, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked: how many requests each side needs, which share of runs may be alarmed falsely, what is too much.

    `error_increase` is a share (0.01 is one point); None leaves errors out. `latency_increase` is relative (0.2 is a
    fifth slower) and looks at `quantile`; None leaves latency out. What is slower by no more than `tolerance` seconds
    is never too slow, however fast the stable version is.
    """

    least: int = 100
    level: float = 0.01
    error_increase: float | None = 0.01
    latency_increase: float | None = 0.2
    quantile: float = 0.95
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The phase, the figures that conditions and people see, and a sentence."""

    phase: str
    figures: Mapping[str, Any]
    message: str


def compare(canary: Side, stable: Side, terms: Terms, look: int = 1) -> Outcome:
    """What the two sides come to, at look number `look` that had requests enough."""
    terms = replace(terms, level=spent(terms, look))
    figures: dict[str, Any] = {"requests": {"canary": canary.requests, "stable": stable.requests}}
    faults = []
    if terms.error_increase is not None:
        figures["errors"], fault = _errors(canary, stable, terms, terms.error_increase)
        faults.append(fault)
    if terms.latency_increase is not None:
        figures["latency"], fault = _latency(canary, stable, terms, terms.latency_increase)
        faults.append(fault)
    for name, side in (("canary", canary), ("stable version", stable)):
        if side.requests < terms.least:
            text = f"the {name} had {side.requests} requests in the window, and {terms.least} are needed to tell"
            return Outcome(INCONCLUSIVE, figures, text)
    told = "; ".join(filter(None, faults))
    return Outcome(FAILED if told else SUCCESSFUL, figures, told)


def spent(terms: Terms, look: int) -> float:
    """The level of one test at that look: its part of the level of all looks, half of it when there are two tests."""
    tests = (terms.error_increase is not None) + (terms.latency_increase is not None)
    return terms.level / max(1, tests) / (look * (look + 1))


def _errors(canary: Side, stable: Side, terms: Terms, margin: float) -> tuple[dict[str, float], str]:
    rates = [side.errors / side.requests if side.requests else 0.0 for side in (canary, stable)]
    chance = more_errors(canary, stable, margin)
    figures = {"canary": rates[0], "stable": rates[1], "increase": rates[0] - rates[1], "pValue": chance}
    if rates[0] - rates[1] <= margin or chance >= terms.level:
        return figures, ""
    text = f"{rates[0]:.2%} of the canary's requests fail, and {rates[1]:.2%} of the stable version's (p={chance:.2g})"
    return figures, text


def _latency(canary: Side, stable: Side, terms: Terms, margin: float) -> tuple[dict[str, float], str]:
    times = [quantile(side.buckets, terms.quantile) for side in (canary, stable)]
    chance = slower(canary.buckets, stable.buckets)
    increase = times[0] / times[1] - 1 if times[1] else 0.0
    figures = {"canary": times[0], "stable": times[1], "increase": increase, "pValue": chance}
    if increase <= margin or times[0] - times[1] <= terms.tolerance or chance >= terms.level:
        return figures, ""
    names = f"the {terms.quantile:g} quantile of the canary's latency"
    return (
        figures,
        f"{names} is {times[0] * 1000:.1f} ms, the stable version's {times[1] * 1000:.1f} ms (p={chance:.2g})",
    )


def more_errors(canary: Side, stable: Side, margin: float) -> float:
    """The chance to see so many more errors if the canary's share were at most `margin` above the stable one's."""
    n, m = canary.requests, stable.requests
    if not n or not m:
        return 1.0
    if margin > 0:
        # one success and one failure added to each side keep the error of small samples honest (Agresti, Caffo)
        p, q = (canary.errors + 1) / (n + 2), (stable.errors + 1) / (m + 2)
        return _upper_tail((p - q - margin) / math.sqrt(p * (1 - p) / (n + 2) + q * (1 - q) / (m + 2)))
    errors, total = canary.errors + stable.errors, n + m
    expected = (errors * n / total, errors * m / total, (total - errors) * n / total, (total - errors) * m / total)
    if min(expected) < FEW:
        return _fisher(canary, stable)
    pooled = errors / total
    spread = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return _upper_tail((canary.errors / n - stable.errors / m) / spread)


def _fisher(canary: Side, stable: Side) -> float:
    """The hypergeometric chance of at least so many of all errors on the canary's side."""
    n, m, errors = canary.requests, stable.requests, canary.errors + stable.errors
    whole = _choose(n + m, errors)
    most = min(errors, n)
    return min(
        1.0, sum(math.exp(_choose(n, k) + _choose(m, errors - k) - whole) for k in range(canary.errors, most + 1))
    )


def _choose(n: int, k: int) -> float:
    if not 0 <= k <= n:
        return -math.inf
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def slower(canary: Mapping[float, int], stable: Mapping[float, int]) -> float:
    """The chance to see canary's latencies so much above stable's if they were alike: Mann-Whitney on histograms."""
    n, m = sum(canary.values()), sum(stable.values())
    total = n + m
    if not n or not m:
        return 1.0
    below = ties = 0.0
    wins = 0.0
    for bound in sorted({*canary, *stable}):
        ours, theirs = canary.get(bound, 0), stable.get(bound, 0)
        wins += ours * (below + theirs / 2)
        below += theirs
        ties += (ours + theirs) ** 3 - (ours + theirs)
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0  # all in one bucket: nothing can be told
    return _upper_tail((wins - n * m / 2) / math.sqrt(variance))


def _upper_tail(z: float) -> float:
    return math.erfc(z / math.sqrt(2)) / 2


def quantile(buckets: Mapping[float, int], share: float) -> float:
    """The latency in seconds below which that share of requests stayed, straight between the bounds of its bucket."""
    total = sum(buckets.values())
    if not total:
        return 0.0
    wanted, seen, lower = share * total, 0, 0.0
    for bound in sorted(buckets):
        count = buckets[bound]
        if count and seen + count >= wanted:
            if math.isinf(bound):
                return lower
            return lower + (bound - lower) * (wanted - seen) / count
        seen += count
        lower = bound if not math.isinf(bound) else lower
    return lower


def from_cumulative(counts: Sequence[tuple[float, float]]) -> dict[float, int]:
    """Counts per bucket from cumulative ones by upper bound, as Prometheus has them."""
    buckets: dict[float, int] = {}
    before = 0.0
    for bound, count in sorted(counts):
        buckets[bound] = max(0, round(count - before))
        before = max(before, count)
    return buckets
