"""Updates by blue/green in a world where pods, Services' endpoints and analyses follow at their own pace."""

import pytest

from tests.domain.blue_green_world import ANALYSIS, BlueGreenWorld, blue_green, deployed


def phase(world: BlueGreenWorld) -> str:
    return world.rollout["status"]["phase"]


def ends(world: BlueGreenWorld) -> str:
    return world.told()[-1]


def test_the_new_version_comes_whole_before_the_switch_and_the_old_one_stays_a_while() -> None:
    world = deployed()
    world.update("v2")
    assert world.told()[1:] == [
        "v1:3/3 v2:0/0 active v1 preview v1 Progressing (more replicas need to be updated)",
        "v1:3/3 v2:0/3 active v1 preview v2 Progressing (more replicas need to be updated)",
        "v1:3/3 v2:3/3 active v2 preview v2 Progressing (waiting for post-promotion verification to complete)",
        "v1:3/3 v2:3/3 active v2 preview v2 Healthy",
    ]
    world.forward(29)
    assert ends(world) == "v1:3/3 v2:3/3 active v2 preview v2 Healthy"
    world.forward(2)
    assert ends(world) == "v1:0/0 v2:3/3 active v2 preview v2 Healthy"


@pytest.mark.parametrize(("delay", "left"), [(0, 0), (5, 3)], ids=["no delay", "a delay"])
def test_scale_down_delay(delay: int, left: int) -> None:
    world = deployed(scaleDownDelaySeconds=delay)
    world.update("v2")
    assert ends(world) == f"v1:{left}/{left} v2:3/3 active v2 preview v2 Healthy"


def test_a_revision_limit_lets_fewer_old_versions_wait() -> None:
    world = deployed(scaleDownDelayRevisionLimit=1)
    for image in ("v2", "v3"):
        world.update(image)
        world.settle()
    assert ends(world) == "v1:0/0 v2:3/3 v3:3/3 active v3 preview v3 Healthy"


def test_a_person_promotes() -> None:
    world = deployed(autoPromotionEnabled=False)
    world.update("v2")
    assert ends(world) == "v1:3/3 v2:3/3 active v1 preview v2 Paused (BlueGreenPause)"
    world.forward(10_000)
    assert ends(world) == "v1:3/3 v2:3/3 active v1 preview v2 Paused (BlueGreenPause)"
    world.status(pauseConditions=None)
    assert ends(world) == "v1:3/3 v2:3/3 active v2 preview v2 Healthy"
    assert "controllerPause" not in world.rollout["status"]


@pytest.mark.parametrize("enabled", [True, False])
def test_time_promotes(enabled: bool) -> None:
    world = deployed(autoPromotionSeconds=20, autoPromotionEnabled=enabled)
    world.update("v2")
    world.settle()
    assert phase(world) == "Paused"
    assert world.wake_at is not None
    assert (world.wake_at - world.now).total_seconds() <= 20
    world.forward(19)
    world.settle()
    assert phase(world) == "Paused"
    world.forward(2)
    assert ends(world) == "v1:3/3 v2:3/3 active v2 preview v2 Healthy"


def test_the_preview_has_fewer_pods_until_it_is_promoted() -> None:
    world = deployed(autoPromotionEnabled=False, previewReplicaCount=1)
    world.update("v2")
    message = "Paused (BlueGreenPause)"
    assert ends(world) == f"v1:3/3 v2:1/1 active v1 preview v2 {message}"
    world.status(pauseConditions=None)
    states = world.told()
    assert any(state.startswith("v1:3/3 v2:1/3 active v1") for state in states)
    assert states[-1] == "v1:3/3 v2:3/3 active v2 preview v2 Healthy"
    assert "scaleUpPreviewCheckPoint" not in world.rollout["status"]["blueGreen"]


def test_a_full_promotion_waits_for_the_pods_alone() -> None:
    world = deployed(
        autoPromotionEnabled=False, previewReplicaCount=1, prePromotionAnalysis=ANALYSIS, postPromotionAnalysis=ANALYSIS
    )
    world.verdict = ""
    world.update("v2")
    world.settle()
    world.status(promoteFull=True)
    assert ends(world) == "v1:3/3 v2:3/3 active v2 preview v2 Healthy"
    assert "promoteFull" not in world.rollout["status"]


def test_the_way_back_while_the_old_pods_wait_is_neither_paused_nor_analysed() -> None:
    world = deployed(prePromotionAnalysis=ANALYSIS, postPromotionAnalysis=ANALYSIS, autoPromotionEnabled=False)
    world.forward(3)
    world.update("v2")
    world.settle()
    world.status(pauseConditions=None)
    assert ends(world) == "v1:3/3 v2:3/3 active v2 preview v2 Healthy"
    analysed = set(world.runs)
    world.verdict = ""
    world.forward(3)
    world.update("v1")
    assert ends(world) == "v1:3/3 v2:3/3 active v1 preview v1 Healthy"
    assert set(world.runs) == analysed
    assert any(line.endswith(": Fast rollback") for line in world.log)


def test_analyses_before_and_after_the_switch() -> None:
    world = deployed(prePromotionAnalysis=ANALYSIS, postPromotionAnalysis=ANALYSIS)
    world.verdict = ""
    world.update("v2")
    pending = "Progressing (active service cutover pending)"
    assert ends(world) == f"v1:3/3 v2:3/3 active v1 preview v2 {pending}"
    [name] = world.runs
    assert name.endswith("-2-pre")
    world.verdict = "Successful"
    world.acknowledge()
    world.verdict = ""
    waiting = "Progressing (waiting for analysis to complete)"
    assert ends(world) == f"v1:3/3 v2:3/3 active v2 preview v2 {waiting}"
    assert [name.rpartition("-")[2] for name in world.runs] == ["pre", "post"]
    world.forward(1000)  # whatever the delay: there must be something to go back to
    assert ends(world) == f"v1:3/3 v2:3/3 active v2 preview v2 {waiting}"
    world.verdict = "Successful"
    assert ends(world) == "v1:3/3 v2:3/3 active v2 preview v2 Healthy"


@pytest.mark.parametrize("when", ["prePromotionAnalysis", "postPromotionAnalysis"])
def test_a_failed_analysis_takes_the_users_back_and_the_pods_down_after_a_while(when: str) -> None:
    world = deployed(**{when: ANALYSIS})
    world.verdict = "Failed"
    world.update("v2")
    state = ends(world)
    assert state.startswith("v1:3/3 v2:3/3 active v1 preview v2 Degraded (RolloutAborted: Rollout aborted update to")
    assert f"Blue/green {'pre' if 'pre' in when else 'post'}-promotion analysis phase error/failed" in state
    world.forward(31)
    assert ends(world).startswith("v1:3/3 v2:0/0 active v1 preview v2 Degraded")
    world.verdict = "Successful"
    world.status(abort=False)
    assert ends(world) == "v1:3/3 v2:3/3 active v2 preview v2 Healthy"


@pytest.mark.parametrize(("delay", "left"), [(0, 3), (5, 0)], ids=["0 means for ever", "5 seconds"])
def test_how_long_the_pods_of_an_aborted_update_stay(delay: int, left: int) -> None:
    world = deployed(autoPromotionEnabled=False, abortScaleDownDelaySeconds=delay)
    world.update("v2")
    world.settle()
    world.status(abort=True)
    world.settle()
    world.forward(6)
    assert ends(world).startswith(f"v1:3/3 v2:{left}/{left} active v1 preview v2 Degraded")


def test_an_inconclusive_analysis_waits_for_a_person_and_is_made_again() -> None:
    world = deployed(prePromotionAnalysis=ANALYSIS)
    world.verdict = "Inconclusive"
    world.update("v2")
    assert ends(world) == "v1:3/3 v2:3/3 active v1 preview v2 Paused (InconclusiveAnalysisRun)"
    world.verdict = "Successful"
    world.status(pauseConditions=None)
    assert ends(world) == "v1:3/3 v2:3/3 active v2 preview v2 Healthy"
    assert len(world.runs) == 2


def test_going_on_after_an_inconclusive_analysis_is_no_promotion() -> None:
    world = deployed(prePromotionAnalysis=ANALYSIS, autoPromotionEnabled=False)
    world.verdict = "Inconclusive"
    world.update("v2")
    world.settle()
    world.verdict = "Successful"
    world.status(pauseConditions=None)
    assert ends(world) == "v1:3/3 v2:3/3 active v1 preview v2 Paused (BlueGreenPause)"


def test_an_abort_after_the_switch_works_while_the_new_pods_crash() -> None:
    world = deployed(postPromotionAnalysis=ANALYSIS)
    world.verdict = ""
    world.update("v2")
    world.settle()
    assert world.led("active") == "v2"
    name = next(name for name, one in world.sets.items() if "v2" in str(one["spec"]["template"]))
    for pod in world.pods[name][:2]:  # one is left: not an outage, and the new version is not saturated either
        pod["status"]["ready"] = False
    world.good = lambda image: image != "v2"
    world.count()
    world.status(abort=True)
    assert world.told()[0].startswith("v1:3/3 v2:1/3 active v1 preview v2 Degraded")


def test_a_version_that_crashes_after_the_switch_is_taken_back_at_once() -> None:
    world = deployed(postPromotionAnalysis=ANALYSIS)
    world.verdict = ""
    world.update("v2")
    world.settle()
    world.crash("v2")
    first = world.told()[0]
    assert first.startswith("v1:3/3 v2:0/3 active v1 preview v2 Degraded (RolloutAborted: Rollout aborted update to")
    assert "none of the 3 new pods is available after the switch" in first


def test_a_version_that_crashes_after_the_promotion_is_taken_back_while_the_old_pods_wait() -> None:
    world = deployed()
    world.update("v2")
    world.settle()
    assert phase(world) == "Healthy"
    world.crash("v2")
    assert world.told()[0].startswith("v1:3/3 v2:0/3 active v1 preview v2 Degraded (RolloutAborted")
    assert (
        world.rollout["status"]["stableRS"]
        == world.services["active"]["spec"]["selector"]["rollouts-pod-template-hash"]
    )
    world.good = lambda image: True
    world.update("v3")
    assert ends(world).endswith("active v3 preview v3 Healthy")


def test_a_promoted_version_that_crashes_later_stays() -> None:
    world = deployed(scaleDownDelaySeconds=0)
    world.update("v2")
    world.settle()
    world.crash("v2")
    assert ends(world).startswith("v1:0/0 v2:0/3 active v2 preview v2 Progressing")


def test_pods_that_are_merely_not_ready_take_no_promotion_back() -> None:
    world = deployed()
    world.update("v2")
    world.settle()
    world.good = lambda image: image != "v2"
    for pods in world.pods.values():
        for pod in pods:
            pod["status"]["ready"] = pod["status"]["ready"] and "v1" in str(pod["spec"])
    world.count()
    assert "active v2" in ends(world)


def test_going_back_within_the_delay_is_instant() -> None:
    world = deployed(autoPromotionEnabled=False, prePromotionAnalysis=ANALYSIS)
    world.forward(1)
    world.update("v2")
    world.settle()
    world.status(pauseConditions=None)
    world.settle()
    assert world.led("active") == "v2"
    runs = len(world.runs)
    world.update("v1")
    states = world.told()
    assert states[0].startswith("v1:3/3 v2:3/3 active v2")
    assert states[1].startswith("v1:3/3 v2:3/3 active v1")
    assert states[-1] == "v1:3/3 v2:3/3 active v1 preview v1 Healthy"
    assert len(world.runs) == runs
    world.forward(31)
    assert ends(world) == "v1:3/3 v2:0/0 active v1 preview v1 Healthy"


def test_going_back_after_the_delay_is_an_update_unless_it_is_within_the_window() -> None:
    world = deployed(autoPromotionEnabled=False)
    world.forward(1)
    world.update("v2")
    world.settle()
    world.status(pauseConditions=None)
    world.settle()
    world.forward(31)
    world.settle()
    world.update("v1")
    assert ends(world) == "v1:3/3 v2:3/3 active v2 preview v1 Paused (BlueGreenPause)"
    world.rollout["spec"]["rollbackWindow"] = {"revisions": 1}
    assert ends(world) == "v1:3/3 v2:3/3 active v1 preview v1 Healthy"


def test_going_back_to_the_stable_template_during_the_update() -> None:
    world = deployed(autoPromotionEnabled=False)
    world.update("v2")
    world.settle()
    world.update("v1")
    assert ends(world) == "v1:3/3 v2:3/3 active v1 preview v1 Healthy"
    world.forward(31)
    assert ends(world) == "v1:3/3 v2:0/0 active v1 preview v1 Healthy"


def test_going_back_to_the_stable_template_after_the_switch_while_the_new_pods_crash() -> None:
    world = deployed(postPromotionAnalysis=ANALYSIS)
    world.verdict = ""
    world.update("v2")
    world.settle()
    world.update("v1")
    world.crash("v2")
    assert any("active v1" in state for state in world.told()[:3])
    assert world.state.endswith("Healthy")


def test_an_update_on_an_update_goes_from_the_active_version_to_the_newest() -> None:
    world = deployed(autoPromotionEnabled=False)
    world.update("v2")
    world.settle()
    world.update("v3")
    assert ends(world) == "v1:3/3 v2:0/0 v3:3/3 active v1 preview v3 Paused (BlueGreenPause)"


def test_a_person_may_hold_everything() -> None:
    world = deployed()
    world.rollout["spec"]["paused"] = True
    world.update("v2")
    assert ends(world) == "v1:3/3 v2:0/0 active v1 preview v1 Paused (manually paused)"
    world.rollout["spec"]["replicas"] = 4
    assert ends(world) == "v1:4/4 v2:4/4 active v1 preview v1 Paused (manually paused)"
    world.rollout["spec"]["paused"] = False
    assert ends(world) == "v1:4/4 v2:4/4 active v2 preview v2 Healthy"


def test_the_switch_waits_for_every_pod() -> None:
    world = deployed()
    world.good = lambda image: image != "v2"
    world.update("v2")
    world.settle()
    for most in (1, 1):
        world.good = lambda image: True
        world.start(most)
        world.slice()
        world.turn()
        assert world.led("active") == "v1"
    assert ends(world).endswith("active v2 preview v2 Healthy")


def test_the_promotion_waits_until_the_endpoints_have_followed() -> None:
    world = deployed(scaleDownDelaySeconds=0)
    world.update("v2")
    for _ in range(20):
        world.replicate()
        world.start()
        world.slice("preview")
        world.turn()
    assert world.state.startswith("v1:3/3 v2:3/3 active v2 preview v2 Progressing (waiting for post-promotion")
    assert ends(world) == "v1:0/0 v2:3/3 active v2 preview v2 Healthy"


def test_scaling_during_the_preview() -> None:
    world = deployed(autoPromotionEnabled=False, previewReplicaCount=1)
    world.update("v2")
    world.settle()
    world.rollout["spec"]["replicas"] = 5
    assert ends(world) == "v1:5/5 v2:1/1 active v1 preview v2 Paused (BlueGreenPause)"
    world.rollout["spec"]["replicas"] = 0
    world.status(pauseConditions=None)
    world.settle()
    assert world.led("active") == "v2"


def test_a_selector_that_leads_nowhere_is_mended() -> None:
    world = deployed(autoPromotionEnabled=False)
    world.update("v2")
    world.settle()
    world.services["active"]["spec"]["selector"]["rollouts-pod-template-hash"] = "gone"
    assert "active v1" in ends(world)


def test_the_events_of_an_update() -> None:
    world = BlueGreenWorld(blue_green())
    world.settle()
    world.log.clear()
    world.update("v2")
    world.settle()
    assert [line.partition(":")[0] for line in world.log] == [
        "RolloutUpdated", "RolloutNotCompleted", "SwitchService", "ScalingReplicaSet", "SwitchService",
        "RolloutCompleted",
    ]  # fmt: skip


def test_what_users_are_led_to_stays_until_the_endpoints_have_followed() -> None:
    world = deployed(postPromotionAnalysis=ANALYSIS)
    world.verdict = ""
    world.update("v2")
    world.settle()
    assert world.led("active") == "v2"
    world.update("v3")
    for _ in range(10):
        world.replicate()
        world.start()
        world.slice("preview")
        world.turn()
    assert world.state.startswith("v1:3/3 v2:3/3 v3:3/3 active v3")
    assert ends(world).startswith("v1:3/3 v2:0/0 v3:3/3 active v3")


def test_an_abort_goes_back_to_fewer_pods_than_wanted_when_there_are_no_others() -> None:
    world = deployed(postPromotionAnalysis=ANALYSIS)
    world.verdict = ""
    world.update("v2")
    world.settle()
    old = next(name for name, one in world.sets.items() if "v1" in str(one["spec"]["template"]))
    world.good = lambda image: False
    for name, pods in world.pods.items():
        for pod in pods[: 1 if name == old else 2]:
            pod["status"]["ready"] = False
    world.count()
    world.status(abort=True)
    assert world.told()[0].startswith("v1:2/3 v2:1/3 active v1")


def test_the_old_pods_follow_the_wanted_number_until_the_new_version_is_stable() -> None:
    world = deployed(postPromotionAnalysis=ANALYSIS)
    world.verdict = ""
    world.update("v2")
    world.settle()
    world.rollout["spec"]["replicas"] = 5
    assert ends(world).startswith("v1:5/5 v2:5/5 active v2")


def test_a_passed_deadline_aborts_where_that_is_wanted_and_leaves_the_template() -> None:
    world = deployed()
    world.rollout["spec"] |= {"progressDeadlineSeconds": 60, "progressDeadlineAbort": True}
    world.good = lambda image: image != "v2"
    world.update("v2")
    world.settle()
    world.forward(61)
    state = ends(world)
    assert state.startswith("v1:3/3 v2:0/3 active v1 preview v2 Degraded (RolloutAborted: Rollout aborted update to")
    assert "has timed out progressing" in state
    assert "v2" in str(world.rollout["spec"]["template"])


def test_an_active_service_that_is_made_anew_in_mid_update_does_not_promote_it():
    world = deployed(autoPromotionEnabled=False)
    world.update("v2")
    world.settle()
    assert world.state == "v1:3/3 v2:3/3 active v1 preview v2 Paused (BlueGreenPause)"
    world.services["active"]["spec"]["selector"] = {"app": "web"}
    world.settle()
    assert world.state == "v1:3/3 v2:3/3 active v1 preview v2 Paused (BlueGreenPause)"


def test_an_active_service_that_is_made_anew_ends_no_analysis_before_its_time():
    world = deployed(prePromotionAnalysis=ANALYSIS)
    world.verdict = ""
    world.update("v2")
    world.settle()
    world.services["active"]["spec"]["selector"] = {"app": "web"}
    world.settle()
    assert world.led("active") == "v1"
    assert all(not run["spec"].get("terminate") for run in world.runs.values())


def test_an_active_service_that_selects_all_versions_holds_up_no_preview_of_no_pods():
    world = deployed(previewReplicaCount=0)
    world.update("v2")
    world.services["active"]["spec"]["selector"] = {"app": "web"}
    world.settle()
    world.forward(60)
    world.settle()
    assert world.state == "v1:0/0 v2:3/3 active v2 preview v2 Healthy"
