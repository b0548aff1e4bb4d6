"""A Rollout's status: phases and messages in the original's order, conditions, revisions, what is written."""

from copy import deepcopy
from datetime import timedelta

import pytest

from drumroll.domain.actions import Create, Delete, Patch, Record
from drumroll.domain.rollout.conditions import conditions_of
from drumroll.domain.rollout.phase import phase_of
from drumroll.domain.rollout.revision import (
    ensure_new,
    is_scaling_event,
    plain_template,
    pod_hash,
    sort_sets,
    surplus,
)
from drumroll.domain.rollout.services import switch
from drumroll.domain.rollout.status import counted, difference, finished, refused
from drumroll.domain.templates import template_hash
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import timestamp
from drumroll.objects.patch import merge
from tests.domain.rollouts import NOW, hash_for, replica_set, rollout, template, turn

BLUE = {"blueGreen": {"activeService": "active"}}
FULL = {"updatedReplicas": 4, "availableReplicas": 4, "replicas": 4, "stableRS": "new", "currentPodHash": "new"}


def progressing(reason, message="why"):
    return {"conditions": [{"type": "Progressing", "status": "False", "reason": reason, "message": message}]}


@pytest.mark.parametrize(
    ("strategy", "spec", "status", "phase"),
    [
        (None, {}, FULL, ("Healthy", "")),
        (None, {}, {"conditions": [{"type": "InvalidSpec", "reason": "InvalidSpec", "message": "m"}]},
         ("Degraded", "InvalidSpec: m")),
        (None, {"paused": True}, progressing("RolloutAborted"), ("Degraded", "RolloutAborted: why")),
        (None, {}, progressing("ProgressDeadlineExceeded"), ("Degraded", "ProgressDeadlineExceeded: why")),
        (None, {"paused": True}, {"pauseConditions": [{"reason": "CanaryPauseStep"}]}, ("Paused", "manually paused")),
        (None, {}, {"pauseConditions": [{"reason": "CanaryPauseStep"}]}, ("Paused", "CanaryPauseStep")),
        (None, {"restartAt": "2026-01-01T00:00:00Z"}, FULL, ("Progressing", "rollout is restarting")),
        (None, {}, {}, ("Progressing", "more replicas need to be updated")),
        (None, {}, {**FULL, "availableReplicas": 3},
         ("Progressing", "updated replicas are still becoming available")),
        (None, {}, {**FULL, "replicas": 5}, ("Progressing", "old replicas are pending termination")),
        (None, {}, {**FULL, "stableRS": "old"}, ("Progressing", "waiting for all steps to complete")),
        ({"canary": {"trafficRouting": {"smi": {}}}}, {}, {**FULL, "replicas": 5}, ("Healthy", "")),
        (BLUE, {}, FULL, ("Progressing", "active service cutover pending")),
        (BLUE, {}, {**FULL, "blueGreen": {"activeSelector": "old"}}, ("Progressing", "active service cutover pending")),
        (BLUE, {}, {**FULL, "stableRS": "old", "blueGreen": {"activeSelector": "new"}},
         ("Progressing", "waiting for post-promotion verification to complete")),
        ({"blueGreen": {"activeService": "a", "postPromotionAnalysis": {"templates": []}}}, {},
         {**FULL, "stableRS": "old", "blueGreen": {"activeSelector": "new"}},
         ("Progressing", "waiting for analysis to complete")),
        (BLUE, {}, {**FULL, "replicas": 8, "blueGreen": {"activeSelector": "new"}}, ("Healthy", "")),
    ],
)  # fmt: skip
def test_phase_and_message(strategy, spec, status, phase):
    assert phase_of(Rollout(rollout(strategy, **spec)), status) == phase


def test_a_new_replica_set_starts_with_no_pods_and_the_next_revision():
    owner = rollout(image="app:2")
    owner["metadata"]["annotations"] = {"note": "kept", "rollout.argoproj.io/revision": "1"}
    create, note, told = ensure_new(turn(owner, replica_set(owner, "app:1", 4)))
    assert isinstance(told, Record)
    assert told.message == "Rollout updated to revision 2"
    assert isinstance(create, Create)
    assert isinstance(note, Patch)
    wanted = hash_for(owner, "app:2")
    assert create.obj["metadata"]["name"] == f"web-{wanted}"
    assert create.obj["spec"]["replicas"] == 0
    assert create.obj["metadata"]["annotations"] == {
        "note": "kept", "rollout.argoproj.io/revision": "2", "rollout.argoproj.io/desired-replicas": "4",
    }  # fmt: skip
    assert create.obj["spec"]["template"]["metadata"]["labels"]["rollouts-pod-template-hash"] == wanted
    assert create.obj["spec"]["selector"]["matchLabels"]["rollouts-pod-template-hash"] == wanted
    assert note.patch["metadata"]["annotations"] == {"rollout.argoproj.io/revision": "2"}


def test_the_hash_is_not_that_of_a_deployment_with_the_same_template():
    """Else their replica sets would have one name when a Rollout is called as the workload that it refers to."""
    view = Rollout(rollout())
    assert pod_hash(view) != template_hash(view.template, None)


def test_going_back_gives_the_old_replica_set_the_newest_revision():
    owner = rollout(image="app:1")
    owner["metadata"]["annotations"] = {"rollout.argoproj.io/revision": "2"}
    found = ensure_new(turn(owner, replica_set(owner, "app:1", 0), replica_set(owner, "app:2", 4, revision=2)))
    assert [action.patch["metadata"]["annotations"] for action in found if isinstance(action, Patch)] == [
        {"rollout.argoproj.io/revision": "3"}, {"rollout.argoproj.io/revision": "3"},
    ]  # fmt: skip


def test_replica_sets_are_known_by_their_part():
    owner = rollout(image="app:3", status={"stableRS": hash_for(rollout(), "app:1")})
    sets = [replica_set(owner, f"app:{n}", 1, revision=n) for n in (3, 2, 1)]
    found = sort_sets(Rollout(owner), sets, hash_for(owner, "app:3"))
    assert (found.new.name, found.stable.name) == (sets[0]["metadata"]["name"], sets[2]["metadata"]["name"])
    assert [rs.name for rs in found.older] == [sets[1]["metadata"]["name"]]


def test_a_replica_set_of_another_makers_hash_is_found_by_its_template():
    owner = rollout()
    other = replica_set(owner, "app:1", 4)
    for labels in (other["metadata"]["labels"], other["spec"]["template"]["metadata"]["labels"]):
        labels["rollouts-pod-template-hash"] = "674d8cf959"
    assert sort_sets(Rollout(owner), [other], hash_for(owner, "app:1")).new.name == other["metadata"]["name"]


def test_ephemeral_metadata_makes_no_other_template():
    owner = rollout()
    made = replica_set(owner, "app:1", 4)
    made["metadata"]["annotations"]["rollout.argoproj.io/ephemeral-metadata"] = '{"labels":{"role":"canary"}}'
    made["spec"]["template"]["metadata"]["labels"]["role"] = "canary"
    found = sort_sets(Rollout(owner), [made], hash_for(owner, "app:1"))
    assert found.new is not None
    assert plain_template(found.new) == template()


def test_history_keeps_the_newest_and_never_what_has_pods_or_waits():
    owner = rollout(image="app:9", revisionHistoryLimit=1)
    old = [replica_set(owner, f"app:{n}", 0, revision=n) for n in range(1, 5)]
    old[0]["spec"]["replicas"] = 1
    old[1]["metadata"]["annotations"]["scale-down-deadline"] = timestamp(NOW)
    found = surplus(Rollout(owner), sort_sets(Rollout(owner), old, "x"))
    assert [action.key.name for action in found if isinstance(action, Delete)] == [
        old[2]["metadata"]["name"], old[3]["metadata"]["name"],
    ]  # fmt: skip


def test_a_changed_size_is_noticed():
    owner = rollout()
    sets = sort_sets(Rollout(owner), [replica_set(owner, "app:1", 4)], "x")
    assert not is_scaling_event(Rollout(owner), sets)
    assert is_scaling_event(Rollout({**owner, "spec": {**owner["spec"], "replicas": 6}}), sets)


def test_counts_and_selector():
    owner = rollout(image="app:2")
    found = counted(turn(owner, replica_set(owner, "app:1", 3), replica_set(owner, "app:2", 1, 0, 2))).status
    assert {name: found[name] for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")} == {
        "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 3,
    }  # fmt: skip
    assert (found["selector"], found["observedGeneration"]) == ("app=web", "1")


def test_blue_green_counts_the_active_pods_for_autoscalers():
    active = hash_for(rollout(), "app:1")
    owner = rollout(BLUE, "app:2", {"blueGreen": {"activeSelector": active}})
    found = counted(turn(owner, replica_set(owner, "app:1", 4, 2), replica_set(owner, "app:2", 4, 4, 2))).status
    assert [found[name] for name in ("HPAReplicas", "readyReplicas", "availableReplicas")] == [4, 2, 2]
    assert (found["replicas"], found["updatedReplicas"]) == (8, 4)
    assert found["selector"] == f"app=web,rollouts-pod-template-hash={active}"


def test_blue_green_counts_all_pods_before_its_service_leads_to_any():
    owner = rollout(BLUE, "app:2")
    found = counted(turn(owner, replica_set(owner, "app:1", 4, 2), replica_set(owner, "app:2", 4, 4, 2))).status
    assert [found[name] for name in ("HPAReplicas", "readyReplicas", "availableReplicas")] == [8, 6, 6]


def conditions(status, before=None, now=NOW, strategy=None, **spec):
    owner = rollout(strategy, status=before or {}, **spec)
    found = conditions_of(Rollout(owner), {"observedGeneration": "1", **status}, turn(owner).sets, now)
    return {one["type"]: (one["status"], one["reason"]) for one in found}


def test_conditions_of_a_finished_update():
    assert conditions(FULL) == {
        "Available": ("True", "AvailableReason"),
        "Paused": ("False", "RolloutPaused"),
        "Completed": ("True", "RolloutCompleted"),
        "Healthy": ("True", "RolloutHealthy"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }


@pytest.mark.parametrize(
    ("reason", "status", "spec", "after", "wanted"),
    [
        ("ReplicaSetUpdated", {"updatedReplicas": 1}, {}, 0, ("True", "ReplicaSetUpdated")),
        ("ReplicaSetUpdated", {}, {}, 599, ("True", "ReplicaSetUpdated")),
        ("ReplicaSetUpdated", {}, {}, 600, ("False", "ProgressDeadlineExceeded")),
        ("ReplicaSetUpdated", {}, {"progressDeadlineSeconds": 2147483647}, 9999, ("True", "ReplicaSetUpdated")),
        ("ReplicaSetUpdated", {"pauseConditions": [{"reason": "x"}]}, {}, 9999, ("Unknown", "RolloutPaused")),
        ("ReplicaSetUpdated", {}, {"paused": True}, 9999, ("Unknown", "RolloutPaused")),
        ("RolloutPaused", {}, {}, 9999, ("Unknown", "RolloutResumed")),
        ("ProgressDeadlineExceeded", {}, {}, 0, ("False", "ProgressDeadlineExceeded")),
        ("ProgressDeadlineExceeded", {"updatedReplicas": 1}, {}, 0, ("True", "ReplicaSetUpdated")),
        ("ReplicaSetUpdated", {"abort": True}, {}, 0, ("False", "RolloutAborted")),
        ("RolloutAborted", {}, {}, 0, ("Unknown", "RolloutRetry")),
        ("NewReplicaSetAvailable", {**FULL, "availableReplicas": 1}, {}, 9999, ("True", "NewReplicaSetAvailable")),
        ("NewReplicaSetAvailable", FULL, {"paused": True}, 0, ("True", "NewReplicaSetAvailable")),
        ("NewReplicaSetAvailable", {**FULL, "stableRS": "old"}, {"paused": True}, 0, ("Unknown", "RolloutPaused")),
    ],
)
def test_progress(reason, status, spec, after, wanted):
    past = {
        "type": "Progressing", "status": "False" if "Exceeded" in reason or "Aborted" in reason else "True",
        "reason": reason, "message": "m", "lastUpdateTime": timestamp(NOW), "lastTransitionTime": timestamp(NOW),
    }  # fmt: skip
    marks = {name: status[name] for name in ("stableRS", "currentPodHash") if name in status}
    before = {"conditions": [past], **marks}
    assert conditions(status, before, NOW + timedelta(seconds=after), **spec)["Progressing"] == wanted


def test_what_is_written_is_what_changed_and_names_the_revision_seen():
    owner = rollout(image="app:1", status={"message": "old", "canary": {"weights": {"a": 1}}, "abort": True})
    made = turn(owner, replica_set(owner, "app:1", 4))
    plan = finished(made.with_status(abort=None, stableRS=made.pod_hash))
    (patch,) = (action for action in plan.actions if isinstance(action, Patch))
    assert patch.patch["metadata"]["resourceVersion"] == "7"
    assert patch.patch["status"]["abort"] is None
    after = deepcopy(owner)
    after["status"] = merge(owner["status"], patch.patch["status"])
    assert (after["status"]["phase"], after["status"].get("message")) == ("Healthy", None)
    again = turn(after, replica_set(owner, "app:1", 4))
    assert finished(again).actions == ()


def test_a_refused_rollout_says_why_once():
    owner = rollout()
    plan = refused(owner, "spec.replicas: no", NOW)
    assert [type(action) for action in plan.actions] == [Record, Patch]
    owner["status"] = plan.actions[1].patch["status"]
    assert owner["status"]["message"] == "InvalidSpec: spec.replicas: no"
    assert refused(owner, "spec.replicas: no", NOW).actions == ()


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {}, {"a": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": 0}, {"a": False}, {}),
    ],
)
def test_differences_are_merge_patches(before, after, patch):
    assert difference(before, after) == patch


def service(selected="", managed=None):
    meta = {"namespace": "default", "name": "active", "uid": "s1", "resourceVersion": "5"}
    if managed:
        meta["annotations"] = {"argo-rollouts.argoproj.io/managed-by-rollouts": managed}
    selector = {"app": "web"} | ({"rollouts-pod-template-hash": selected} if selected else {})
    return {"metadata": meta, "spec": {"selector": selector}}


def test_a_service_is_switched_once_and_only_as_it_was_seen():
    found = turn(rollout(), services={"active": service("old", "web")})
    patch, event = switch(found, "active", "new")
    assert isinstance(patch, Patch)
    assert isinstance(event, Record)
    assert patch.patch["metadata"]["resourceVersion"] == "5"
    assert event.message == "Switched selector for service 'active' from 'old' to 'new'"
    assert switch(turn(rollout(), services={"active": service("new", "web")}), "active", "new") == ()
    assert switch(turn(rollout()), "active", "new") == ()
    assert switch(found, "active", "") == ()
