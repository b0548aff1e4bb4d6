"""Conditions: what is touched when."""

from datetime import timedelta

import pytest

from drumroll.domain.deployment_status import condition, has_progressed, with_condition
from drumroll.objects.meta import Obj, timestamp
from tests.domain.workloads import START

LATER = START + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("status", "reason", "updated", "transitioned"),
    [
        pytest.param("True", "A", START, START, id="the same status and reason: untouched"),
        pytest.param("True", "B", LATER, START, id="another reason: no transition"),
        pytest.param("False", "A", LATER, LATER, id="another status: a transition"),
    ],
)
def test_times(status: str, reason: str, updated: object, transitioned: object) -> None:
    before = [condition("X", "True", "A", "m", START), condition("Y", "True", "A", "m", START)]
    found = with_condition(before, condition("X", status, reason, "m", LATER))
    one = next(item for item in found if item["type"] == "X")
    assert (one["lastUpdateTime"], one["lastTransitionTime"]) == (timestamp(updated), timestamp(transitioned))
    assert [item["type"] for item in found] == (["X", "Y"] if found == before else ["Y", "X"])


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param({"updatedReplicas": 3, "replicas": 5, "readyReplicas": 4}, True, id="more updated"),
        pytest.param({"updatedReplicas": 2, "replicas": 4, "readyReplicas": 4}, True, id="fewer old ones"),
        pytest.param({"updatedReplicas": 2, "replicas": 5, "readyReplicas": 5}, True, id="more ready"),
        pytest.param({"updatedReplicas": 2, "replicas": 5, "readyReplicas": 4, "availableReplicas": 1}, True, id="up"),
        pytest.param({"updatedReplicas": 2, "replicas": 5, "readyReplicas": 4}, False, id="nothing"),
        pytest.param({"updatedReplicas": 2, "replicas": 6, "readyReplicas": 3}, False, id="steps back"),
    ],
)
def test_progress(new: Obj, expected: bool) -> None:
    assert has_progressed({"updatedReplicas": 2, "replicas": 5, "readyReplicas": 4}, new) is expected
