"""Label and field selectors: the query text, the selector inside objects, and what they match.

Source: apimachinery pkg/labels/selector.go and pkg/fields/selector.go, whose grammar and messages these are.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drumroll.objects.custom import CustomKind
from drumroll.objects.errors import BadRequest
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj

_TOKEN = re.compile(r"==|!=|[=!<>(),]|[^=!<>(),\s]+")
_SYMBOLS = frozenset(("==", "!=", "=", "!", "<", ">", "(", ")", ","))
_OPERATORS = {
    "in": "in", "notin": "notin", "=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt",
}  # fmt: skip
_NAME = re.compile(r"^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$")
_PREFIX = re.compile(r"^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$")
_BAD_NAME = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_BAD_PREFIX = (
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
    "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_BAD_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label; `operator` is in, notin, exists, !exists, gt or lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it. notin is also met by labels without the key."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value is not None and value in self.values
            case "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!exists":
                return value is None
        if value is None or not re.fullmatch(r"[+-]?\d+", value):
            return False
        bound = int(next(iter(self.values)))
        return int(value) > bound if self.operator == "gt" else int(value) < bound


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; `nothing` matches no labels at all (a selector that is not set)."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether an object with these labels is selected."""
        if self.nothing:
            return False
        known = labels or {}
        for requirement in self.requirements:  # noqa: SIM110 - asked of every pod in every turn
            if not requirement.matches(known):
                return False
        return True

    @property
    def is_everything(self) -> bool:
        """Whether it selects every object."""
        return not self.nothing and not self.requirements


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(nothing=True)


def parse_labels(text: str) -> LabelSelector:
    """The selector that a `labelSelector` parameter names; empty text selects everything. Raises BadRequest."""
    return _LabelParser(text).parse() if text.strip() else EVERYTHING


def selector_text(selector: Mapping[str, Any]) -> str:
    """A metav1.LabelSelector as one line. Source: apimachinery meta/v1 LabelSelectorAsSelector, printed."""
    parts = [f"{name}={value}" for name, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        name, values = expression["key"], ",".join(sorted(expression.get("values") or ()))
        forms = {"In": f"{name} in ({values})", "NotIn": f"{name} notin ({values})", "Exists": name}
        parts.append(forms.get(expression["operator"], f"!{name}"))
    return ",".join(sorted(parts))


def from_object(selector: Mapping[str, Any] | None) -> LabelSelector:
    """The selector in a metav1.LabelSelector: none selects nothing, an empty one everything. Raises BadRequest."""
    if selector is None:
        return NOTHING
    found = [Requirement(key, "in", frozenset((value,))) for key, value in (selector.get("matchLabels") or {}).items()]
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!exists"}
    for expression in selector.get("matchExpressions") or ():
        operator = operators.get(expression.get("operator", ""))
        if operator is None:
            raise BadRequest(f'"{expression.get("operator", "")}" is not a valid label selector operator')
        found.append(Requirement(expression.get("key", ""), operator, frozenset(expression.get("values") or ())))
    return LabelSelector(tuple(found))


def from_map(selector: Mapping[str, str] | None) -> LabelSelector:
    """The selector in a plain map, as Services have it: none or an empty one selects nothing."""
    return from_object({"matchLabels": dict(selector)}) if selector else NOTHING


class _LabelParser:
    """Recursive descent over the tokens; `""` is the end of the text."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def parse(self) -> LabelSelector:
        found: list[Requirement] = []
        while True:
            token = self._peek()
            if token in _SYMBOLS - {"!"}:
                raise BadRequest(f"found '{token}', expected: !, identifier, or 'end of string'")
            if not token:
                return LabelSelector(tuple(found))
            found.append(self._requirement())
            token = self._take()
            if not token:
                return LabelSelector(tuple(found))
            if token != ",":
                raise BadRequest(f"found '{token}', expected: ',' or 'end of string'")
            if not self._peek() or self._peek() in _SYMBOLS - {"!"}:
                raise BadRequest(f"found '{self._peek()}', expected: identifier after ','")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _requirement(self) -> Requirement:
        key = self._take()
        absent = key == "!"
        key = self._take() if absent else key
        if not key or key in _SYMBOLS:
            raise _refused(f"found '{key}', expected: identifier")
        _check_key(key)
        if self._peek() in ("", ","):
            return Requirement(key, "!exists" if absent else "exists")
        if absent:
            raise BadRequest(f"found '{self._peek()}', expected: ',' or 'end of string'")
        token = self._take()
        operator = _OPERATORS.get(token)
        if operator is None:
            raise _refused(f"found '{token}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._values() if token in ("in", "notin") else self._exact()
        return _checked(Requirement(key, operator, values))

    def _exact(self) -> frozenset[str]:
        if self._peek() in ("", ","):
            return frozenset(("",))
        token = self._take()
        if token in _SYMBOLS:
            raise _refused(f"found '{token}', expected: identifier")
        return frozenset((token,))

    def _values(self) -> frozenset[str]:
        token = self._take()
        if token != "(":
            raise _refused(f"found '{token}' expected: '('")
        values: list[str] = []
        expects_value = True
        while True:
            token = self._take()
            if token == ")":
                return frozenset([*values, ""] if values and expects_value else values)
            if token == ",":
                if expects_value:
                    values.append("")
                expects_value = True
            elif not token or token in _SYMBOLS or not expects_value:
                raise _refused(f"found '{token}', expected: ',' or ')'")
            else:
                values.append(token)
                expects_value = False


def _refused(text: str) -> BadRequest:
    return BadRequest(f"unable to parse requirement: {text}")


def _check_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if not _NAME.match(name) or len(name) > 63:
        raise _refused(f'<nil>: Invalid value: "{key}": {_BAD_NAME}')
    if slash and (not _PREFIX.match(prefix) or len(prefix) > 253):
        raise _refused(f'<nil>: Invalid value: "{key}": {_BAD_PREFIX}')


def _checked(requirement: Requirement) -> Requirement:
    if requirement.operator in ("in", "notin") and not requirement.values:
        raise _refused("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
    for index, value in enumerate(sorted(requirement.values)):
        if requirement.operator in ("gt", "lt") and not re.fullmatch(r"[+-]?\d+", value):
            raise _refused(
                f"values[{index}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        if value and (not _NAME.match(value) or len(value) > 63):
            path = f"values[{index}][{requirement.key}]"
            raise _refused(f'{path}: Invalid value: "{value}": {_BAD_VALUE}')
    return requirement


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All terms must hold; a term is (path, wanted?, value)."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether an object with these fields (see `fields_of`) is selected. A field that is not set is empty."""
        return all((fields.get(path, "") == value) is wanted for path, wanted, value in self.terms)

    def exact(self, path: str) -> str:
        """The value that `path` must have; empty when it may have several."""
        return next((value for name, wanted, value in self.terms if name == path and wanted), "")

    @property
    def is_everything(self) -> bool:
        """Whether it selects every object."""
        return not self.terms


def parse_fields(text: str, kind: Kind | None = None) -> FieldSelector:
    """The selector of a `fieldSelector` parameter. Raises BadRequest, also for fields that `kind` does not offer."""
    terms = []
    for part in re.findall(r"(?:\\.|[^,\\])+", text):
        match = re.match(r"((?:\\.|[^=!\\])*)(!=|==|=)(.*)$", part, re.DOTALL)
        if match is None:
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{part}'")
        if re.search(r"(?<!\\)=", match[3]):
            raise BadRequest("invalid field selector: unescaped character in value: =")
        terms.append((match[1], match[2] != "!=", re.sub(r"\\([\\,=])", r"\1", match[3])))
    selector = FieldSelector(tuple(terms))
    if kind is not None:
        _check_fields(selector, kind)
    return selector


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)


def _at(*path: str, default: str = "") -> Callable[[Obj], str]:
    def read(obj: Obj) -> str:
        value: Any = obj
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return _text(value) or default

    return read


def _source(obj: Obj) -> str:
    return _text((obj.get("source") or {}).get("component") or obj.get("reportingComponent"))


_EVENT_TARGET = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_FIELDS: dict[str, dict[str, Callable[[Obj], str]]] = {
    "pods": {
        "spec.nodeName": _at("spec", "nodeName"),
        "spec.restartPolicy": _at("spec", "restartPolicy"),
        "spec.schedulerName": _at("spec", "schedulerName"),
        "spec.serviceAccountName": _at("spec", "serviceAccountName"),
        "spec.hostNetwork": _at("spec", "hostNetwork", default="false"),
        "status.phase": _at("status", "phase"),
        "status.podIP": _at("status", "podIP"),
        "status.nominatedNodeName": _at("status", "nominatedNodeName"),
    },
    "events": {
        **{f"involvedObject.{name}": _at("involvedObject", name) for name in _EVENT_TARGET},
        "reason": _at("reason"),
        "reportingComponent": _at("reportingComponent"),
        "source": _source,
        "type": _at("type"),
    },
    "events.events.k8s.io": {
        **{f"regarding.{name}": _at("regarding", name) for name in _EVENT_TARGET},
        "reason": _at("reason"),
        "reportingController": _at("reportingController"),
        "type": _at("type"),
    },
    "nodes": {"spec.unschedulable": _at("spec", "unschedulable", default="false")},
    "namespaces": {"status.phase": _at("status", "phase"), "name": _at("metadata", "name")},
    "secrets": {"type": _at("type")},
    "services": {"spec.clusterIP": _at("spec", "clusterIP"), "spec.type": _at("spec", "type")},
    "replicasets.apps": {"status.replicas": _at("status", "replicas", default="0")},
}
_METADATA = {"metadata.name": _at("metadata", "name"), "metadata.namespace": _at("metadata", "namespace")}


def _check_fields(selector: FieldSelector, kind: Kind) -> None:
    own: Mapping[str, Any] | None = _FIELDS.get(kind.resource)
    if isinstance(kind, CustomKind) and kind.definition.selectable:
        own = dict.fromkeys(path.removeprefix(".") for path in kind.definition.selectable)
    for path, _, _ in selector.terms:
        if path in _METADATA or (own and path in own):
            continue
        if own is None:
            raise BadRequest(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
        raise BadRequest(f"field label not supported: {path}")


def fields_of(kind: Kind, obj: Obj) -> dict[str, str]:
    """The values of all fields by which objects of this kind can be selected."""
    readers = _METADATA | _FIELDS.get(kind.resource, {})
    if isinstance(kind, CustomKind):
        for path in kind.definition.selectable:
            names = path.removeprefix(".")
            readers[names] = _at(*names.split("."))
    return {path: read(obj) for path, read in readers.items()}
