"""A Service's roster: what it is after any history of pods is what it would be if made anew."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.endpointslice import World, held_of, reconcile
from drumroll.domain.roster import Roster
from drumroll.objects.meta import Obj
from tests.domain.workloads import pod

ZONES = {"node-1": "here"}


def service(**spec: Any) -> Obj:
    ports = [{"name": "web", "port": 80, "targetPort": "http"}]
    meta = {"name": "web", "namespace": "shop", "uid": "s"}
    said = {"selector": {"app": "web"}, "ports": ports, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": said}


def with_port(one: Obj, port: int) -> Obj:
    one["spec"]["containers"][0]["ports"][0]["containerPort"] = port
    return one


STATES = {
    "ready": pod,
    "not ready": lambda name: pod(name, ready=False),
    "going": lambda name: pod(name, deletionTimestamp="2026-11-22T22:00:00Z"),
    "ended": lambda name: pod(name, phase="Failed"),
    "of another app": lambda name: pod(name, labels={"app": "other"}),
    "another of that name": lambda name: pod(name, uid=f"{name}-2"),
    "with another port": lambda name: with_port(pod(name), 9090),
    "gone": lambda name: None,
}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(sorted(STATES))), max_size=20))
def test_a_kept_roster_is_as_one_made_anew(history: list[tuple[str, str]]) -> None:
    kept, there = Roster(service(), ZONES), dict[str, Obj]()
    for name, state in history:
        found = STATES[state](name)
        if found is None:
            kept.drop(name)
            there.pop(name, None)
        else:
            kept.put(found)
            there[name] = found
        anew = Roster(service(), ZONES, there.values())
        assert kept.backends() == anew.backends()
        assert kept.endpoints == anew.endpoints


def test_a_change_that_does_not_show_keeps_the_very_object() -> None:
    roster = Roster(service(), ZONES, [pod("a")])
    [before] = roster.backends()
    roster.put(pod("a", annotations={"note": "changed"}))
    [after] = roster.backends()
    assert after is before


def test_a_slice_that_is_right_holds_the_rosters_objects() -> None:
    roster = Roster(service(), ZONES, [pod("a"), pod("b")])
    [create] = reconcile(World(service(), roster, ())).actions
    written = {**create.obj, "metadata": {**create.obj["metadata"], "name": "web-1", "uid": "1"}}  # type: ignore[union-attr]
    written["endpoints"] = [{**one} for one in written["endpoints"]]
    held = held_of(written, roster)
    [group] = roster.endpoints.values()
    assert all(one is group[uid] for uid, one in zip(held.uids, held.endpoints, strict=True))
    assert reconcile(World(service(), roster, (held,))).actions == ()


@pytest.mark.parametrize(
    ("change", "zones", "suits"),
    [
        pytest.param({}, ZONES, True, id="nothing"),
        pytest.param({"selector": {"app": "other"}}, ZONES, False, id="the selector"),
        pytest.param({"publishNotReadyAddresses": True}, ZONES, False, id="who is published"),
        pytest.param({}, {"node-1": "there"}, False, id="a zone"),
    ],
)
def test_a_roster_suits_the_service_that_it_was_made_for(change: Obj, zones: dict[str, str], suits: bool) -> None:
    assert Roster(service(), ZONES).suits(service(**change), zones) == suits


def test_without_a_selector_nobody_is_behind_a_service() -> None:
    assert Roster(service(selector=None), ZONES, [pod("a")]).backends() == []
