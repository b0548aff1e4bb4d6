"""How custom resources are printed: the columns of their definition.

Source: apiextensions pkg/registry/customresource/tableconvertor/tableconvertor.go.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from drumroll.apiserver.tables_cells import AGE, NAME, Column, Printer, age, human_duration
from drumroll.objects.custom import CustomKind
from drumroll.objects.jsonpath import find
from drumroll.objects.meta import Obj, parse_timestamp


def custom_printer(kind: CustomKind) -> Printer:
    """The printer of a custom kind, made once for each version of its definition."""
    derived = kind.definition.derived
    if "printer" not in derived:
        derived["printer"] = _printer(kind.definition.columns)
    printer: Printer = derived["printer"]
    return printer


def _printer(columns: tuple[Obj, ...]) -> Printer:
    if not columns:
        return Printer((NAME, AGE), lambda obj, now: [obj["metadata"]["name"], age(obj, now)])
    cells = [_cell(column) for column in columns]

    def row(obj: Obj, now: datetime) -> list[Any]:
        return [obj["metadata"]["name"], *(cell(obj, now) for cell in cells)]

    return Printer((NAME, *map(_column, columns)), row)


def _column(column: Obj) -> Column:
    return Column(
        column["name"],
        column.get("description") or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
        column["type"],
        column.get("format") or "",
        bool(column.get("priority")),
    )


def _cell(column: Obj) -> Callable[[Obj, datetime], Any]:
    path, type_ = column["jsonPath"], column["type"]

    def cell(obj: Obj, now: datetime) -> Any:
        found = find(path, obj)
        if not found:
            return None
        if type_ == "string":
            return " ".join(map(_printed, found))
        return _typed(found[0], type_, now)

    return cell


def _printed(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def _typed(value: Any, type_: str, now: datetime) -> Any:
    """A cell of the column's type; None where the value is of another."""
    if type_ == "date":
        try:
            return human_duration(now - parse_timestamp(value))
        except (TypeError, ValueError):
            return "<invalid>" if isinstance(value, str) else None
    if type_ == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if type_ == "integer":
        return int(value) if abs(value) < 1 << 63 else None
    return float(value)
