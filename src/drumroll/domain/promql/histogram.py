"""Quantiles from the cumulative buckets of a histogram. Source: prometheus promql/quantile.go bucketQuantile."""

import math
from bisect import bisect_left

from drumroll.domain.promql.arithmetic import INFINITY, NAN, divide
from drumroll.domain.promql.values import NAME, Labels, Sample, Vector


def histogram_quantile(share: float, vector: Vector) -> Vector:
    """One element per histogram; elements without a number in `le` are passed over."""
    histograms: dict[Labels, dict[float, float]] = {}
    for labels, value in vector:
        bound = _bound(next((text for name, text in labels if name == "le"), ""))
        if bound is not None:
            key = tuple(pair for pair in labels if pair[0] not in {NAME, "le"})
            buckets = histograms.setdefault(key, {})
            buckets[bound] = buckets.get(bound, 0.0) + value
    return [Sample(key, _quantile(share, buckets)) for key, buckets in histograms.items()]


def _bound(text: str) -> float | None:
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def _quantile(share: float, buckets: dict[float, float]) -> float:
    if math.isnan(share):
        return NAN
    if share < 0 or share > 1:
        return math.copysign(INFINITY, share)
    bounds = sorted(buckets)
    counts = _monotonic([buckets[bound] for bound in bounds])
    if bounds[-1] != INFINITY or len(bounds) < 2 or counts[-1] == 0 or math.isnan(counts[-1]):
        return NAN
    rank = share * counts[-1]
    at = bisect_left(counts, rank, hi=len(counts) - 1)
    if at == len(bounds) - 1:
        return bounds[-2]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    start, before = (bounds[at - 1], counts[at - 1]) if at else (0.0, 0.0)
    return start + (bounds[at] - start) * divide(rank - before, counts[at] - before)


def _monotonic(counts: list[float]) -> list[float]:
    """Buckets are read one after another while they grow: a count below the one before is raised to it."""
    highest = -INFINITY
    found = []
    for count in counts:
        highest = max(highest, count)
        found.append(highest)
    return found
