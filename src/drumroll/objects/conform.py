"""Check an object against its message, and bring it into the form in which the original would store it.

One checker is compiled per message, once; paths are only built when something is wrong. As in the original's
Go structs, unknown fields vanish (and are reported), nulls vanish, empty values of optional fields vanish, structs that
are not pointers appear, quantities and times become canonical.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeAlias

import orjson

from drumroll.objects.gotext import type_name
from drumroll.objects.meta import Obj
from drumroll.objects.scalars import canonical_micro_time, canonical_quantity, canonical_time, check_base64
from drumroll.objects.schema import Field, Message, is_message, message

Unknown: TypeAlias = list[tuple[Obj, str]]
"""Unknown fields found: the object that holds each (by identity), and its name."""
Check: TypeAlias = Callable[[Any, Unknown], Any]
"""Returns the value in its stored form, appends unknown fields. Raises Mismatch or ValueError."""

_ZEROS: dict[str, Any] = {"int32": 0, "int64": 0, "bool": False, "string": "", "time": None, "microtime": None}
_ELEMENTS: dict[str, Any] = {"string": "", "bytes": "", "quantity": "0", "int32": 0, "int64": 0}
"""What a null in a list or map becomes, where that is no empty message."""
_GO_STRINGS = {
    "DeploymentStrategy.type": "v1.DeploymentStrategyType", "ServiceSpec.type": "v1.ServiceType",
    "Secret.type": "v1.SecretType", "ServiceSpec.sessionAffinity": "v1.ServiceAffinity",
    "PodSpec.restartPolicy": "v1.RestartPolicy", "Container.restartPolicy": "v1.ContainerRestartPolicy",
    "PodStatus.phase": "v1.PodPhase", "NamespaceStatus.phase": "v1.NamespacePhase", "ObjectMeta.uid": "types.UID",
    "OwnerReference.uid": "types.UID", "HTTPIngressPath.pathType": "v1.PathType", "PodSpec.dnsPolicy": "v1.DNSPolicy",
    "Container.imagePullPolicy": "v1.PullPolicy", "ContainerPort.protocol": "v1.Protocol",
    "ServicePort.protocol": "v1.Protocol", "HTTPGetAction.scheme": "v1.URIScheme",
    "Container.terminationMessagePolicy": "v1.TerminationMessagePolicy",
}  # fmt: skip


class Mismatch(Exception):
    """A value of the wrong JSON type. Printed, it is the original's message."""

    def __init__(self, got: str, want: str) -> None:
        super().__init__(got, want)
        self.got = got
        self.want = want
        self.struct = ""
        self.is_struct = False
        self.path: list[str] = []

    def enter(self, struct: str, field: str) -> None:
        """Note, on the way out, the struct and the field in which it happened."""
        self.struct = self.struct or struct
        self.path.append(field)

    def __str__(self) -> str:
        if not self.path:
            return f"json: cannot unmarshal {self.got} into Go value of type {self.want}"
        path = ".".join(reversed(self.path))
        return f"json: cannot unmarshal {self.got} into Go struct field {self.struct}.{path} of type {self.want}"


def conform(value: Any, name: str) -> tuple[Obj, Unknown]:
    """The object in its stored form, and the unknown fields that were dropped. `value` itself is not changed.

    Raises Mismatch for a wrong type, ValueError for a malformed quantity, time or base64 text.
    """
    unknown: Unknown = []
    cleaned: Obj = checker(name)(value, unknown)
    return cleaned, unknown


def unknown_paths(value: Any, unknown: Unknown) -> list[str]:
    """The paths of unknown fields in the order of the document: `spec.template.spec.containers[0].imag`."""
    wanted = {(id(holder), key) for holder, key in unknown}
    return list(dict.fromkeys(_find(value, "", wanted)))


def _find(value: Any, path: str, wanted: set[tuple[int, str]]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else key
            if (id(value), key) in wanted:
                yield inner
            else:
                yield from _find(item, inner, wanted)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _find(item, f"{path}[{index}]", wanted)


@cache
def checker(name: str) -> Check:
    """The compiled checker of a message."""
    return _struct(message(name))


def _struct(shape: Message) -> Check:
    short, go_type = shape.short, shape.go_type
    strings = frozenset(n for n, f in shape.fields.items() if f.type == "string")
    checks: dict[str, Check] = {n: _lazy(f, short) for n, f in shape.fields.items()}
    droppable = frozenset(n for n, f in shape.fields.items() if _is_droppable(f))
    always = [(n, _zero(f)) for n, f in shape.fields.items() if f.always]

    def check(value: Any, unknown: Unknown) -> Obj:
        if type(value) is not dict:
            raise _not_a_struct(value, go_type)
        out: Obj = {}
        for key, item in value.items():
            if item is None:
                if key not in checks:
                    unknown.append((value, key))
                continue
            if key in strings and type(item) is str:
                if item or key not in droppable:
                    out[key] = item
                continue
            if key not in checks:
                unknown.append((value, key))
                continue
            try:
                cleaned = checks[key](item, unknown)
            except Mismatch as mismatch:
                mismatch.enter(short, key)
                raise
            if cleaned or key not in droppable:
                out[key] = cleaned
        for key, zero in always:
            if key not in out:
                out[key] = zero()
        return out

    return check


def _not_a_struct(value: Any, go_type: str) -> Mismatch:
    mismatch = Mismatch(type_name(value), go_type)
    mismatch.is_struct = True
    return mismatch


def _is_droppable(field: Field) -> bool:
    """Whether Go's omitempty would leave out an empty value."""
    if field.required or field.always or field.pointer:
        return False
    return field.type in ("string", "bool", "int32", "int64", "double", "bytes") or field.type.startswith(
        ("[]", "map[")
    )


def _zero(field: Field) -> Callable[[], Any]:
    if is_message(field.type):
        return lambda: checker(field.type)({}, [])
    zero = _ZEROS[field.type]
    return lambda: zero


def _lazy(field: Field, short: str) -> Check:
    """The checker of a field, compiled when it is first needed: most of a pod's fields never are."""
    compiled: list[Check] = []

    def check(value: Any, unknown: Unknown) -> Any:
        if not compiled:
            compiled.append(_compile(field.type, _GO_STRINGS.get(f"{short}.{field.name}", "")))
        return compiled[0](value, unknown)

    return check


def _compile(type_: str, go_type: str = "") -> Check:
    if is_message(type_):
        return checker(type_)
    if type_.startswith("[]"):
        return _list(type_[2:])
    if type_.startswith("map[string]"):
        return _map(type_.removeprefix("map[string]"))
    if type_ == "string" and go_type:
        return _exactly(str, go_type)
    return _SCALARS[type_]


def _go_name(type_: str) -> str:
    if is_message(type_):
        return message(type_).go_type
    if type_.startswith("[]"):
        return f"[]{_go_name(type_[2:])}"
    if type_ == "map[string]quantity":
        return "v1.ResourceList"
    if type_.startswith("map[string]"):
        return f"map[string]{_go_name(type_.removeprefix('map[string]'))}"
    return {"bytes": "[]uint8", "double": "float64", "time": "v1.Time", "quantity": "resource.Quantity"}.get(
        type_, type_
    )


def _list(element: str) -> Check:
    compiled: list[Check] = []
    want = _go_name(f"[]{element}")
    zero = _ELEMENTS.get(element, {})

    def check(value: Any, unknown: Unknown) -> list[Any]:
        if type(value) is not list:
            raise Mismatch(type_name(value), want)
        if not compiled:
            compiled.append(_compile(element))
        inner = compiled[0]
        return [inner(zero if item is None else item, unknown) for item in value]

    return check


def _map(element: str) -> Check:
    inner = _compile(element)
    want = _go_name(f"map[string]{element}")
    zero = _ELEMENTS.get(element, {})

    def check(value: Any, unknown: Unknown) -> Obj:
        if type(value) is not dict:
            raise Mismatch(type_name(value), want)
        return {key: inner(zero if item is None else item, unknown) for key, item in value.items()}

    return check


def _exactly(type_: type, want: str) -> Check:
    def check(value: Any, _: Unknown) -> Any:
        if type(value) is not type_:
            raise Mismatch(type_name(value), want)
        return value

    return check


def _integer(want: str, bits: int) -> Check:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def check(value: Any, _: Unknown) -> Any:
        if type(value) is int and low <= value <= high:
            return value
        raise Mismatch(f"number {value}" if type(value) in (int, float) else type_name(value), want)

    return check


def _double(value: Any, _: Unknown) -> Any:
    if type(value) in (int, float):
        return value
    raise Mismatch(type_name(value), "float64")


_int32 = _integer("int32", 32)


def _int_or_string(value: Any, unknown: Unknown) -> Any:
    return value if type(value) is str else _int32(value, unknown)


def _text(convert: Callable[[str], str], want: str) -> Check:
    def check(value: Any, _: Unknown) -> str:
        if type(value) is not str:
            raise Mismatch(type_name(value), want)
        return convert(value)

    return check


def _quantity(value: Any, _: Unknown) -> str:
    return canonical_quantity(value if type(value) is str else str(value))


def _raw(value: Any, _: Unknown) -> Any:
    """Any value that can be written again: the encoder stops at a nesting of 254."""
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise ValueError(f"json: unsupported value: {error}") from error
    return value


def _schema_or_bool(value: Any, unknown: Unknown) -> Any:
    if type(value) is bool:
        return value
    return checker("apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")(value, unknown)


_SCALARS: dict[str, Check] = {
    "string": _exactly(str, "string"),
    "bool": _exactly(bool, "bool"),
    "int32": _int32,
    "int64": _integer("int64", 64),
    "double": _double,
    "intstr": _int_or_string,
    "quantity": _quantity,
    "time": _text(canonical_time, "string"),
    "microtime": _text(canonical_micro_time, "string"),
    "bytes": _text(check_base64, "[]uint8"),
    "raw": _raw,
    "json": _raw,
    "schemaorbool": _schema_or_bool,
    "fieldsv1": _raw,
}
