"""The patches, as Argo's own plugin sends them."""

import pytest

from drumroll.cli.rollout.requests import Change, Pointless, promote, set_images, undo
from drumroll.objects.wire import JSON_PATCH
from tests.cli.rollout.worlds import STEPS, replica_set, rollout

CANARY = {"canary": {"steps": STEPS}}
BLUE_GREEN = {"blueGreen": {"activeService": "a"}}
MIDDLE = {"currentPodHash": "new", "stableRS": "old", "currentStepIndex": 1}
PAUSED = {**MIDDLE, "controllerPause": True, "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "x"}]}
INCONCLUSIVE = {
    **MIDDLE,
    "controllerPause": True,
    "pauseConditions": [{"reason": "InconclusiveAnalysisRun", "startTime": "x"}],
    "canary": {"currentStepAnalysisRunStatus": {"name": "r", "status": "Inconclusive"}},
}


def status(**fields) -> Change:
    return Change({"status": fields}, "status")


@pytest.mark.parametrize(
    ("strategy", "state", "options", "changes"),
    [
        pytest.param(CANARY, PAUSED, {}, [status(pauseConditions=None)], id="past a pause"),
        pytest.param(BLUE_GREEN, PAUSED, {}, [status(pauseConditions=None)], id="to the switch"),
        pytest.param(CANARY, MIDDLE, {}, [status(pauseConditions=None, currentStepIndex=2)], id="past a step"),
        pytest.param(
            CANARY,
            INCONCLUSIVE,
            {},
            [status(pauseConditions=None, controllerPause=False, currentStepIndex=2)],
            id="past an analysis without a verdict",
        ),
        pytest.param(CANARY, PAUSED, {"full": True}, [status(promoteFull=True)], id="all the way"),
        pytest.param(
            CANARY, MIDDLE, {"skip_step": True}, [status(pauseConditions=None, currentStepIndex=2)], id="one step"
        ),
        pytest.param(
            CANARY, MIDDLE, {"skip_all": True}, [status(pauseConditions=None, currentStepIndex=4)], id="all steps"
        ),
    ],
)
def test_promote(strategy, state, options, changes):
    assert promote(rollout(strategy, state), **options) == changes


def test_a_rollout_that_somebody_paused_is_resumed_first():
    found = promote(rollout(CANARY, PAUSED, paused=True))
    assert found == [Change({"spec": {"paused": False}}), status(pauseConditions=None)]


@pytest.mark.parametrize(
    ("strategy", "state", "options", "why"),
    [
        (CANARY, {"currentPodHash": "a", "stableRS": "a", "currentStepIndex": 4}, {}, "nothing holds it up"),
        (CANARY, {"currentPodHash": "a", "stableRS": "a"}, {"full": True}, "fully promoted already"),
        (BLUE_GREEN, {"currentPodHash": "a", "stableRS": "b"}, {}, "nothing holds it up"),
        (BLUE_GREEN, {}, {"skip_step": True}, "no steps"),
    ],
)
def test_what_would_change_nothing_is_not_sent(strategy, state, options, why):
    with pytest.raises(Pointless, match=why):
        promote(rollout(strategy, state), **options)


def templated(*images: str) -> dict:
    containers = [{"name": f"c{index}", "image": image} for index, image in enumerate(images)]
    return {**rollout(CANARY, {}), "spec": {"template": {"spec": {"containers": containers}}}}


def test_images_are_set_by_name_and_only_where_they_change():
    change = set_images(templated("a:1", "b:1", "c:2"), {"c1": "b:2", "*": "c:2"})
    assert change.content_type == JSON_PATCH
    assert [one["value"] for one in change.patch] == ["c0", "c:2", "c1", "b:2"]
    assert change.patch[3] == {"op": "replace", "path": "/spec/template/spec/containers/1/image", "value": "b:2"}


def test_an_unknown_container_is_named_with_those_that_there_are():
    with pytest.raises(Pointless, match=r'no container "web" \(it has c0\)'):
        set_images(templated("a:1"), {"web": "b:2"})


def test_undo_takes_the_template_without_the_hash():
    owner = rollout(CANARY, {})
    change = undo(owner, replica_set(owner, "6cf", 1, 0, "shop:1", 9))
    assert change.patch[0]["path"] == "/spec/template"
    assert change.patch[0]["value"]["metadata"]["labels"] == {"app": "web"}
