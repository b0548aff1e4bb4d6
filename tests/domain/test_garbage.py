"""What happens to an object by what is known of its owners."""

from typing import Any

import pytest

from drumroll.domain.actions import Delete, Patch, Plan, Together
from drumroll.domain.garbage import Dependent, OwnerState, World, reconcile
from drumroll.domain.namespace import reconcile as reconcile_namespace
from drumroll.objects.kinds import CONFIG_MAP, POD
from drumroll.objects.meta import Obj

SOLID, WAITING, GONE = OwnerState.SOLID, OwnerState.WAITING, OwnerState.GONE


def thing(name: str = "a", owners: tuple[str, ...] = (), blocking: bool = True, **meta: Any) -> Obj:
    references = [{"apiVersion": "v1", "kind": "X", "name": uid, "uid": uid} for uid in owners]
    if blocking:
        references = [{**one, "blockOwnerDeletion": True} for one in references]
    meta = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": "7", **meta}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**meta, "ownerReferences": references}}


def decide(obj: Obj, owners: dict[str, OwnerState] | None = None, dependents: tuple[Obj, ...] = ()) -> Plan:
    return reconcile(World(CONFIG_MAP, obj, owners or {}, tuple(Dependent(POD, one) for one in dependents)))


@pytest.mark.parametrize(
    ("owners", "dependents", "finalizers", "policy"),
    [
        pytest.param({}, 0, [], None, id="nobody owns it"),
        pytest.param({"x": SOLID}, 0, [], None, id="its owner is there"),
        pytest.param({"x": GONE}, 0, [], "Background", id="its owner is gone"),
        pytest.param({"x": GONE, "y": GONE}, 0, [], "Background", id="all owners are gone"),
        pytest.param({"x": WAITING}, 0, [], "Background", id="its owner waits for it"),
        pytest.param({"x": WAITING}, 1, [], "Foreground", id="its owner waits, and it has dependents itself"),
        pytest.param({"x": GONE}, 1, ["orphan"], "Orphan", id="its own wish for orphans counts"),
        pytest.param({"x": GONE}, 1, ["foregroundDeletion"], "Foreground", id="its own wish for the foreground counts"),
    ],
)
def test_deletion(owners: dict[str, OwnerState], dependents: int, finalizers: list[str], policy: str | None) -> None:
    obj = thing(owners=tuple(owners), finalizers=finalizers)
    found = decide(obj, owners, tuple(thing(f"d{n}") for n in range(dependents)))
    assert [one.propagation_policy for one in found.actions if isinstance(one, Delete)] == ([policy] if policy else [])


def test_with_one_owner_left_the_other_references_are_dropped() -> None:
    [patch] = decide(thing(owners=("x", "y", "z")), {"x": SOLID, "y": GONE, "z": WAITING}).actions
    assert isinstance(patch, Patch)
    assert [one["uid"] for one in patch.patch["metadata"]["ownerReferences"]] == ["y", "z"]


def test_in_the_foreground_it_waits_for_those_that_block_it_only() -> None:
    going = thing(deletionTimestamp="x", finalizers=["keep", "foregroundDeletion"])
    assert decide(going, dependents=(thing("b", ("uid-a",)),)).actions == ()
    [patch] = decide(going, dependents=(thing("b", ("uid-a",), blocking=False),)).actions
    assert isinstance(patch, Patch)
    assert patch.patch["metadata"]["finalizers"] == ["keep"]


def test_orphans_are_released_before_their_owner_goes() -> None:
    going = thing(deletionTimestamp="x", finalizers=["orphan"])
    first, last = decide(going, dependents=(thing("b", ("uid-a",)), thing("c", ("uid-a",)))).actions
    assert isinstance(first, Together)
    assert len(first.actions) == 2
    assert isinstance(last, Patch)
    assert last.patch["metadata"]["finalizers"] == []


def test_one_that_goes_already_is_left_alone() -> None:
    assert decide(thing(owners=("x",), deletionTimestamp="x"), {"x": GONE}).actions == ()


@pytest.mark.parametrize(
    ("change", "left", "asked", "expected"),
    [
        pytest.param({}, {POD: 0}, [], ["Update"], id="empty: let go"),
        pytest.param({}, {POD: 2, CONFIG_MAP: 1}, [], ["DeleteAll", "DeleteAll"], id="contents are deleted"),
        pytest.param({}, {POD: 2, CONFIG_MAP: 1}, [POD], ["DeleteAll"], id="what goes already is not asked again"),
        pytest.param({"deletionTimestamp": None}, {POD: 0}, [], [], id="not deleting"),
    ],
)
def test_namespace(change: Obj, left: dict, asked: list, expected: list[str]) -> None:
    meta = {"name": "shop", "deletionTimestamp": "x", **change}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta, "spec": {"finalizers": ["kubernetes"]}}
    found = reconcile_namespace(namespace, left, frozenset(asked))
    assert [type(one).__name__ for one in found.actions] == expected
