"""Updates by canary in a world where pods, Services and the mesh follow at their own pace."""

from typing import Any

from tests.domain.rollout_world import World, rollout, routed

STEPS = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": 10}}]


def told(world: World) -> list[str]:
    """What has changed, turn by turn, until nothing is left to do."""
    states: list[str] = []
    for _ in range(60):
        world.replicate()
        world.start()
        world.slice()
        world.acknowledge()
        was_busy = world.turn()
        if not states or states[-1] != world.state:
            states.append(world.state)
        if not was_busy:
            return states
    raise AssertionError(states)


def deployed(one: dict[str, Any]) -> World:
    world = World(one)
    world.settle()
    assert world.state.endswith("Healthy")
    return world


def test_the_first_deployment_takes_no_steps() -> None:
    world = World(routed(steps=STEPS))
    assert told(world) == [
        "v1:0/0 None",
        "v1:0/4 step 0 weight 0 Progressing (more replicas need to be updated)",
        "v1:4/4 step 4 weight 0 Healthy",
    ]


def test_an_update_goes_through_its_steps_and_leaves_the_old_pods_a_while() -> None:
    world = deployed(routed(steps=STEPS))
    world.update("v2")
    assert told(world)[3:] == [
        "v1:4/4 v2:1/1 step 0 weight 0 Progressing (more replicas need to be updated)",
        "v1:4/4 v2:1/1 step 0 weight 25? Progressing (more replicas need to be updated)",
        "v1:4/4 v2:1/1 step 1 weight 25 Progressing (more replicas need to be updated)",
        "v1:4/4 v2:1/1 step 1 weight 25 Paused (CanaryPauseStep)",
    ]
    world.status(pauseConditions=None)
    assert told(world)[1:] == [
        "v1:4/4 v2:1/2 step 2 weight 25 Progressing (more replicas need to be updated)",
        "v1:4/4 v2:2/2 step 2 weight 50? Progressing (more replicas need to be updated)",
        "v1:4/4 v2:2/2 step 3 weight 50 Progressing (more replicas need to be updated)",
        "v1:4/4 v2:2/2 step 3 weight 50 Paused (CanaryPauseStep)",
    ]
    world.forward(10)
    assert told(world)[1:] == [
        "v1:4/4 v2:2/4 step 4 weight 50 Progressing (more replicas need to be updated)",
        "v1:4/4 v2:4/4 step 4 weight 100? Progressing (waiting for all steps to complete)",
        "v1:4/4 v2:4/4 step 4 weight 100 Healthy",
        "v1:4/4 v2:4/4 step 4 weight 0? Healthy",
        "v1:4/4 v2:4/4 step 4 weight 0 Healthy",
    ]
    world.forward(31)
    assert told(world)[-1] == "v1:0/0 v2:4/4 step 4 weight 0 Healthy"


def test_nothing_shrinks_before_the_mesh_has_acknowledged() -> None:
    world = deployed(routed(steps=[{"setWeight": 50}], scaleDownDelaySeconds=1))
    world.update("v2")
    for _ in range(30):  # the mesh says nothing
        world.replicate()
        world.start()
        world.slice()
        world.turn()
    assert world.state == "v1:4/4 v2:2/2 step 0 weight 50? Progressing (more replicas need to be updated)"
    world.settle()
    world.forward(5)
    world.settle()
    assert world.state == "v1:0/0 v2:4/4 step 1 weight 0 Healthy"


def test_an_abort_takes_the_traffic_back_first_and_the_pods_afterwards() -> None:
    world = deployed(routed(steps=STEPS))
    world.update("v2")
    world.settle()
    world.status(abort=True)
    aborted = "Degraded (RolloutAborted: Rollout aborted update to revision 2)"
    assert told(world) == [f"v1:4/4 v2:1/1 step 0 weight 0? {aborted}", f"v1:4/4 v2:1/1 step 0 weight 0 {aborted}"]
    assert world.services["web-canary"]["spec"]["selector"] == world.services["web-stable"]["spec"]["selector"]
    world.forward(31)
    assert told(world)[-1] == f"v1:4/4 v2:0/0 step 0 weight 0 {aborted}"
    world.status(abort=False)
    world.settle()
    assert world.state == "v1:4/4 v2:1/1 step 1 weight 25 Paused (CanaryPauseStep)"


def test_the_events_of_an_update_that_a_person_aborts_and_tries_again() -> None:
    world = deployed(rollout(steps=[{"setWeight": 50}, {"pause": {}}]))
    world.log.clear()
    world.update("v2")
    world.settle()
    world.status(abort=True)
    world.settle()
    world.status(abort=False)
    world.settle()
    world.status(pauseConditions=None)
    world.settle()
    told = [line for line in world.log if line.startswith(("RolloutAborted", "RolloutCompleted"))]
    hash_ = world.rollout["status"]["stableRS"]
    assert told == [
        "RolloutAborted: Rollout aborted update to revision 2",
        f"RolloutCompleted: Rollout completed update to revision 2 ({hash_}): Completed all 2 canary steps",
    ]


def test_pods_that_keep_crashing_abort_the_update() -> None:
    world = deployed(routed(steps=STEPS))
    world.good = lambda image: image != "v2"
    world.update("v2")
    world.settle()
    [pod] = next(pods for pods in world.pods.values() if pods and not pods[0]["status"]["ready"])
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    pod["status"]["containerStatuses"] = [{"name": "c", "restartCount": 2, "state": waiting}]
    world.settle()
    why = f"container c of pod {pod['metadata']['name']} keeps crashing (restarts: 2)"
    assert world.state.endswith(f"Degraded (RolloutAborted: Rollout aborted update to revision 2: {why})")


def test_a_passed_deadline_aborts_where_that_is_wanted() -> None:
    one = routed(steps=STEPS)
    one["spec"] |= {"progressDeadlineSeconds": 60, "progressDeadlineAbort": True}
    world = deployed(one)
    world.good = lambda image: image != "v2"
    world.update("v2")
    world.settle()
    assert world.wake_at is not None
    world.forward(62)
    world.settle()
    assert "RolloutAborted: Rollout aborted update to revision 2: ReplicaSet" in world.state
    assert "has timed out progressing." in world.state


def test_an_update_on_an_update_takes_the_traffic_off_the_one_in_between_first() -> None:
    world = deployed(routed(steps=STEPS))
    world.update("v2")
    world.settle()
    world.update("v3")
    seen = told(world)
    assert seen[2].startswith("v1:4/4 v2:1/1 v3:0/1 step 0 weight 0?")
    assert seen[-1] == "v1:4/4 v2:0/0 v3:1/1 step 1 weight 25 Paused (CanaryPauseStep)"


def test_going_back_to_the_stable_template_skips_the_steps() -> None:
    world = deployed(routed(steps=STEPS))
    world.update("v2")
    world.settle()
    world.update("v1")
    world.settle()
    world.forward(31)
    world.settle()
    assert world.state == "v1:4/4 v2:0/0 step 4 weight 0 Healthy"
    assert "SkipSteps: Rollback to stable" in world.log


def test_an_undo_finds_the_revision_although_its_template_has_defaults_by_now() -> None:
    world = deployed(routed(steps=STEPS))
    world.update("v2")
    world.settle()
    stable = world.rollout["status"]["stableRS"]
    template = world.rollout["spec"]["template"]
    world.update("v1")
    [container] = world.rollout["spec"]["template"]["spec"]["containers"]
    container |= {"terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "Always"}
    assert world.rollout["spec"]["template"] != template
    world.settle()
    assert world.rollout["status"]["currentPodHash"] == stable
    assert "SkipSteps: Rollback to stable" in world.log
    assert world.state.endswith("step 4 weight 0 Healthy")


def test_an_abort_by_a_person_ends_the_pause_and_notes_when() -> None:
    world = deployed(routed(steps=STEPS))
    world.update("v2")
    world.settle()
    assert world.rollout["status"]["pauseConditions"]
    world.status(abort=True)
    world.settle()
    status = world.rollout["status"]
    assert status["abortedAt"]
    assert not {"pauseConditions", "controllerPause"} & set(status)
    world.status(abort=False)
    world.settle()
    assert "abortedAt" not in world.rollout["status"]


def test_a_full_promotion_skips_the_rest() -> None:
    world = deployed(routed(steps=STEPS))
    world.update("v2")
    world.settle()
    world.status(promoteFull=True)
    world.settle()
    assert world.state == "v1:4/4 v2:4/4 step 4 weight 0 Healthy"
    assert any(line.endswith("Full promotion requested") for line in world.log)


def test_a_recent_revision_comes_back_without_steps_and_only_when_its_pods_are_there() -> None:
    one = routed(steps=STEPS)
    one["spec"]["rollbackWindow"] = {"revisions": 1}
    world = deployed(one)
    world.forward(5)
    world.update("v2")
    world.settle()
    world.status(promoteFull=True)
    world.settle()
    world.forward(60)
    world.settle()
    world.update("v1")
    world.replicate()
    for _ in range(6):  # the old version's pods do not come up yet
        world.slice()
        world.acknowledge()
        world.turn()
        world.replicate()
    assert world.mesh["web-canary"] == 0
    world.settle()
    assert any(line.endswith("Rollback within window") for line in world.log)
    assert world.state.startswith("v1:4/4")
    assert world.state.endswith("Healthy")


def test_with_dynamic_stable_scale_the_stable_pods_give_way_as_their_traffic_does() -> None:
    world = deployed(routed(steps=[{"setWeight": 50}, {"pause": {}}], dynamicStableScale=True))
    world.update("v2")
    world.settle()
    assert world.state == "v1:2/2 v2:2/2 step 1 weight 50 Paused (CanaryPauseStep)"
    world.status(abort=True)
    world.replicate()
    world.turn()
    world.replicate()
    assert world.mesh["web-canary"] == 50  # the stable pods are not there yet
    world.settle()
    assert world.mesh["web-canary"] == 0
    assert world.state.startswith("v1:4/4 v2:0/0 step 0 weight 0 Degraded")


def test_without_traffic_routing_the_pods_are_the_traffic() -> None:
    world = deployed(rollout(steps=[{"setWeight": 50}, {"pause": {}}], maxSurge=1, maxUnavailable=0))
    world.update("v2")
    world.settle()
    assert world.state == "v1:2/2 v2:2/2 step 1 Paused (CanaryPauseStep)"
    world.status(pauseConditions=None)
    world.settle()
    assert world.state == "v1:0/0 v2:4/4 step 2 Healthy"
    assert world.most_pods <= 5


def test_a_paused_rollout_does_not_move_and_is_scaled_all_the_same() -> None:
    world = deployed(routed(steps=STEPS))
    world.rollout["spec"]["paused"] = True
    world.update("v2")
    world.settle()
    assert world.state == "v1:4/4 v2:0/0 step 0 weight 0 Paused (manually paused)"
    world.rollout["spec"]["replicas"] = 6
    world.settle()
    assert world.state.startswith("v1:6/6")


def test_a_stable_version_that_somebody_deleted_leaves_all_traffic_to_the_new_one() -> None:
    world = deployed(routed(steps=STEPS))
    world.update("v2")
    world.settle()
    stable = next(name for name, one in world.sets.items() if one["spec"]["replicas"] == 4)
    del world.sets[stable], world.pods[stable]
    assert told(world) == [
        "v2:1/4 step 1 weight 100? Paused (CanaryPauseStep)",
        "v2:4/4 step 4 weight 100 Healthy",
        "v2:4/4 step 4 weight 0? Healthy",
        "v2:4/4 step 4 weight 0 Healthy",
    ]


def test_a_step_that_somebody_skipped_takes_its_pause_along() -> None:
    world = deployed(routed(steps=STEPS))
    world.update("v2")
    world.settle()
    world.good = lambda image: False
    world.status(currentStepIndex=2)
    world.settle()
    assert world.state.startswith("v1:4/4 v2:1/2 step 2 weight 25 Progressing")


def test_traffic_does_not_go_back_to_pods_that_could_not_bear_it_and_its_bearers_stay() -> None:
    world = deployed(routed(steps=[{"setWeight": 50}, {"pause": {}}]))
    world.update("v2")
    world.settle()
    stable = next(name for name, one in world.sets.items() if one["spec"]["replicas"] == 4)
    for pod in world.pods[stable][1:]:
        pod["status"]["ready"] = False
    world.good = lambda image: False
    world.count()
    world.update("v3")
    told(world)
    assert world.mesh == {"web-stable": 50, "web-canary": 50}
    assert world.state.startswith("v1:1/4 v2:2/2 v3:0/2")
    world.good = lambda image: image != "v3"
    told(world)
    assert world.mesh == {"web-stable": 100, "web-canary": 0}
    assert world.state.startswith("v1:4/4 v2:0/0 v3:0/2")


def test_the_weight_goes_back_only_when_the_stable_service_leads_to_the_new_pods() -> None:
    world = deployed(routed(steps=[]))
    world.update("v2")
    for _ in range(12):
        world.replicate()
        world.start()
        world.slice("web-canary")  # the stable Service's endpoints lag behind
        world.acknowledge()
        world.turn()
    assert world.mesh == {"web-stable": 0, "web-canary": 100}
    assert world.state == "v1:4/4 v2:4/4 weight 100 Healthy"
    world.forward(60)
    world.turn()
    assert world.state.startswith("v1:4/4")
    world.settle()
    assert world.mesh == {"web-stable": 100, "web-canary": 0}
