"""Label and field selectors: grammar, matches and the original's messages."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.objects.errors import BadRequest
from drumroll.objects.kinds import CONFIG_MAP, EVENT, POD, REPLICA_SET
from drumroll.objects.selectors import EVERYTHING, NOTHING, fields_of, from_map, from_object, parse_fields, parse_labels

LABELS = {"app": "web", "n": "3", "empty": ""}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True), ("app=web", True), ("app==web", True), ("app=x", False), ("app!=x", True), ("app!=web", False),
        ("other!=x", True), ("app", True), ("!app", False), ("!other", True), ("other", False),
        ("app in (web,x)", True), ("app in (x, y)", False), ("app notin (x)", True), ("other notin (x)", True),
        ("app notin (web)", False), ("n>2", True), ("n>3", False), ("n<4", True), ("app>1", False), ("other<1", False),
        ("app=web,n in (3)", True), ("app=web,n=4", False), ("empty=", True), ("app=", False), ("empty in ()x", None),
        ("empty in (,)", True), ("empty in (x,)", True), ("app in (x,)", False),
        ("a.b/c!=d", True), (" app = web , n ", True),
    ],
)  # fmt: skip
def test_label_selector_selects(text: str, selected: bool | None):
    if selected is None:
        with pytest.raises(BadRequest):
            parse_labels(text)
    else:
        assert parse_labels(text).matches(LABELS) is selected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bad===", "unable to parse requirement: found '=', expected: identifier"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a,", "found '', expected: identifier after ','"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": "
                "for 'Gt', 'Lt' operators, the value must be an integer"),
        ("a notin ()", "unable to parse requirement: values: Invalid value: []: "
                       "for 'in', 'notin' operators, values set can't be empty"),
    ],
)  # fmt: skip
def test_malformed_label_selector_is_refused_in_the_originals_words(text: str, message: str):
    with pytest.raises(BadRequest) as refused:
        parse_labels(text)
    assert refused.value.message == message


@given(st.text(max_size=30))
def test_any_text_is_a_selector_or_a_bad_request(text: str):
    with contextlib.suppress(BadRequest):
        parse_labels(text).matches(LABELS)
    with contextlib.suppress(BadRequest):
        parse_fields(text).matches({})


def test_absent_selector_selects_nothing_and_an_empty_one_everything():
    assert from_object(None) == NOTHING
    assert from_object({}) == EVERYTHING
    assert from_map({}) == NOTHING
    assert not NOTHING.matches({})
    assert EVERYTHING.matches({})


def test_selector_in_an_object_combines_labels_and_expressions():
    selector = from_object(
        {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "n", "operator": "In", "values": ["3", "4"]}]}
    )
    assert selector.matches(LABELS)
    assert not selector.matches(LABELS | {"n": "5"})


def test_unset_fields_are_empty():
    pod = {"metadata": {"name": "a", "namespace": "b"}, "spec": {}, "status": {"phase": "Running"}}
    fields = fields_of(POD, pod)
    assert parse_fields("spec.nodeName=,status.phase!=Failed", POD).matches(fields)
    assert not parse_fields("metadata.name=b", POD).matches(fields)
    assert parse_fields("metadata.name=a", POD).exact("metadata.name") == "a"
    assert fields_of(REPLICA_SET, {"metadata": {"name": "a"}})["status.replicas"] == "0"


def test_event_is_found_by_its_object():
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "source": {"component": "kubelet"},
    }
    selector = parse_fields("involvedObject.kind=Pod,involvedObject.name=p,source=kubelet", EVENT)
    assert selector.matches(fields_of(EVENT, event))


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (CONFIG_MAP, "data.k=v",
         '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        (POD, "spec.foo=v", "field label not supported: spec.foo"),
        (POD, "nonsense", "invalid selector: 'nonsense'; can't understand 'nonsense'"),
    ],
)  # fmt: skip
def test_unsupported_field_is_refused_in_the_originals_words(kind, text: str, message: str):
    with pytest.raises(BadRequest) as refused:
        parse_fields(text, kind)
    assert refused.value.message == message
