"""When an A/B test ends: success, harm, futility, or time without an answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from drumroll.domain.abtest.sequential import Evidence, Sample, is_enough, is_lopsided, look

Outcome = Literal["Running", "Success", "Harm", "Futility", "Inconclusive", "Broken"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed before the test. `minimum_effect` is the smallest improvement that is worth having, in the goal's
    unit; `share` is the treatment's part of the users, 0 to 1; `higher_is_better` says which way improvement goes."""

    level: float = 0.05
    minimum_effect: float = 0.01
    share: float = 0.5
    higher_is_better: bool = True
    least_sample: int = 100
    most_sample: int | None = None
    most_time: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a test stands, in a word and in a sentence; `evidence` is None while there is not enough to say."""

    outcome: Outcome
    message: str
    evidence: Evidence | None = None


def judge(
    terms: Terms, control: Sample, treatment: Sample, *, started: datetime, now: datetime, before: float = 1.0
) -> Verdict:
    """The verdict on what was seen so far. `before` is the p-value of the look before."""
    if is_lopsided(control.count, treatment.count, terms.share):
        split = f"{control.count:,} to {treatment.count:,}"
        return Verdict("Broken", f"{split} is not the split that was asked for: the assignment does not work")
    if not is_enough(control, treatment, terms.least_sample):
        return _late(terms, control, treatment, started, now, None) or Verdict(
            "Running", f"waiting for more: {control.count:,} and {treatment.count:,} so far"
        )
    evidence = look(control, treatment, level=terms.level, scale=terms.minimum_effect, before=before)
    low, high = (evidence.low, evidence.high) if terms.higher_is_better else (-evidence.high, -evidence.low)
    if low > 0:
        return Verdict("Success", f"the treatment is better by {_interval(evidence)}", evidence)
    if high < 0:
        return Verdict("Harm", f"the treatment is worse: {_interval(evidence)}", evidence)
    if high < terms.minimum_effect:
        wanted = f"{terms.minimum_effect:g}"
        return Verdict("Futility", f"an improvement of {wanted} can be excluded: {_interval(evidence)}", evidence)
    return _late(terms, control, treatment, started, now, evidence) or Verdict(
        "Running", f"undecided: {_interval(evidence)}, p = {evidence.p_value:.3f}", evidence
    )


def _late(
    terms: Terms, control: Sample, treatment: Sample, started: datetime, now: datetime, evidence: Evidence | None
) -> Verdict | None:
    if terms.most_sample is not None and control.count + treatment.count >= terms.most_sample:
        return Verdict("Inconclusive", f"{terms.most_sample:,} were seen, and nothing could be decided", evidence)
    if terms.most_time is not None and now - started >= terms.most_time:
        return Verdict("Inconclusive", "the time is over, and nothing could be decided", evidence)
    return None


def _interval(evidence: Evidence) -> str:
    return f"{evidence.effect:+.4g} ({evidence.low:+.4g} to {evidence.high:+.4g})"
