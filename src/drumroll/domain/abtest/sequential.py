"""An always-valid comparison of two variants: look as often as you like, the level holds.

The mixture sequential probability ratio test for a difference of two means, with a normal mixture over the effect.
Its reciprocal bounds the p-value at all times at once (Ville's inequality), and inverting it gives an interval that
covers the true effect at all times at once. Sources: Robbins (1970), "Statistical methods related to the law of the
iterated logarithm"; Johari, Pekelis, Walsh (2015), "Always valid inference", equations 7 and 12.

Means are treated as normal, which wants a few events first: see `is_enough`.
"""

import math
from dataclasses import dataclass

LEAST_PER_VARIANT = 100
LEAST_EVENTS = 20
"""Before these, no figure is shown as evidence: a normal approximation of a handful of events alarms too often."""

_SPLIT_OFF = 0.02
"""How far from the asked split a broken assignment is taken to be; only tunes how soon it is noticed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a variant has shown so far: `count` users or requests, and the sums of their values and squares.

    For yes-or-no goals the values are 0 and 1, so both sums are the number of conversions.
    """

    count: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """The average value; 0 for nobody."""
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        """The values' variance, never 0: one more success and one more failure are added (Agresti and Coull, 1998)."""
        count = self.count + 2
        mean = (self.total + 1) / count
        return max((self.squares + 1) / count - mean * mean, 1 / count)


def conversions(count: int, converted: int) -> Sample:
    """A yes-or-no goal: `converted` of `count`. Raises ValueError when that cannot be."""
    if not 0 <= converted <= count:
        raise ValueError(f"{converted} conversions of {count}: there cannot be fewer than none, or more than all")
    return Sample(count, float(converted), float(converted))


@dataclass(frozen=True, slots=True)
class Evidence:
    """One look: the treatment's mean minus the control's, where it may truly lie, and how surprising it would be
    if there were no effect. `low`, `high` and `p_value` hold at all looks together."""

    effect: float
    low: float
    high: float
    p_value: float


def is_enough(control: Sample, treatment: Sample, least: int = LEAST_PER_VARIANT) -> bool:
    """Whether a look says anything: `least` on each side, and events enough on both sides together."""
    if min(control.count, treatment.count) < least:
        return False
    events = control.total + treatment.total
    misses = control.count + treatment.count - events
    is_binary = control.squares == control.total and treatment.squares == treatment.total
    return not is_binary or min(events, misses) >= LEAST_EVENTS


def look(control: Sample, treatment: Sample, *, level: float, scale: float, before: float = 1.0) -> Evidence:
    """The evidence now. `level` is the share of false alarms allowed over all looks together.

    `scale` is the effect that the test is tuned to find soonest (any value is valid, a good guess is quick);
    `before` is the p-value of the look before: evidence once seen stays.
    """
    effect = treatment.mean - control.mean
    noise = control.variance / max(control.count, 1) + treatment.variance / max(treatment.count, 1)
    spread = scale * scale
    reach = math.sqrt(
        2 * noise * (noise + spread) / spread * (math.log(1 / level) + 0.5 * math.log((noise + spread) / noise))
    )
    p_value = min(before, _p_value(effect, noise, spread))
    return Evidence(effect, effect - reach, effect + reach, p_value)


def _p_value(effect: float, noise: float, spread: float) -> float:
    """The reciprocal of the mixture's likelihood ratio against no effect, at most 1."""
    log_ratio = 0.5 * math.log(noise / (noise + spread)) + spread * effect * effect / (2 * noise * (noise + spread))
    return 1.0 if log_ratio <= 0 else math.exp(-log_ratio)


def is_lopsided(control: int, treatment: int, share: float) -> bool:
    """Whether the assignment itself is broken: a split this far from `share` (the treatment's part, 0 to 1) turns up
    in fewer than one of 1,000 tests, however often one looks. Then no other figure can be trusted.
    """
    everybody = control + treatment
    if everybody < LEAST_PER_VARIANT or not 0 < share < 1:
        return False
    noise = share * (1 - share) / everybody
    return _p_value(treatment / everybody - share, noise, _SPLIT_OFF**2) < 0.001
