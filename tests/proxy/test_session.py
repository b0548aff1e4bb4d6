"""The order in which one ADS stream is served, with acknowledgements, refusals and reconnects."""

import pytest

from drumroll.domain.envoy.types import CLUSTER, ENDPOINTS, LISTENER, ROUTES, SECRET
from drumroll.proxy.session import KEEP, Session

WORLD = {CLUSTER: {"a": "1"}, ENDPOINTS: {"a": "1"}, LISTENER: {"l": "1"}, ROUTES: {"a": "1"}}


def fresh():
    """A session with an Envoy that has just begun and asks as it does."""
    session = Session()
    session.subscribe(CLUSTER, [])
    return session


def filled(world=None):
    session, world = fresh(), world or WORLD
    for type_url, names in ((CLUSTER, []), (ENDPOINTS, world[CLUSTER]), (LISTENER, []), (ROUTES, world[ROUTES])):
        session.subscribe(type_url, names)
        push = session.next_push(world)
        assert push.type_url == type_url
        assert session.next_push(world) is None  # one in flight
        session.accept(push.nonce)
    assert session.next_push(world) is None
    return session


def test_a_fresh_envoy_gets_everything_in_order():
    filled()


def test_removals_come_after_additions_and_in_reverse():
    session = filled()
    world = {CLUSTER: {"b": "1"}, ENDPOINTS: {"b": "1"}, LISTENER: {}, ROUTES: {}}
    added = session.next_push(world)
    assert (added.type_url, dict(added.versions), added.removed) == (CLUSTER, {"b": "1"}, ())
    session.subscribe(ENDPOINTS, ["b"])
    session.accept(added.nonce)
    endpoints = session.next_push(world)
    assert (endpoints.type_url, dict(endpoints.versions)) == (ENDPOINTS, {"b": "1"})
    session.accept(endpoints.nonce)
    removed = session.next_push(world)
    assert (removed.type_url, removed.removed) == (LISTENER, ("l",))
    session.accept(removed.nonce)
    removed = session.next_push(world)
    assert (removed.type_url, removed.removed) == (CLUSTER, ("a",))


def test_late_and_repeated_acknowledgements_are_not_taken_for_others():
    session = filled()
    changed = {**WORLD, ENDPOINTS: {"a": "2"}}
    push = session.next_push(changed)
    assert session.accept("1") is None
    assert session.next_push(changed) is None
    assert session.accept(push.nonce).versions == {"a": "2"}
    assert session.accept(push.nonce) is None


def test_one_bad_resource_of_a_batch_is_found_and_the_others_stay():
    world = {**WORLD, LISTENER: {"bad": "1", "good": "1"}}
    session = fresh()
    session.subscribe(LISTENER, [])
    session.accept(session.next_push(world).nonce)
    batch = session.next_push(world)
    assert set(batch.versions) == {"bad", "good"}
    assert session.refuse(batch.nonce) is None
    alone = session.next_push(world)
    assert set(alone.versions) == {"bad"}
    assert session.refuse(alone.nonce) == (LISTENER, "bad")
    other = session.next_push(world)
    assert set(other.versions) == {"good"}
    session.accept(other.nonce)
    assert session.next_push(world) is None  # a refused one is not sent for ever
    assert session.retry_refused(LISTENER)
    assert set(session.next_push(world).versions) == {"bad"}


def test_after_a_reconnect_only_what_differs_is_sent():
    session = Session()
    session.subscribe(CLUSTER, [], initial={"a": "1", "old": "1"})
    assert session.next_push(WORLD) is None  # what else Envoy holds is not known yet
    session.subscribe(ENDPOINTS, ["a"], initial={"a": "0"})
    push = session.next_push(WORLD)
    assert (push.type_url, dict(push.versions)) == (ENDPOINTS, {"a": "1"})
    session.accept(push.nonce)
    session.subscribe(LISTENER, [], initial={"l": "1"})
    session.subscribe(ROUTES, ["a"], initial={"a": "1"})
    push = session.next_push(WORLD)
    assert (push.type_url, push.removed) == (CLUSTER, ("old",))


def test_a_cluster_that_is_kept_is_neither_sent_nor_removed():
    session = Session()
    for type_url, names, held in ((CLUSTER, [], {"a": "0"}), (ENDPOINTS, ["a"], {"a": "1"}), (LISTENER, [], {})):
        session.subscribe(type_url, names, initial=held)
    assert session.next_push({CLUSTER: {"a": KEEP}, ENDPOINTS: {"a": "1"}}) is None


def test_an_updated_cluster_gets_its_endpoints_again_before_it_is_acknowledged():
    session = filled()
    world = {**WORLD, CLUSTER: {"a": "2"}, LISTENER: {"l": "2"}}
    cluster = session.next_push(world)
    endpoints = session.next_push(world)
    assert (endpoints.type_url, dict(endpoints.versions)) == (ENDPOINTS, {"a": "1"})
    session.accept(endpoints.nonce)
    assert session.next_push(world) is None  # listeners wait until the cluster is there
    session.accept(cluster.nonce)
    assert session.next_push(world).type_url == LISTENER


def test_clusters_that_warm_get_their_endpoints_before_they_are_acknowledged():
    session = filled()
    world = {
        CLUSTER: {"a": "2", "b": "1"},
        ENDPOINTS: {"a": "1", "b": "1"},
        LISTENER: {"l": "2"},
        ROUTES: {"a": "1"},
    }
    warming = session.next_push(world)
    assert (warming.type_url, set(warming.versions)) == (CLUSTER, {"a", "b"})
    session.subscribe(ENDPOINTS, ["b"])
    endpoints = session.next_push(world)
    assert (endpoints.type_url, dict(endpoints.versions)) == (ENDPOINTS, {"a": "1", "b": "1"})
    assert session.next_push(world) is None
    session.accept(endpoints.nonce)
    assert session.next_push(world) is None  # listeners wait for their clusters
    assert session.accept(warming.nonce) is warming
    assert session.next_push(world).type_url == LISTENER


def test_a_name_that_does_not_exist_is_answered_once():
    session = filled()
    session.subscribe(ENDPOINTS, ["nobody"])
    push = session.next_push(WORLD)
    assert (push.type_url, push.removed) == (ENDPOINTS, ("nobody",))
    session.accept(push.nonce)
    assert session.next_push(WORLD) is None


@pytest.mark.parametrize("named", [SECRET, ROUTES])
def test_what_a_draining_listener_holds_is_sent_when_it_is_wanted_again(named):
    world = {**WORLD, named: {**WORLD.get(named, {}), "s": "1"}}
    session = filled(WORLD)
    session.subscribe(named, ["s"])
    session.accept(session.next_push(world).nonce)
    without = {**WORLD, LISTENER: {"l": "2"}}
    while (push := session.next_push(without)) is not None:
        assert push.removed == ()
        session.accept(push.nonce)
    again = {**WORLD, LISTENER: {"l": "3"}, named: {**WORLD.get(named, {}), "s": "2"}}
    sent = {}
    while (push := session.next_push(again)) is not None:  # Envoy, still subscribed, does not ask again
        sent.update({(push.type_url, name): version for name, version in push.versions.items()})
        session.accept(push.nonce)
    assert sent[named, "s"] == "2"
