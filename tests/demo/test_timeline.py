"""Samples from objects, and what rolling out and undoing mean."""

from drumroll.demo.rollout import deadline_exceeded, excuse, is_rolled_out, previous, undo_patch
from drumroll.demo.timeline import sample_of
from drumroll.objects import clock
from drumroll.objects.meta import timestamp

DEPLOYMENT = {"metadata": {"name": "storefront", "uid": "d", "generation": 2}, "spec": {"replicas": 4}}


def replica_set(name, image, replicas, revision=1, **annotations):
    labels = {"app": "storefront", "pod-template-hash": name}
    return {
        "metadata": {
            "name": f"storefront-{name}",
            "uid": name,
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": str(revision), **annotations},
            "ownerReferences": [{"uid": "d", "controller": True}],
        },
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"image": image}]}},
        },
    }


def pod(owner, *, ready=True, deleting=False, phase="Running"):
    meta = {"name": f"{owner}-x", "ownerReferences": [{"uid": owner, "controller": True}]}
    if deleting:
        meta["deletionTimestamp"] = timestamp(clock.now())
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": meta, "status": {"phase": phase, "conditions": conditions}}


def test_a_sample_counts_pods_by_replica_set():
    sets = [replica_set("bbbb", "r.io:5000/shop/storefront:0.0.2", 2), replica_set("aaaa", "storefront:0.0.1", 3)]
    sets.append(replica_set("cccc", "r.io:5000/storefront", 0))
    pods = [pod("aaaa"), pod("aaaa"), pod("aaaa", deleting=True), pod("bbbb", ready=False), pod("bbbb", phase="Failed")]
    old, new = sample_of(sets, pods, 5.0).sets
    assert (old.name, old.version, old.desired, old.current, old.ready, old.ending) == ("aaaa", "0.0.1", 3, 2, 2, 1)
    assert (new.name, new.version, new.desired, new.current, new.ready, new.ending) == ("bbbb", "0.0.2", 2, 1, 0, 0)


def with_status(**status):
    return {**DEPLOYMENT, "status": {"observedGeneration": 2, **status}}


def test_rolled_out_only_when_everything_is_new_and_available():
    done = {"replicas": 4, "updatedReplicas": 4, "availableReplicas": 4}
    assert is_rolled_out(with_status(**done))
    assert not is_rolled_out(DEPLOYMENT)
    assert not is_rolled_out(with_status(**{**done, "observedGeneration": 1}))
    assert not is_rolled_out(with_status(**{**done, "updatedReplicas": 3}))
    assert not is_rolled_out(with_status(**{**done, "replicas": 5}))
    assert not is_rolled_out(with_status(**{**done, "availableReplicas": 3}))


def test_giving_up_is_noticed():
    condition = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "has timed out"}
    assert deadline_exceeded(with_status(conditions=[condition])) == "has timed out"
    assert deadline_exceeded(with_status()) == ""


def test_undo_goes_back_to_the_revision_before_the_newest():
    cause = {"kubernetes.io/change-cause": "first"}
    sets = [
        replica_set("bbbb", "s:2", 4, 10),
        replica_set("aaaa", "s:1", 0, 9, **cause),
        replica_set("zzzz", "s:0", 0, 2),
    ]
    stranger = replica_set("dddd", "s:9", 1, 11)
    stranger["metadata"]["ownerReferences"][0]["uid"] = "other"
    target = previous(DEPLOYMENT, [*sets, stranger])
    assert target is sets[1]
    deployment = {**DEPLOYMENT, "metadata": {"uid": "d", "annotations": {"a": "b", "kubernetes.io/change-cause": "x"}}}
    template, annotations = undo_patch(deployment, target)
    assert template["value"]["metadata"]["labels"] == {"app": "storefront"}
    assert template["value"]["spec"] == {"containers": [{"image": "s:1"}]}
    assert annotations["value"] == {"a": "b", "kubernetes.io/change-cause": "first"}
    assert "pod-template-hash" in target["spec"]["template"]["metadata"]["labels"], "shared objects are not changed"


def test_there_is_nothing_before_the_first_revision():
    assert previous(DEPLOYMENT, [replica_set("aaaa", "s:1", 4)]) is None


def test_excuses_come_from_containers_that_wait():
    waiting = pod("aaaa", ready=False)
    waiting["status"]["containerStatuses"] = [
        {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no s:9"}}}
    ]
    assert excuse([pod("aaaa"), waiting]) == "aaaa-x: ImagePullBackOff no s:9"
    assert excuse([pod("aaaa")]) == ""
