"""The Common Expression Language behind one small interface: compile once, evaluate often.

The only module that knows the library (cel-expr-python, loaded when the first rule is compiled). What Kubernetes adds
to the language is declared in `cel_functions`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any

_STATUS = re.compile(r"^[A-Z_]+: ")
_MISSING_KEY = re.compile(r'Key not found in map : "(.*)"')


class BadExpression(Exception):
    """An expression that does not compile. Printed, it is the original's text."""


class BadPattern(Exception):
    """Not a regular expression of RE2. Printed, it says what is wrong with it."""


class Failed(Exception):
    """An expression that cannot be evaluated for these values. Printed, it says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression. `uses_old`: it compares with the former value."""

    source: str
    expression: Any
    uses_old: bool

    def evaluate(self, value: Any, old: Any = None, *, has_old: bool = False) -> Any:
        """The result for `self` and `oldSelf`, which are values from `converted`. Raises Failed."""
        try:
            result = self.expression.eval(data={"self": value, "oldSelf": old, "former": old, "hasFormer": has_old})
        except RuntimeError as error:
            raise Failed(_reason(str(error))) from error
        found = result.value()
        if result.type().name() == _error_name():
            raise Failed(_reason(str(found)))
        return found


def compile_rule(source: str, *, optional_old: bool = False) -> Program:
    """A rule that says true or false. Raises BadExpression."""
    program = _compile(source.strip(), optional_old)
    if program.expression.return_type().name() not in _names("BOOL", "DYN"):
        raise BadExpression("cel expression must evaluate to a bool")
    return program


def compile_message(source: str, *, optional_old: bool = False) -> Program:
    """An expression for the text of an error. Raises BadExpression."""
    program = _compile(source.strip(), optional_old)
    if program.expression.return_type().name() not in _names("STRING", "DYN"):
        raise BadExpression("messageExpression must evaluate to a string")
    return program


@lru_cache(2048)
def _compile(source: str, optional_old: bool) -> Program:
    uses_old = re.search(r"(?<![\w.'\"])oldSelf\b", source) is not None
    text = source
    if optional_old:
        text = f"cel.bind(oldSelf, hasFormer ? optional.of(former) : optional.none(), ({source}))"
    try:
        return Program(source, _environment().compile(text), uses_old)
    except RuntimeError as error:
        raise BadExpression(f"compilation failed: {_reason(str(error))}") from error


@cache
def _environment() -> Any:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_bindings, ext_math, ext_optional, ext_strings

    from drumroll.domain.custom.cel_functions import FUNCTIONS

    overloads: dict[str, list[Any]] = {}
    for one in FUNCTIONS:
        types = [_type(cel, name) for name in one.parameters]
        made = cel.Overload(one.id, _type(cel, one.result), types, one.is_member, one.call)
        overloads.setdefault(one.name, []).append(made)
    return cel.NewEnv(
        variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN, "former": cel.Type.DYN, "hasFormer": cel.Type.BOOL},
        functions=[cel.FunctionDecl(name, made) for name, made in overloads.items()],
        extensions=[
            ext_strings.ExtStrings(),
            ext_math.ExtMath(),
            ext_optional.ExtOptional(),
            ext_bindings.ExtBindings(),
        ],
    )


def _type(cel: Any, name: str) -> Any:
    return cel.Type.List(cel.Type.DYN) if name == "LIST" else getattr(cel.Type, name)


@cache
def _names(*types: str) -> frozenset[str]:
    from cel_expr_python import cel

    return frozenset(getattr(cel.Type, name).name() for name in types)


@cache
def _error_name() -> str:
    from cel_expr_python import cel

    name: str = cel.Type.ERROR.name()
    return name


def _reason(text: str) -> str:
    """What the library reports, in the original's words where they differ."""
    text = _STATUS.sub("", text)
    text = re.sub(r" \[[A-Z_]+\]$", "", text)
    missing = _MISSING_KEY.search(text)
    if missing:
        return f"no such key: {missing[1]}"
    if text.startswith("No matching overloads found"):
        return "no such overload"
    return {"divide by zero": "division by zero"}.get(text, text)


def moment(value: datetime) -> Any:
    """A point in time as expressions take it."""
    from google.protobuf.timestamp_pb2 import Timestamp

    made = Timestamp()
    made.FromDatetime(value.astimezone(UTC))
    return made


def span(value: timedelta) -> Any:
    """A duration as expressions take it."""
    from google.protobuf.duration_pb2 import Duration

    made = Duration()
    made.FromTimedelta(value)
    return made


def is_found(pattern: str, text: str) -> bool:
    """Whether RE2 finds the pattern anywhere in the text, in time linear in the text's length. Raises BadPattern."""
    data = {"text": _encodable(text), "pattern": _encodable(pattern)}
    result = _search().eval(data=data)
    found = result.value()
    if result.type().name() == _error_name():
        raise BadPattern(_reason(str(found)).removeprefix("invalid regular expression: "))
    return bool(found)


@cache
def _search() -> Any:
    from cel_expr_python import cel

    variables = {"text": cel.Type.STRING, "pattern": cel.Type.STRING}
    return cel.NewEnv(variables=variables).compile("text.matches(pattern)")


def _encodable(text: str) -> str:
    """The text without halves of surrogate pairs, which no UTF-8 has."""
    return text.encode("utf-8", "replace").decode()
