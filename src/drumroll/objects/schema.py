"""What each message of the API consists of: fields, types, merge keys, protobuf numbers.

`scripts/update_schema.py` writes the table, `schema.json`, which is read on first use; no schema is written by hand.
Types are `string`, `bool`, `int32`, `int64`, `double`, `bytes`, `quantity`, `time`, `microtime`, `intstr`, `raw`,
`json` (any value), `schemaorbool` (a JSON schema, or true or false), `fieldsv1`, a message's name, `[]T` or
`map[string]T`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import orjson

from drumroll.objects.kinds import Kind


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message.

    `number` is the protobuf field number, 0 where protobuf keeps the field in an `inline` member. `pointer`: a zero
    is a value and is kept; `always`: written even when never set. `merge_key` and `strategies` rule strategic merge;
    `list_type`, `list_keys` and `map_type` are published in OpenAPI.
    """

    name: str
    type: str
    number: int = 0
    required: bool = False
    always: bool = False
    pointer: bool = False
    inline: bool = False
    merge_key: str = ""
    strategies: tuple[str, ...] = ()
    list_type: str = ""
    list_keys: tuple[str, ...] = ()
    map_type: str = ""

    @property
    def element(self) -> str:
        """The type of the elements of a list or of the values of a map; of anything else its own type."""
        return self.type.removeprefix("[]").removeprefix("map[string]")

    @property
    def message(self) -> "Message | None":
        """The message that the field (or each element of it) holds; None for scalars."""
        return message(self.element) if is_message(self.element) else None


@dataclass(frozen=True, slots=True)
class Message:
    """A message by its name without `io.k8s.`: `api.apps.v1.DeploymentSpec`. `fields` are those of its JSON form."""

    name: str
    fields: Mapping[str, Field]
    by_number: Mapping[int, Field]

    @property
    def short(self) -> str:
        """`DeploymentSpec`: the struct's name in error messages."""
        return self.name.rsplit(".", 1)[1]

    @property
    def go_type(self) -> str:
        """`v1.DeploymentSpec`: the type's name in error messages."""
        return ".".join(self.name.rsplit(".", 2)[1:])


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = orjson.loads(resources.files("drumroll.objects").joinpath("schema.json").read_bytes())
    return table


def is_message(type_: str) -> bool:
    """Whether a type of the table names a message, rather than a scalar, a list or a map."""
    return type_.startswith(("api.", "apimachinery.", "apiextensions-apiserver."))


@cache
def message(name: str) -> Message:
    """The message of that name. Raises KeyError when the table has none."""
    fields = {key: _field(key, facts) for key, facts in _table()["messages"][name].items()}
    return Message(
        name,
        {key: field for key, field in fields.items() if not field.inline},
        {field.number: field for field in fields.values() if field.number},
    )


def _field(name: str, facts: Mapping[str, Any]) -> Field:
    return Field(
        name,
        facts["type"],
        facts.get("number", 0),
        "required" in facts,
        "always" in facts,
        "pointer" in facts,
        "inline" in facts,
        facts.get("merge", ""),
        tuple(facts.get("strategy", "").split(",")) if "strategy" in facts else (),
        facts.get("list", ""),
        tuple(facts.get("keys", ())),
        facts.get("map", ""),
    )


@cache
def atomic_messages() -> frozenset[str]:
    """The names of the messages that are owned as a whole: references, selectors and the like."""
    return frozenset(_table()["atomic"])


def message_names() -> list[str]:
    """The names of all messages, sorted."""
    return list(_table()["messages"])


def message_of(kind: Kind) -> Message:
    """The message of a kind. Raises KeyError when the table does not have the kind."""
    return message(_table()["kinds"][f"{kind.api_version} {kind.name}"])


def is_known(api_version: str, kind: str) -> bool:
    """Whether the table has such a kind (also those that are no resources: Scale, DeleteOptions …)."""
    return f"{api_version} {kind}" in _table()["kinds"]
