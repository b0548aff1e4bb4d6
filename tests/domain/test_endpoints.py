"""EndpointSlices and Endpoints: section 3.1's table, ports, and how little is written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain import endpoints, endpointslice
from drumroll.domain.actions import Create, Delete, Update
from drumroll.domain.endpoints_of_pods import Backend, Port, resolved_ports
from drumroll.domain.endpointslice import MAXIMUM, World, held_of, one_uid
from drumroll.domain.roster import Roster
from drumroll.objects.meta import Key, Obj, key_of
from tests.domain.workloads import pod


def service(**spec: Any) -> Obj:
    ports = [{"name": "web", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", "uid": "s"},
        "spec": {"selector": {"app": "web"}, "ports": ports, **spec},
    }


def backends(one: Obj, pods: list[Obj]) -> list[Backend]:
    return Roster(one, {}, pods).backends()


GOING = {"deletionTimestamp": "2026-11-22T22:00:00Z"}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(pod(ready=False), (False, False, False), id="not ready"),
        pytest.param(pod(), (True, True, False), id="ready"),
        pytest.param(pod(**GOING), (False, True, True), id="going, still ready"),
        pytest.param(pod(ready=False, **GOING), (False, False, True), id="going, not ready"),
        pytest.param(pod(phase="Succeeded"), None, id="ended well"),
        pytest.param(pod(phase="Failed"), None, id="ended badly"),
        pytest.param(pod(labels={"app": "other"}), None, id="not selected"),
    ],
)
def test_conditions(one: Obj, expected: tuple[bool, bool, bool] | None) -> None:
    found = [item.conditions for item in backends(service(), [one])]
    assert [(item.ready, item.serving, item.terminating) for item in found] == ([expected] if expected else [])


def test_a_pod_without_an_address_is_not_in() -> None:
    one = pod()
    del one["status"]["podIP"]
    assert backends(service(), [one]) == []


@pytest.mark.parametrize("one", [pod(), pod(ready=False), pod(**GOING)])
def test_published_before_ready_means_always_ready(one: Obj) -> None:
    [found] = backends(service(publishNotReadyAddresses=True), [one])
    assert found.conditions.ready


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        pytest.param({"port": 80}, [80], id="the port itself"),
        pytest.param({"port": 80, "targetPort": 8080}, [8080], id="a number"),
        pytest.param({"port": 80, "targetPort": "http"}, [8080], id="a name"),
        pytest.param({"port": 80, "targetPort": "other"}, [], id="a name that the pod does not have"),
        pytest.param({"port": 80, "targetPort": "http", "protocol": "UDP"}, [], id="the name of another protocol"),
    ],
)
def test_ports(port: Obj, expected: list[int]) -> None:
    assert [found.port for found in resolved_ports({"ports": [port]}, pod())] == expected


class Slices:
    """Slices of one Service, to which decisions apply."""

    def __init__(self) -> None:
        self.items: dict[str, Obj] = {}
        self.writes = 0

    def step(self, pods: list[Obj], one: Obj | None = None) -> None:
        found = one or service()
        roster = Roster(found, {}, pods)
        held = tuple(held_of(item, roster) for item in self.items.values())
        plan = endpointslice.reconcile(World(found, roster, held))
        for action in plan.actions:
            self.writes += 1
            match action:
                case Create(obj):
                    name = f"web-{self.writes:04}"
                    meta = {**obj["metadata"], "name": name, "uid": name}
                    self.items[name] = {**obj, "metadata": meta}
                case Update(obj):
                    self.items[obj["metadata"]["name"]] = obj
                case Delete(_, key):
                    del self.items[key.name]

    def uids(self) -> list[str]:
        return [one_uid(end) for one in self.items.values() for end in one["endpoints"]]


def pods(*numbers: int) -> list[Obj]:
    return [pod(f"p{n:03}") for n in numbers]


@given(st.lists(st.sets(st.integers(0, 300), max_size=250), min_size=1, max_size=5))
def test_slices_hold_exactly_the_pods_and_settle_in_one_step(history: list[set[int]]) -> None:
    slices = Slices()
    for numbers in history:
        found = pods(*numbers)
        slices.step(found)
        assert sorted(slices.uids()) == sorted(one["metadata"]["uid"] for one in found)
        assert all(len(one["endpoints"]) <= MAXIMUM for one in slices.items.values())
        assert slices.items
        before = slices.writes
        slices.step(found)
        assert slices.writes == before


def test_one_pod_more_or_less_is_one_write() -> None:
    slices = Slices()
    slices.step(pods(*range(250)))
    for numbers in (range(251), range(1, 251), range(1, 250)):
        before = slices.writes
        slices.step(pods(*numbers))
        assert slices.writes == before + 1


def test_a_new_pod_goes_where_another_has_left_so_that_one_write_does_both() -> None:
    slices = Slices()
    slices.step(pods(*range(150)))
    slices.step(pods(*range(1, 150)))  # the first slice has room now
    before = slices.writes
    slices.step(pods(*range(1, 149), 200))
    assert slices.writes == before + 1


def test_an_endpoint_stays_in_its_slice() -> None:
    slices = Slices()
    slices.step(pods(*range(150)))
    before = {one_uid(end): name for name, one in slices.items.items() for end in one["endpoints"]}
    slices.step(pods(*range(20, 160)))
    after = {one_uid(end): name for name, one in slices.items.items() for end in one["endpoints"]}
    assert all(after[uid] == name for uid, name in before.items() if uid in after)


def test_without_pods_one_empty_slice_stays() -> None:
    slices = Slices()
    slices.step([])
    slices.step(pods(*range(150)))
    slices.step([])
    [only] = slices.items.values()
    assert only["endpoints"] == []


def test_pods_with_other_ports_have_their_own_slice() -> None:
    one, other = pods(1, 2)
    other["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090
    slices = Slices()
    slices.step([one, other], service(ports=[{"name": "web", "port": 80, "targetPort": "http"}]))
    assert sorted(found["ports"][0]["port"] for found in slices.items.values()) == [8080, 9090]


@pytest.mark.parametrize("spec", [{"selector": None}, {"type": "ExternalName"}])
def test_services_that_we_do_not_manage(spec: Obj) -> None:
    one = service(**spec)
    assert endpointslice.reconcile(World(one, Roster(one, {}, [pod()]), ())).actions == ()
    assert endpoints.reconcile(Key("shop", "web"), one, backends(one, [pod()]), None).actions == ()


def test_endpoints_tell_ready_from_not_ready_and_leave_out_who_is_going() -> None:
    found = backends(service(), [pod("a"), pod("b", ready=False), pod("c", **GOING)])
    [create] = endpoints.reconcile(Key("shop", "web"), service(), found, None).actions
    assert isinstance(create, Create)
    [subset] = create.obj["subsets"]
    assert [one["targetRef"]["name"] for one in subset["addresses"]] == ["a"]
    assert [one["targetRef"]["name"] for one in subset["notReadyAddresses"]] == ["b"]
    assert subset["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]
    assert endpoints.reconcile(Key("shop", "web"), service(), found, create.obj).actions == ()


def test_endpoints_hold_a_thousand_ready_ones_first_and_say_that_there_are_more() -> None:
    found = [pod(f"p{n:04}", ready=n % 2 == 0) for n in range(1500)]
    [create] = endpoints.reconcile(Key("shop", "web"), service(), backends(service(), found), None).actions
    assert isinstance(create, Create)
    [subset] = create.obj["subsets"]
    assert (len(subset["addresses"]), len(subset["notReadyAddresses"])) == (750, 250)
    assert create.obj["metadata"]["annotations"] == {endpoints.OVER_CAPACITY: "truncated"}


def test_endpoints_of_a_deleted_service_go_unless_they_are_somebody_elses() -> None:
    [create] = endpoints.reconcile(Key("shop", "web"), service(), backends(service(), [pod()]), None).actions
    assert isinstance(create, Create)
    mine = {**create.obj, "metadata": {**create.obj["metadata"], "uid": "e"}}
    [delete] = endpoints.reconcile(key_of(mine), None, [], mine).actions
    assert isinstance(delete, Delete)
    theirs = {**mine, "metadata": {**mine["metadata"], "labels": {}}}
    assert endpoints.reconcile(key_of(mine), None, [], theirs).actions == ()


def test_ports_sort_whatever_their_order() -> None:
    ports = [{"name": "b", "port": 2}, {"name": "a", "port": 1}]
    assert resolved_ports({"ports": ports}, pod()) == (Port("a", 1), Port("b", 2))
