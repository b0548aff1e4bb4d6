"""Validation rules of schemas, as the expression language has them and as Kubernetes adds to it."""

import pytest

from drumroll.domain.custom.cel import BadExpression, compile_rule
from drumroll.domain.custom.rules import check_rules, converted, escaped

ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def check(rule, spec, old=None, schema=None, **more):
    node = {**(schema or ANY), "x-kubernetes-validations": [{"rule": rule, **more}]}
    root = {"type": "object", "properties": {"spec": node}}
    before = None if old is None else {"spec": old}
    return [str(error) for error in check_rules({"spec": spec}, root, before)]


TRUE = [
    pytest.param("self.a <= self.b", {"a": 1, "b": 2}, id="comparison"),
    pytest.param("!has(self.a) || self.a > 0", {}, id="has"),
    pytest.param("self.l.all(x, x.startsWith('a'))", {"l": ["ab", "ac"]}, id="all"),
    pytest.param("self.l.exists_one(x, x == 1)", {"l": [1, 2]}, id="exists_one"),
    pytest.param("self.l.map(x, x * 2) == [2, 4]", {"l": [1, 2]}, id="map"),
    pytest.param("self.l.filter(x, x > 1).size() == 1", {"l": [1, 2]}, id="filter"),
    pytest.param("self.s.matches('^[a-z]+$')", {"s": "abc"}, id="matches"),
    pytest.param("self.s.split(',').size() == 2", {"s": "a,b"}, id="split"),
    pytest.param("self.?a.orValue(3) == 3", {}, id="optional"),
    pytest.param("cel.bind(x, self.a, x + x == 4)", {"a": 2}, id="bind"),
    pytest.param("self.l.isSorted() && self.l.sum() == 6 && self.l.min() == 1 && self.l.max() == 3", {"l": [1, 2, 3]},
                 id="lists"),
    pytest.param("isURL(self.u) && url(self.u).getHost() == 'x:80' && url(self.u).getScheme() == 'http'",
                 {"u": "http://x:80/p"}, id="urls"),
    pytest.param("quantity(self.q).isGreaterThan(quantity('1Gi')) && isQuantity('1.5k')", {"q": "2048Mi"},
                 id="quantities"),
    pytest.param("quantity('1000m') == quantity('1')", {}, id="equal quantities"),
    pytest.param("isIP(self.i) && ip(self.i).family() == 4 && cidr('10.0.0.0/8').containsIP(self.i)",
                 {"i": "10.1.2.3"}, id="addresses"),
    pytest.param("sets.contains(self.l, [1]) && sets.equivalent([1, 2], [2, 1])", {"l": [1, 2]}, id="sets"),
    pytest.param("self.s.find('[0-9]+') == '12' && self.s.findAll('[a-z]') == ['a']", {"s": "a12"}, id="find"),
    pytest.param("math.greatest(1, 2) == 2 && 'AB'.lowerAscii() == 'ab'", {}, id="math and strings"),
    pytest.param("'%s-%d'.format(['a', 1]) == 'a-1'", {}, id="format"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "spec"), TRUE)
def test_a_rule_that_holds_says_nothing(rule, spec):
    assert check(rule, spec) == []
    assert check(f"!({rule})", spec) == [f'spec: Invalid value: "object": failed rule: !({rule})']


def test_what_is_said_when_a_rule_fails():
    assert check("false", {}, message="no") == ['spec: Invalid value: "object": no']
    assert check("false", {}, message="no", fieldPath=".a") == ['spec.a: Invalid value: "object": no']
    assert check("false", {"n": 3}, messageExpression="'got ' + string(self.n)") == [
        'spec: Invalid value: "object": got 3'
    ]
    assert check("false", {}, message="no", messageExpression="self.gone") == ['spec: Invalid value: "object": no']
    assert check("false", {}, message="no", reason="FieldValueForbidden") == ["spec: Forbidden: no"]
    assert check("self.a.b == 1", {"a": {}}, message="no") == [
        'spec: Invalid value: "object": no such key: b evaluating rule: no'
    ]


def test_transition_rules_only_see_changes():
    rule = "self.a >= oldSelf.a"
    assert check(rule, {"a": 1}) == []
    assert check(rule, {"a": 2}, old={"a": 1}) == []
    assert check(rule, {"a": 1}, old={"a": 2}) == [f'spec: Invalid value: "object": failed rule: {rule}']
    optional = "!oldSelf.hasValue() || self.a == oldSelf.value().a"
    assert check(optional, {"a": 1}, optionalOldSelf=True) == []
    assert check(optional, {"a": 1}, old={"a": 2}, optionalOldSelf=True) == [
        f'spec: Invalid value: "object": failed rule: {optional}'
    ]


def test_values_have_the_types_of_their_schema():
    schema = {
        "type": "object",
        "properties": {
            "since": {"type": "string", "format": "date-time"},
            "every": {"type": "string", "format": "duration"},
            "share": {"type": "number"},
            "max-size": {"type": "integer"},
            "namespace": {"type": "string"},
        },
    }
    spec = {"since": "2026-01-02T00:00:00Z", "every": "1m30s", "share": 1, "max-size": 4, "namespace": "x"}
    rule = (
        "self.since > timestamp('2026-01-01T00:00:00Z') && self.every == duration('90s') && self.share < 1.5 && "
        "self.max__dash__size == 4 && self.__namespace__ == 'x'"
    )
    assert check(rule, spec, schema=schema) == []


def test_only_names_of_the_metadata_are_seen():
    seen = converted({"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {}}, {"type": "object"}, is_root=True)
    assert seen["metadata"] == {"name": "a"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("a", "a"), ("a-b", "a__dash__b"), ("a.b", "a__dot__b"), ("a/b", "a__slash__b"), ("a__b", "a__underscores__b"),
     ("if", "__if__")],
)  # fmt: skip
def test_names_are_escaped(name, wanted):
    assert escaped(name) == wanted


@pytest.mark.parametrize("rule", ["self.a +", "nothing == 1", "'a' + 1 == 'a'", "self.nope(1)"])
def test_what_does_not_compile_is_refused(rule):
    with pytest.raises(BadExpression, match="compilation failed: ERROR: <input>:1:"):
        compile_rule(rule)


def test_a_rule_must_say_true_or_false():
    with pytest.raises(BadExpression, match="cel expression must evaluate to a bool"):
        compile_rule("1 + 1")
