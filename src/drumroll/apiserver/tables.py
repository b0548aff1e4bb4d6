"""Tables: how the server prints objects for `kubectl get`. Source: pkg/printers/internalversion/printers.go."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from drumroll.apiserver.tables_access import ACCESS_PRINTERS
from drumroll.apiserver.tables_cells import AGE, NAME, Column, Printer, age
from drumroll.apiserver.tables_controllers import CONTROLLER_PRINTERS
from drumroll.apiserver.tables_network import NETWORK_PRINTERS
from drumroll.apiserver.tables_policy import POLICY_PRINTERS
from drumroll.apiserver.tables_resources import RESOURCE_PRINTERS
from drumroll.apiserver.tables_workloads import WORKLOAD_PRINTERS
from drumroll.objects.custom import CustomKind
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj


def render_table(kind: Kind, items: Sequence[Obj], now: datetime, include_object: str, metadata: Obj) -> Obj:
    """A meta.k8s.io/v1 Table with one row per item, in their order.

    `include_object` is the query parameter: "Object" rows carry the whole object, "None" rows nothing, others (also
    "" and "Metadata") its metadata. `metadata` is the table's own list metadata. Ages are those at `now`.
    """
    printer = _printer(kind)
    rows = []
    for item in items:
        row: Obj = {"cells": printer.cells(item, now)}
        conditions = printer.conditions(item) if printer.conditions else None
        if conditions:
            row["conditions"] = conditions
        row["object"] = _row_object(kind, item, include_object)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [column.definition() for column in printer.columns],
        "rows": rows,
    }


def _printer(kind: Kind) -> Printer:
    if isinstance(kind, CustomKind):
        from drumroll.apiserver.tables_custom import custom_printer

        return custom_printer(kind)
    return _PRINTERS.get((kind.group, kind.name), _DEFAULT)


def _row_object(kind: Kind, item: Obj, include_object: str) -> Obj | None:
    if include_object == "None":
        return None
    if include_object == "Object":
        return {"kind": kind.name, "apiVersion": kind.api_version, **item}
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


def _name_and_age(obj: Obj, now: datetime) -> list[str]:
    return [obj["metadata"]["name"], age(obj, now)]


def _name_and_creation(obj: Obj, now: datetime) -> list[str]:
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp") or ""]


_DEFAULT = Printer((NAME, AGE), _name_and_age)
_CREATED = Printer((NAME, Column("Created At", "Time at which the object was created.", "date")), _name_and_creation)
_PRINTERS: Mapping[tuple[str, str], Printer] = {
    **ACCESS_PRINTERS,
    **WORKLOAD_PRINTERS,
    **NETWORK_PRINTERS,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _CREATED,
    **RESOURCE_PRINTERS,
    **CONTROLLER_PRINTERS,
    **POLICY_PRINTERS,
}
