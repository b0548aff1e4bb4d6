"""Adoption and release: the table of section 2.5."""

from typing import Any

import pytest

from drumroll.domain.actions import Adopt, Patch
from drumroll.domain.adoption import claim
from drumroll.objects.kinds import POD
from drumroll.objects.meta import Obj
from tests.domain.workloads import pod

MINE = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "me", "uid": "me", "controller": True}]
THEIRS = [{**MINE[0], "uid": "they"}]
OTHER = {"app": "other"}
GOING = "2026-11-22T22:00:00Z"


@pytest.mark.parametrize(
    ("meta", "owner_goes", "expected"),
    [
        pytest.param({"ownerReferences": THEIRS}, False, "ignored", id="somebody else's"),
        pytest.param({"ownerReferences": THEIRS, "labels": OTHER}, False, "ignored", id="somebody else's, no match"),
        pytest.param({"ownerReferences": MINE}, False, "owned", id="mine"),
        pytest.param({"ownerReferences": MINE}, True, "owned", id="mine while I go"),
        pytest.param({"ownerReferences": MINE, "labels": OTHER}, False, "released", id="mine, no match"),
        pytest.param({"ownerReferences": MINE, "labels": OTHER}, True, "ignored", id="mine, no match, while I go"),
        pytest.param({}, False, "adopted", id="an orphan that matches"),
        pytest.param({"labels": OTHER}, False, "ignored", id="an orphan that does not match"),
        pytest.param({}, True, "ignored", id="an orphan while I go"),
        pytest.param({"deletionTimestamp": GOING}, False, "ignored", id="an orphan that goes"),
    ],
)
def test_claim(meta: dict[str, Any], owner_goes: bool, expected: str) -> None:
    owner: Obj = {"metadata": {"name": "me", "namespace": "shop", "uid": "me"}}
    if owner_goes:
        owner["metadata"]["deletionTimestamp"] = GOING
    found = claim(owner, POD, [pod(**meta)], lambda labels: labels.get("app") == "web")
    what = {Adopt: "adopted", Patch: "released"}
    outcome = ["owned" for _ in found.owned] + [what[type(action)] for action in found.actions]
    assert outcome == ([expected] if expected != "ignored" else [])
