"""What a Rollout does besides replacing pods: labels for their role, restarts, and the workload that it takes over."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from drumroll.domain.actions import Evict, Patch
from drumroll.domain.rollout.ephemeral import with_metadata
from drumroll.domain.rollout.inputs import Inputs
from drumroll.domain.rollout.restart import with_restart
from drumroll.domain.rollout.revision import EPHEMERAL, plain_template, sort_sets
from drumroll.domain.rollout.workload import with_template, with_workload_scaled
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.meta import timestamp
from drumroll.objects.patch import merge
from tests.domain.rollouts import NOW, Obj, hash_for, replica_set, rollout, template, turn

CANARY = {
    "canary": {
        "canaryMetadata": {"labels": {"role": "canary"}, "annotations": {"note": "new"}},
        "stableMetadata": {"labels": {"role": "stable"}},
    }
}
BLUE = {
    "blueGreen": {
        "activeService": "a",
        "activeMetadata": {"labels": {"role": "active"}},
        "previewMetadata": {"labels": {"role": "preview"}},
    }
}


def pod(owner: Obj, name: str, seconds: int = 0, ready: bool = True, **meta: Any) -> Obj:
    reference = {"kind": "ReplicaSet", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    labels = dict(owner["spec"]["template"]["metadata"]["labels"])
    made = {
        "namespace": "default", "name": name, "uid": f"pod-{name}", "labels": labels,
        "creationTimestamp": timestamp(NOW + timedelta(seconds=seconds)),
        "ownerReferences": [{**reference, "controller": True}], **meta,
    }  # fmt: skip
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "status": status}


def roles(strategy: Obj, stable: str) -> dict[str, Obj]:
    """The metadata that each patched object gets, in an update from app:1 to app:2."""
    owner = rollout(strategy, "app:2", {"stableRS": hash_for(rollout(), stable)})
    old, new = replica_set(owner, "app:1", 2), replica_set(owner, "app:2", 1, revision=2)
    found = with_metadata(turn(owner, old, new, pods=(pod(old, "old"), pod(new, "new"))))
    patched = {}
    for action in found.actions:
        assert isinstance(action, Patch)
        part = action.patch["metadata"] if action.kind.name == "Pod" else action.patch["spec"]["template"]["metadata"]
        patched[f"{action.kind.name} {action.key.name}"] = {k: v for k, v in part.items() if k != "uid"}
    return {name.replace(hash_for(owner, "app:1"), "1").replace(hash_for(owner, "app:2"), "2"): part
            for name, part in patched.items()}  # fmt: skip


@pytest.mark.parametrize(
    ("strategy", "stable", "wanted"),
    [
        (CANARY, "app:1", {
            "Pod new": {"labels": {"role": "canary"}, "annotations": {"note": "new"}},
            "ReplicaSet web-2": {"labels": {"role": "canary"}, "annotations": {"note": "new"}},
            "Pod old": {"labels": {"role": "stable"}}, "ReplicaSet web-1": {"labels": {"role": "stable"}},
        }),
        (CANARY, "app:2", {
            "Pod new": {"labels": {"role": "stable"}}, "ReplicaSet web-2": {"labels": {"role": "stable"}},
        }),
        (BLUE, "app:1", {
            "Pod new": {"labels": {"role": "preview"}}, "ReplicaSet web-2": {"labels": {"role": "preview"}},
            "Pod old": {"labels": {"role": "active"}}, "ReplicaSet web-1": {"labels": {"role": "active"}},
        }),
        ({"canary": {}}, "app:1", {}),
    ],
    ids=["canary", "promoted", "blue/green", "none"],
)  # fmt: skip
def test_each_role_has_its_metadata(strategy: Obj, stable: str, wanted: dict[str, Obj]) -> None:
    assert roles(strategy, stable) == wanted


def test_the_metadata_of_a_role_goes_with_the_role_and_the_template_stays_the_same() -> None:
    owner = rollout(CANARY, "app:2", {"stableRS": hash_for(rollout(), "app:1")})
    new = replica_set(owner, "app:2", 1, revision=2)
    for action in with_metadata(turn(owner, new)).actions:
        assert isinstance(action, Patch)
        new = merge(new, action.patch)
    assert orjson.loads(new["metadata"]["annotations"][EPHEMERAL]) == CANARY["canary"]["canaryMetadata"]
    assert plain_template(ReplicaSet(new)) == template("app:2")
    assert sort_sets(turn(owner).rollout, [new], "another").new is not None
    assert with_metadata(turn(owner, new)).actions == ()
    owner["status"] = {"stableRS": hash_for(owner, "app:2")}
    one = pod(new, "new")
    one["metadata"]["annotations"] = {"note": "new"}
    to_pod, to_set = with_metadata(turn(owner, new, pods=(one,))).actions
    assert isinstance(to_pod, Patch)
    assert isinstance(to_set, Patch)
    change = {"labels": {"role": "stable"}, "annotations": {"note": None}}
    assert {k: v for k, v in to_pod.patch["metadata"].items() if k != "uid"} == change
    assert to_set.patch["spec"]["template"]["metadata"] == change


def evicted(owner: Obj, pods: tuple[Obj, ...], *sets: Obj) -> list[str]:
    return [
        action.key.name for action in with_restart(turn(owner, *sets, pods=pods)).actions if isinstance(action, Evict)
    ]


def restarting(**spec: Any) -> tuple[Obj, Obj]:
    owner = rollout(restartAt=timestamp(NOW - timedelta(seconds=1)), **spec)
    owner["status"] = {"stableRS": hash_for(owner, "app:1")}
    return owner, replica_set(owner, "app:1", 4)


def test_old_pods_are_evicted_one_by_one() -> None:
    owner, one = restarting()
    pods = tuple(pod(one, f"p{n}", -10) for n in range(4))
    assert evicted(owner, pods, one) == ["p0"]
    going = ({**pods[0], "metadata": {**pods[0]["metadata"], "deletionTimestamp": timestamp(NOW)}}, *pods[1:])
    assert evicted(owner, going, one) == []
    assert evicted(owner, (*pods[1:], pod(one, "fresh", ready=False)), one) == []
    assert evicted(owner, (*pods[1:], pod(one, "fresh")), one) == ["p1"]


def test_half_of_them_may_be_missing() -> None:
    owner, one = restarting(strategy={"canary": {"maxUnavailable": "50%"}})
    assert evicted(owner, tuple(pod(one, f"p{n}", -10) for n in range(4)), one) == ["p0", "p1"]


def test_an_old_pod_that_serves_nobody_does_not_wait_for_the_others() -> None:
    owner, one = restarting()
    one["status"]["availableReplicas"] = 3
    pods = (pod(one, "bad", -10, ready=False), *(pod(one, f"p{n}", -10) for n in range(3)))
    assert evicted(owner, pods, one) == ["bad"]


def test_a_restart_is_over_when_no_old_pod_is_left_and_is_waited_for_when_it_is_to_come() -> None:
    owner, one = restarting()
    done = with_restart(turn(owner, one, pods=(pod(one, "p"),)))
    assert done.status["restartedAt"] == owner["spec"]["restartAt"]
    owner["spec"]["restartAt"] = timestamp(NOW + timedelta(hours=1))
    later = with_restart(turn(owner, one, pods=(pod(one, "p", -10),)))
    assert (later.actions, later.wake_at) == ((), NOW + timedelta(hours=1))


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "PodTemplate"])
def test_a_workload_gives_the_template(kind: str) -> None:
    labels = {"app": "web", "pod-template-hash": "x"}
    given = {"template": {"metadata": {"labels": labels}, "spec": template()["spec"]}}
    body: Obj = given if kind == "PodTemplate" else {"spec": {**given, "selector": {"matchLabels": labels}}}
    owner = rollout(workloadRef={"kind": kind, "name": "w"})
    del owner["spec"]["template"]
    if kind != "PodTemplate":
        del owner["spec"]["selector"]
    found = with_template(Inputs(owner, workload={"kind": kind, "metadata": {"name": "w"}, **body}))
    assert found["spec"]["template"] == template()
    assert found["spec"]["selector"] == {"matchLabels": {"app": "web"}}


@pytest.mark.parametrize(
    ("down", "available", "status", "size"),
    [
        ("never", 4, "stable", None),
        ("onsuccess", 3, "stable", None),
        ("onsuccess", 4, "", None),
        ("onsuccess", 4, "stable", 0),
        ("progressively", 0, "", None),
        ("progressively", 1, "", 3),
        ("progressively", 4, "stable", 0),
    ],
)
def test_the_workload_goes_as_it_is_told(down: str, available: int, status: str, size: int | None) -> None:
    owner = rollout(workloadRef={"kind": "Deployment", "name": "w", "scaleDown": down})
    owner["status"] = {"stableRS": hash_for(owner, "app:1")} if status else {}
    workload = {"kind": "Deployment", "metadata": {"name": "w", "namespace": "default", "uid": "d", "generation": 3}}
    workload["spec"] = {"replicas": 4}
    found = with_workload_scaled(turn(owner, replica_set(owner, "app:1", 4, available), workload=workload))
    assert [action.patch["spec"] for action in found.actions if isinstance(action, Patch)] == (
        [] if size is None else [{"replicas": size}]
    )
    assert found.status["workloadObservedGeneration"] == "3"
    own = with_workload_scaled(turn(rollout(status={"workloadObservedGeneration": "3"})))
    assert "workloadObservedGeneration" not in own.status


def test_a_first_version_that_is_given_up_gives_the_workload_its_pods_back() -> None:
    owner = rollout(
        workloadRef={"kind": "Deployment", "name": "w", "scaleDown": "progressively"}, status={"abort": True}
    )
    workload = {
        "kind": "Deployment",
        "metadata": {"name": "w", "namespace": "default", "uid": "d"},
        "spec": {"replicas": 1},
    }
    (patch,) = with_workload_scaled(turn(owner, replica_set(owner, "app:1", 4, 3), workload=workload)).actions
    assert isinstance(patch, Patch)
    assert patch.patch["spec"] == {"replicas": 4}
