"""What one measured value says: the table of success and failure conditions. Source: argo-rollouts utils/evaluate."""

from datetime import datetime
from typing import Any

from drumroll.domain.analysis.expression.conditions import holds
from drumroll.domain.analysis.names import FAILED, INCONCLUSIVE, SUCCESSFUL


def verdict(result: Any, success: str, failure: str, now: datetime) -> str:
    """The phase of a measurement. Raises ExpressionError, which makes it an Error.

    Only a success condition: what does not succeed fails, and the reverse. Both: neither is inconclusive, and failure
    wins when both are true. None: every value is a success.
    """
    if not success and not failure:
        return SUCCESSFUL
    succeeds = bool(success) and holds(success, result, now)
    fails = bool(failure) and holds(failure, result, now)
    if not failure:
        fails = not succeeds
    if not success:
        succeeds = not fails
    if fails:
        return FAILED
    return SUCCESSFUL if succeeds else INCONCLUSIVE
