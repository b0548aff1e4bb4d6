"""Tables of what schemas allow, prune and fill in."""

import copy

import pytest

from drumroll.domain.custom.defaults import set_custom_defaults
from drumroll.domain.custom.values import ABSENT, validate_value
from drumroll.objects.custom import CustomKind, Definition
from drumroll.objects.custom_body import pruned


def custom(spec, **more) -> CustomKind:
    schema = {"type": "object", "properties": {"spec": spec}}
    return CustomKind("example.com", "v1", "Widget", "widgets", "widget", definition=Definition(schema, "v1", **more))


def texts(value, schema, old=ABSENT):
    return [str(error) for error in validate_value(value, schema, "spec", old)]


STRING, INTEGER = {"type": "string"}, {"type": "integer"}
VALUES = [
    pytest.param(1, STRING, 'spec: Invalid value: "integer": spec in body must be of type string: "integer"',
                 id="type"),
    pytest.param("a", INTEGER, 'spec: Invalid value: "string": spec in body must be of type integer: "string"',
                 id="text"),
    pytest.param(True, INTEGER, 'spec: Invalid value: "boolean": spec in body must be of type integer: "boolean"',
                 id="true is no integer"),
    pytest.param(1.5, INTEGER, 'spec: Invalid value: "number": spec in body must be of type integer: "number"',
                 id="half"),
    pytest.param(2.0, INTEGER, "", id="a whole float is an integer"),
    pytest.param(2, {"type": "number"}, "", id="an integer is a number"),
    pytest.param(None, STRING, 'spec: Invalid value: "null": spec in body must be of type string: "null"', id="null"),
    pytest.param(None, {"type": "string", "nullable": True}, "", id="nullable"),
    pytest.param("c", {"type": "string", "enum": ["a", "b"]},
                 'spec: Unsupported value: "c": supported values: "a", "b"', id="enum"),
    pytest.param("ab1", {"type": "string", "pattern": "^[a-z]+$"},
                 "spec: Invalid value: \"ab1\": spec in body should match '^[a-z]+$'", id="pattern"),
    pytest.param("ab\n", {"type": "string", "pattern": "^[a-z]+$"},
                 "spec: Invalid value: \"ab\\n\": spec in body should match '^[a-z]+$'", id="dollar is the very end"),
    pytest.param("abcd", {"type": "string", "maxLength": 3}, "spec: Too long: may not be more than 3 bytes", id="long"),
    pytest.param("", {"type": "string", "minLength": 1},
                 'spec: Invalid value: "": spec in body should be at least 1 chars long', id="short"),
    pytest.param(0, {"type": "integer", "minimum": 1},
                 "spec: Invalid value: 0: spec in body should be greater than or equal to 1", id="minimum"),
    pytest.param(1, {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
                 "spec: Invalid value: 1: spec in body should be greater than 1", id="exclusive minimum"),
    pytest.param(11, {"type": "integer", "maximum": 10},
                 "spec: Invalid value: 11: spec in body should be less than or equal to 10", id="maximum"),
    pytest.param(3, {"type": "integer", "multipleOf": 2},
                 "spec: Invalid value: 3: spec in body should be a multiple of 2", id="multiple"),
    pytest.param([1, 2, 3], {"type": "array", "items": INTEGER, "maxItems": 2},
                 "spec: Too many: 3: must have at most 2 items", id="too many items"),
    pytest.param([], {"type": "array", "items": INTEGER, "minItems": 1},
                 "spec: Invalid value: []: spec in body should have at least 1 items", id="too few items"),
    pytest.param(["x", "x"], {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
                 'spec[1]: Duplicate value: "x"', id="set"),
    pytest.param([{"n": "a"}, {"n": "a"}],
                 {"type": "array", "items": {"type": "object", "properties": {"n": STRING}},
                  "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]},
                 'spec[1]: Duplicate value: {"n":"a"}', id="map list"),
    pytest.param({}, {"type": "object", "required": ["a"]}, "spec.a: Required value", id="required"),
    pytest.param({"a": 1}, {"type": "object", "additionalProperties": STRING},
                 'spec.a: Invalid value: "integer": spec.a in body must be of type string: "integer"', id="map value"),
    pytest.param("80", {"x-kubernetes-int-or-string": True}, "", id="int or string: string"),
    pytest.param(80, {"x-kubernetes-int-or-string": True}, "", id="int or string: integer"),
    pytest.param(1.5, {"x-kubernetes-int-or-string": True},
                 'spec: Invalid value: "number": spec in body must be of type integer,string: "number"', id="neither"),
    pytest.param("2026-13-01", {"type": "string", "format": "date"},
                 'spec: Invalid value: "2026-13-01": spec in body must be of type date: "2026-13-01"', id="date"),
    pytest.param("2026-01-01T00:00:00Z", {"type": "string", "format": "date-time"}, "", id="date-time"),
    pytest.param("5x", {"type": "string", "format": "duration"},
                 'spec: Invalid value: "5x": spec in body must be of type duration: "5x"', id="duration"),
    pytest.param("x", {"type": "string", "format": "what-ever"}, "", id="unknown formats are not checked"),
    pytest.param({"a": 1, "b": 1},
                 {"type": "object", "properties": {"a": INTEGER, "b": INTEGER},
                  "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
                 'spec: Invalid value: "": "spec" must validate one and only one schema (oneOf). '
                 "Found 2 valid alternatives", id="oneOf"),
    pytest.param({"a": 1}, {"type": "object", "properties": {"a": INTEGER}, "not": {"required": ["a"]}},
                 'spec: Invalid value: "": "spec" must not validate the schema (not)', id="not"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "schema", "wanted"), VALUES)
def test_a_value_is_checked_in_the_originals_words(value, schema, wanted):
    assert texts(value, schema) == ([wanted] if wanted else [])


@pytest.mark.parametrize(("value", "schema", "wanted"), VALUES)
def test_what_an_update_leaves_alone_is_not_checked_again(value, schema, wanted):
    assert texts(value, schema, old=copy.deepcopy(value)) == []


def test_in_a_list_with_keys_only_changed_items_are_checked():
    item = {"type": "object", "properties": {"n": STRING, "v": {"type": "integer", "maximum": 5}}}
    schema = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
    old = [{"n": "a", "v": 9}, {"n": "b", "v": 1}]
    new = [{"n": "b", "v": 7}, {"n": "a", "v": 9}]
    assert texts(new, schema, old) == [
        "spec[0].v: Invalid value: 7: spec[0].v in body should be less than or equal to 5"
    ]


PRUNED = [
    pytest.param({"type": "object", "properties": {"a": STRING}}, {"a": "x", "b": 1}, {"a": "x"}, ["spec.b"],
                 id="plain"),
    pytest.param({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"b": {"c": 1}}, {"b": {"c": 1}}, [],
                 id="preserved"),
    pytest.param({"type": "object", "x-kubernetes-preserve-unknown-fields": True,
                  "properties": {"a": {"type": "object", "properties": {"k": STRING}}}},
                 {"a": {"k": "x", "l": 1}, "b": 1}, {"a": {"k": "x"}, "b": 1}, ["spec.a.l"],
                 id="known fields of a preserved object are pruned"),
    pytest.param({"type": "object", "additionalProperties": {"type": "object", "properties": {"k": STRING}}},
                 {"x": {"k": "1", "z": 1}}, {"x": {"k": "1"}}, ["spec.x.z"], id="map"),
    pytest.param({"type": "array", "items": {"type": "object", "properties": {"k": STRING}}},
                 [{"k": "1"}, {"z": 1}], [{"k": "1"}, {}], ["spec[1].z"], id="list"),
    pytest.param({"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": STRING}},
                 {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "status": 1},
                 {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}, ["spec.status"],
                 id="embedded resource"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "wanted", "unknown"), PRUNED)
def test_unknown_fields_are_pruned_and_reported(schema, value, wanted, unknown):
    sent = {"metadata": {"name": "x"}, "spec": value}
    found, paths = pruned(copy.deepcopy(sent), custom(schema))
    assert (found["spec"], paths) == (wanted, unknown)
    assert (found["apiVersion"], found["kind"]) == ("example.com/v1", "Widget")


DEFAULTS = [
    pytest.param({"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}, {}, {"a": 1}, id="absent"),
    pytest.param({"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}, {"a": None}, {"a": 1},
                 id="null"),
    pytest.param({"type": "object", "properties": {"a": {"type": "integer", "default": 1, "nullable": True}}},
                 {"a": None}, {"a": None}, id="nullable keeps its null"),
    pytest.param({"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": None}, {}, id="null goes"),
    pytest.param({"type": "object", "properties": {"a": {"type": "object", "default": {},
                  "properties": {"b": {"type": "string", "default": "x"}}}}}, {}, {"a": {"b": "x"}}, id="nested"),
    pytest.param({"type": "array",
                  "items": {"type": "object", "properties": {"b": {"type": "string", "default": "x"}}}},
                 [{}, {"b": "y"}], [{"b": "x"}, {"b": "y"}], id="items"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "wanted"), DEFAULTS)
def test_defaults_are_filled_in_once(schema, value, wanted):
    obj = {"metadata": {"name": "x"}, "spec": copy.deepcopy(value)}
    set_custom_defaults(custom(schema), obj)
    assert obj["spec"] == wanted
    set_custom_defaults(custom(schema), obj)
    assert obj["spec"] == wanted


def test_defaults_of_two_objects_are_not_shared():
    kind = custom({"type": "object", "properties": {"a": {"type": "array", "items": INTEGER, "default": [1]}}})
    one, other = {"spec": {}, "metadata": {}}, {"spec": {}, "metadata": {}}
    set_custom_defaults(kind, one)
    set_custom_defaults(kind, other)
    one["spec"]["a"].append(2)
    assert other["spec"]["a"] == [1]


@pytest.mark.parametrize("pattern", ["^([a-zA-Z0-9]+[-_.]?)+$", "^(a+)+$", "^[a-z]*[a-z]*[a-z]*[a-z]*x$"])
def test_a_pattern_takes_no_longer_for_a_value_that_is_made_to_try_all_ways(pattern):
    for length in (40, 250, 100_000):
        found = list(validate_value("a" * length + "!", {"type": "string", "pattern": pattern}, "spec"))
        assert len(found) == 1, length
    assert not list(validate_value("a" * 250 + "x", {"type": "string", "pattern": "(a|aa)+x$"}, "spec"))


def test_a_pattern_that_only_another_engine_takes_still_counts():
    schema = {"type": "string", "pattern": "^(?=a)(ab)+$"}
    assert not list(validate_value("abab", schema, "spec"))
    assert list(validate_value("ba", schema, "spec"))
