"""Server-side apply: merging, pruning, conflicts, and what holds for any configuration."""

import copy
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumroll.domain.apply import LAST_APPLIED, NotTyped, apply
from drumroll.domain.managed_fields import Writer, schema_of, track
from drumroll.objects.conform import conform
from drumroll.objects.errors import Conflict
from drumroll.objects.kinds import CONFIG_MAP, DEPLOYMENT, KINDS, POD, SECRET, SERVICE
from drumroll.objects.schema import message_of
from drumroll.objects.shapes_schema import shape_of_schema
from tests.domain.test_rules_properties import sent
from tests.searching import examples

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"


def config(kind=CONFIG_MAP, **content):
    head = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "x", "namespace": "n"}}
    metadata = {**head["metadata"], **content.pop("metadata", {})}
    return {**head, **content, "metadata": metadata}


class World:
    """One object, applied to by several managers."""

    def __init__(self, kind=CONFIG_MAP):
        self.kind, self.schema = kind, schema_of(kind)
        self.live = copy.deepcopy(self.schema.empty)

    def apply(self, manager, wanted, *, force=False, subresource="", time=EARLY):
        found = apply(self.schema, Writer(manager, subresource, time), self.live, wanted, force=force)
        self.live, _ = conform(found.obj, message_of(self.kind).name)
        self.live.setdefault("metadata", {})
        self.live["metadata"].pop("managedFields", None)
        if found.entries:
            self.live["metadata"]["managedFields"] = found.entries
        return self.live

    def update(self, manager, change, *, time=EARLY):
        new = copy.deepcopy(self.live)
        change(new)
        track(self.schema, Writer(manager, "", time), new, self.live)
        self.live = new

    def owners(self):
        return {entry["manager"]: entry["fieldsV1"] for entry in self.live["metadata"].get("managedFields", ())}


def deployment(image="app:1", **spec):
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    return config(DEPLOYMENT, spec={"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec})


def test_what_is_not_applied_any_more_goes():
    world = World()
    world.apply("a", config(data={"a": "1", "b": "2"}))
    assert world.apply("a", config(data={"a": "1"}))["data"] == {"a": "1"}
    assert "data" not in world.apply("a", config())
    assert world.owners() == {}


def test_what_somebody_else_owns_stays():
    world = World()
    world.apply("a", config(data={"a": "1", "b": "2"}))
    world.apply("b", config(data={"b": "2"}))
    world.update("c", lambda obj: obj["data"].update(c="3"))
    assert world.apply("a", config())["data"] == {"b": "2", "c": "3"}


def test_a_conflict_names_the_manager_and_the_fields():
    world = World(DEPLOYMENT)
    world.apply("a", deployment(replicas=2))
    with pytest.raises(Conflict) as caught:
        world.apply("b", config(DEPLOYMENT, spec={"replicas": 3}))
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "a": .spec.replicas'
    with pytest.raises(Conflict) as caught:
        world.apply("b", deployment(image="app:2", replicas=3))
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.replicas\n'
        '- .spec.template.spec.containers[name="web"].image'
    )
    assert caught.value.details["causes"][1] == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "a"',
        "field": '.spec.template.spec.containers[name="web"].image',
    }


def test_a_conflict_with_an_updater_names_its_version_and_subresource():
    world = World()
    world.apply("a", config(data={"a": "1"}))
    world.update("kubectl-edit", lambda obj: obj["data"].update(a="2"))
    with pytest.raises(Conflict, match=r'conflict with "kubectl-edit" using v1: \.data\.a'):
        world.apply("a", config(data={"a": "1"}))


def test_force_moves_ownership():
    world = World()
    world.apply("a", config(data={"a": "1"}))
    world.apply("b", config(data={"a": "2"}), force=True)
    assert (world.live["data"], world.owners()) == ({"a": "2"}, {"b": {"f:data": {"f:a": {}}}})


def test_equal_values_are_shared_and_change_no_time():
    world = World()
    world.apply("a", config(data={"a": "1"}))
    world.apply("b", config(data={"a": "1"}), time=LATE)
    assert world.owners() == {"a": {"f:data": {"f:a": {}}}, "b": {"f:data": {"f:a": {}}}}
    assert {e["manager"]: e.get("time") for e in world.live["metadata"]["managedFields"]} == {"a": EARLY, "b": None}


def test_items_of_a_list_keep_their_places_and_go_by_their_keys():
    world = World(SERVICE)
    ports = [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]
    world.apply("a", config(SERVICE, spec={"ports": ports}))
    world.apply("b", config(SERVICE, spec={"ports": [{"port": 82, "name": "c"}]}))
    assert [port["port"] for port in world.live["spec"]["ports"]] == [80, 81, 82]
    world.apply("a", config(SERVICE, spec={"ports": [ports[1]]}))
    assert [port["port"] for port in world.live["spec"]["ports"]] == [81, 82]


def test_an_item_that_nobody_applies_goes_with_fields_that_others_changed_in_it():
    world = World(POD)
    pod = config(POD, spec={"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]})
    world.apply("a", pod)
    world.update("b", lambda obj: obj["spec"]["containers"][1].update(image="2"))
    left = world.apply("a", config(POD, spec={"containers": [{"name": "a", "image": "1"}]}))
    assert [container["name"] for container in left["spec"]["containers"]] == ["a"]
    assert "b" not in world.owners()


def test_an_atomic_value_is_replaced_as_a_whole():
    world = World(SERVICE)
    world.apply("a", config(SERVICE, spec={"selector": {"a": "1", "b": "2"}}))
    assert world.apply("a", config(SERVICE, spec={"selector": {"a": "1"}}))["spec"]["selector"] == {"a": "1"}
    with pytest.raises(Conflict, match=r"\.spec\.selector"):
        world.apply("b", config(SERVICE, spec={"selector": {"c": "1"}}))


def test_a_set_takes_the_values_of_all():
    world = World()
    world.apply("a", config(metadata={"finalizers": ["a/a"]}))
    world.apply("b", config(metadata={"finalizers": ["b/b"]}))
    assert world.live["metadata"]["finalizers"] == ["a/a", "b/b"]
    world.apply("a", config())
    assert world.live["metadata"]["finalizers"] == ["b/b"]


def test_the_same_key_twice_is_refused():
    twice = [{"name": "web", "image": "a"}, {"name": "web", "image": "b"}]
    with pytest.raises(NotTyped, match=r'duplicate entries for key \[name="web"\]'):
        World(POD).apply("a", config(POD, spec={"containers": twice}))


def test_a_null_takes_a_value_away():
    world = World()
    world.apply("a", config(data={"a": "1", "b": "2"}))
    assert world.apply("b", config(data={"a": None}), force=True)["data"] == {"b": "2"}


def test_an_object_that_nobody_tracked_belongs_to_those_before():
    world = World()
    world.live = config(data={"a": "1", "b": "2"})
    world.apply("a", config(data={"a": "1"}))
    assert world.owners()["before-first-apply"] == {"f:data": {".": {}, "f:a": {}, "f:b": {}}}
    with pytest.raises(Conflict, match='"before-first-apply" using v1'):
        world.apply("b", config(data={"b": "9"}))


def client_side(world, data):
    import json

    last = {LAST_APPLIED: json.dumps(config(data=data))}
    world.live = config(data=data, metadata={"annotations": last})
    track(world.schema, Writer("kubectl-client-side-apply", "", EARLY), world.live, None)


def test_kubectl_takes_over_what_it_applied_from_the_client():
    world = World()
    client_side(world, {"a": "1"})
    world.apply("kubectl", config(data={"a": "2"}))
    assert world.live["data"] == {"a": "2"}
    assert '"a":"2"' in world.live["metadata"]["annotations"][LAST_APPLIED]


def test_others_do_not():
    world = World()
    client_side(world, {"a": "1"})
    with pytest.raises(Conflict):
        world.apply("argocd", config(data={"a": "2"}))
    world.update("other", lambda obj: obj["data"].update(a="7"))
    with pytest.raises(Conflict, match='"other" using v1'):
        world.apply("kubectl", config(data={"a": "2"}))


def test_a_custom_schema_says_what_its_lists_are():
    item = {"type": "object", "properties": {"id": {"type": "string"}, "v": {"type": "integer"}}}
    lists = {"keyed": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]},
             "set": {"x-kubernetes-list-type": "set"}, "plain": {}}  # fmt: skip
    properties = {name: {"type": "array", "items": item, **facts} for name, facts in lists.items()}
    properties["free"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    shape = shape_of_schema({"type": "object", "properties": properties})
    value = {"keyed": [{"id": "a", "v": 1}], "set": ["x"], "plain": [1], "free": {"a": {"b": 1}, "c": [2]}}
    assert shape.everything(value) == {
        ".": {},
        "f:keyed": {".": {}, 'k:{"id":"a"}': {".": {}, "f:id": {}, "f:v": {}}},
        "f:set": {".": {}, 'v:"x"': {}},
        "f:plain": {},
        "f:free": {".": {}, "f:a": {".": {}, "f:b": {}}, "f:c": {}},
    }


# What holds for any configuration

APPLIED_KINDS = (CONFIG_MAP, DEPLOYMENT, POD, SERVICE, SECRET)


def without_entries(obj):
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}


def random_config(seed, kind):
    wanted = sent(random.Random(seed), kind)
    wanted = {**wanted, "apiVersion": kind.api_version, "kind": kind.name}
    wanted.pop("status", None)
    return without_null(wanted)


def without_null(value):
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    return [without_null(item) for item in value] if isinstance(value, list) else value


def exists(node, value, shape):
    """Whether every field of a set is in the value."""
    if not node:
        return True
    for key, below in node.items():
        if key == ".":
            continue
        if key.startswith("f:"):
            if not isinstance(value, dict) or key[2:] not in value:
                return False
            inner, next_shape = value[key[2:]], shape.child(key[2:])
        else:
            found = [item for item in value or () if shape.key_of(item) == key]
            if not found:
                return False
            inner, next_shape = found[0], shape.item
        if not exists(below, inner, next_shape):
            return False
    return True


def applied_or_skip(world, manager, wanted, **more):
    try:
        world.apply(manager, wanted, **more)
    except NotTyped:
        return False
    return True


seeds = st.integers(0, 2**32)
settled = settings(max_examples=examples(60))


@pytest.mark.parametrize("kind", APPLIED_KINDS, ids=lambda kind: kind.plural)
@settled
@given(seed=seeds)
def test_applying_twice_is_applying_once(kind, seed):
    world, wanted = World(kind), random_config(seed, kind)
    if applied_or_skip(world, "a", wanted):
        before, owners = copy.deepcopy(world.live), world.owners()
        world.apply("a", wanted, time=LATE)
        assert without_entries(world.live) == without_entries(before)
        assert world.owners() == owners


@pytest.mark.parametrize("kind", APPLIED_KINDS, ids=lambda kind: kind.plural)
@settled
@given(first=seeds, second=seeds)
def test_an_applier_that_leaves_leaves_nothing_behind(kind, first, second):
    """B forces over A, then applies nothing: what is left is what A still owns; then A goes too."""
    world, name = World(kind), config(kind)
    name["metadata"] = {"name": "x"}
    if not applied_or_skip(world, "a", random_config(first, kind)):
        return
    if not applied_or_skip(world, "b", random_config(second, kind), force=True):
        return
    world.apply("b", name)
    assert "b" not in world.owners()
    world.apply("a", name)
    assert world.owners() == {}
    left = {k: v for k, v in world.live.items() if k not in ("metadata", "apiVersion", "kind") and v}
    empty = {k: v for k, v in world.schema.empty.items() if k != "metadata" and v}
    assert left == empty


@pytest.mark.parametrize("kind", APPLIED_KINDS, ids=lambda kind: kind.plural)
@settled
@given(first=seeds, second=seeds)
def test_after_force_all_sets_name_fields_that_exist(kind, first, second):
    world = World(kind)
    if not applied_or_skip(world, "a", random_config(first, kind)):
        return
    wanted = random_config(second, kind)
    if not applied_or_skip(world, "b", wanted, force=True):
        return
    for manager, fields in world.owners().items():
        assert exists(fields, world.live, world.schema.shape), (manager, fields)


keys = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"), min_size=1)


@settled
@given(one=keys, other=keys)
def test_disjoint_configurations_both_stay_and_shared_ones_conflict(one, other):
    world = World()
    world.apply("a", config(data=one))
    clashing = sorted(key for key in one.keys() & other.keys() if one[key] != other[key])
    if clashing:
        with pytest.raises(Conflict) as caught:
            world.apply("b", config(data=other))
        assert [cause["field"] for cause in caught.value.details["causes"]] == [f".data.{key}" for key in clashing]
        world.apply("b", config(data=other), force=True)
        assert world.live["data"] == {**one, **other}
    else:
        world.apply("b", config(data=other))
        assert world.live["data"] == {**one, **other}
    assert set(world.owners()["b"]["f:data"]) == {f"f:{key}" for key in other}
    world.apply("a", config())
    assert world.live["data"] == other


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource)
def test_every_kind_has_a_schema(kind):
    assert schema_of(kind).shape.everything({"metadata": {"labels": {"a": "b"}}})
