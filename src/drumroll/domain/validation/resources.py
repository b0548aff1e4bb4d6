"""Rules for what containers request and may use at most. Source: pkg/apis/core/validation/validation.go."""

from decimal import Decimal
from functools import lru_cache
from typing import Any

from drumroll.domain.validation.field import NOT_NEGATIVE, Errors, invalid, required
from drumroll.domain.validation.names import qualified_faults
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

_STANDARD = ("cpu", "memory", "ephemeral-storage")
_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def validate_resources(resources: Obj, path: str) -> Errors:
    """Quantities are not negative, names are known, and no request exceeds its limit."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            yield from _validate_amount(name, amount, f"{path}.{field}")
    for name, amount in requests.items():
        if name in limits:
            yield from _validate_pair(name, amount, limits[name], f"{path}.requests")
        elif _is_extended(name):
            yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")


def _validate_amount(name: str, amount: Any, path: str) -> Errors:
    where = f"{path}[{name}]"
    yield from _validate_name(name, where)
    value = _value(str(amount))
    if value is None:
        yield invalid(where, amount, _QUANTITY)
    elif value < 0:
        yield invalid(where, str(amount), NOT_NEGATIVE)
    elif _is_extended(name) and value != value.to_integral_value():
        yield invalid(where, str(amount), "must be an integer")


def _validate_name(name: str, where: str) -> Errors:
    if name in _STANDARD:
        return
    faults = qualified_faults(name)
    for fault in faults:
        yield invalid(where, name, fault)
    if not faults and "/" not in name and not name.startswith("hugepages-"):
        yield invalid(where, name, "must be a standard resource type or fully qualified")
        yield invalid(where, name, "must be a standard resource for containers")


def _validate_pair(name: str, request: Any, limit: Any, path: str) -> Errors:
    asked, most = _value(str(request)), _value(str(limit))
    if asked is None or most is None:
        return
    if _is_extended(name) and asked != most:
        yield invalid(path, str(request), f"must be equal to {name} limit of {limit}")
    elif asked > most:
        yield invalid(path, str(request), f"must be less than or equal to {name} limit of {limit}")


def _is_extended(name: str) -> bool:
    """Resources of others cannot be overcommitted."""
    return ("/" in name and not name.startswith("kubernetes.io/")) or name.startswith("hugepages-")


@lru_cache(maxsize=4096)
def _value(amount: str) -> Decimal | None:
    try:
        return parse_quantity(amount)
    except ValueError:
        return None
