"""Crowds: what is counted after any history of pods is what would be counted anew."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.crowd import Crowd, Crowds
from drumroll.domain.replica import replica_of
from drumroll.objects.meta import Obj
from tests.domain.workloads import pod

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-v1", "uid": "one", "controller": True}


def owned(name: str, owner: str = "one", **fields: object) -> Obj:
    return pod(name, ownerReferences=[{**OWNER, "uid": owner}], **fields)


STATES: dict[str, Callable[[str], Obj | None]] = {
    "ready": owned,
    "not ready": lambda name: owned(name, ready=False),
    "going": lambda name: owned(name, deletionTimestamp="2026-11-22T22:00:00Z"),
    "ended": lambda name: owned(name, phase="Failed"),
    "labelled otherwise": lambda name: owned(name, labels={"app": "other"}),
    "owned by another": lambda name: owned(name, "two"),
    "an orphan": pod,
    "another of that name": lambda name: owned(name, uid=f"{name}-2"),
    "gone": lambda name: None,
}


def counted(crowd: Crowd) -> object:
    groups = {(group.labels, group.is_ready): set(group.replicas) for group in crowd.groups()}
    return groups, crowd.leaving, crowd.on_node


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(sorted(STATES))), max_size=20))
def test_kept_crowds_are_as_crowds_made_anew(history: list[tuple[str, str]]) -> None:
    kept, there = Crowds(), dict[str, Obj]()
    for name, state in history:
        old, new = there.pop(name, None), STATES[state](name)
        if new is not None:
            there[name] = new
        if old is not None or new is not None:
            kept.changed(old, new)
        for owner in ("one", "two"):
            theirs = (found for found in map(replica_of, there.values()) if found.owner == owner)
            assert counted(kept.of(owner)) == counted(Crowd(theirs))


def test_a_crowd_is_forgotten_with_its_last_pod() -> None:
    crowds = Crowds()
    ended, ready = owned("a", phase="Failed"), owned("b")
    for one in (ended, ready):
        crowds.changed(None, one)
    for one in (ready, ended):
        crowds.changed(one, None)
    assert not crowds.of("one")
