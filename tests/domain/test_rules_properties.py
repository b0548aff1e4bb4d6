"""Whatever decodes can be defaulted, prepared, validated and printed: no object that a user can send is a crash."""

import copy
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumroll.apiserver.tables import render_table
from drumroll.domain.defaults import set_defaults
from drumroll.domain.strategy import prepare_create, prepare_status, prepare_update
from drumroll.domain.validation import validate_create, validate_update
from drumroll.objects.conform import conform
from drumroll.objects.kinds import KINDS
from drumroll.objects.schema import is_message, message, message_of
from tests.searching import examples

NOW = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)
WORDS = ("", "a", "web", "Bad_Name", "a.b/c", "None", "Always", "TCP", "ClusterIP", "10.0.0.1", "25%", "/x/../y", "é")
TIME = "2026-01-01T00:00:00Z"
SCALARS = {
    "string": lambda chance: chance.choice(WORDS),
    "bool": lambda chance: chance.random() < 0.5,
    "int32": lambda chance: chance.choice((-1, 0, 1, 80, 70000)),
    "int64": lambda chance: chance.choice((-1, 0, 1, 2**40)),
    "double": lambda chance: chance.random(),
    "bytes": lambda chance: chance.choice(("", "Yg==")),
    "quantity": lambda chance: chance.choice(("0", "1", "-1", "0.5", "128Mi", "1e3")),
    "time": lambda chance: TIME,
    "microtime": lambda chance: chance.choice((None, "2026-01-01T00:00:00.000000Z")),
    "intstr": lambda chance: chance.choice((0, 1, -1, "25%", "web", "10", "")),
    "raw": lambda chance: {},
    "json": lambda chance: chance.choice((1, "x", True, {"a": 1}, [1])),
    "schemaorbool": lambda chance: chance.choice((True, False, {"type": "string"}, {})),
    "fieldsv1": lambda chance: {},
}


def value(chance, kind, depth):
    if kind.startswith("[]"):
        return [value(chance, kind[2:], depth) for _ in range(chance.choice((0, 1, 2)))]
    if kind.startswith("map[string]"):
        return {key: value(chance, kind[11:], depth) for key in chance.sample(WORDS, chance.choice((0, 1, 2)))}
    return obj_of(chance, message(kind), depth + 1) if is_message(kind) else SCALARS[kind](chance)


def obj_of(chance, kind, depth=0):
    likely = 0.8 if depth < 3 else 0.45 if depth < 7 else 0.1
    return {name: value(chance, field.type, depth) for name, field in kind.fields.items() if chance.random() < likely}


def sent(chance, kind):
    obj = obj_of(chance, message_of(kind))
    obj["metadata"] = {**obj.get("metadata", {}), "name": "x", "creationTimestamp": TIME}
    obj["metadata"].pop("managedFields", None)
    cleaned, _ = conform(obj, message_of(kind).name)
    return cleaned


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.resource) for kind in KINDS])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(40))
def test_every_object_that_decodes_passes_through_all_rules(kind, seed):
    chance = random.Random(seed)
    old, new = sent(chance, kind), sent(chance, kind)
    set_defaults(kind, old)
    once = copy.deepcopy(old)
    set_defaults(kind, old)
    assert old == once, "defaults are not idempotent"
    prepare_create(kind, old)
    assert all(error.reason.startswith("FieldValue") for error in validate_create(kind, old))
    set_defaults(kind, new)
    kept, status = copy.deepcopy(old), copy.deepcopy(new)
    prepare_status(kind, status, old)
    prepare_update(kind, new, old)
    assert old == kept, "the stored object was changed"
    assert all(error.reason.startswith("FieldValue") for error in validate_update(kind, new, old))
    rows = render_table(kind, [old, new, status], NOW, "Object", {})
    assert all(len(row["cells"]) == len(rows["columnDefinitions"]) for row in rows["rows"])
