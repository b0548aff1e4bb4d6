"""Rules for limit ranges and resource quotas. Source: pkg/apis/core/validation/validation.go."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from drumroll.domain.validation.field import (
    IMMUTABLE,
    Errors,
    duplicate,
    each,
    forbidden,
    in_words_of_go,
    invalid,
    required,
)
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import qualified_faults, subdomain_faults
from drumroll.domain.validation.resources import (
    QUOTA_OBJECTS,
    is_overcommitted,
    validate_amount,
    validate_container_resource_name,
    validate_resource_name,
)
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

_POD_COMPUTE = ("cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
_QUOTA_NAMES = (
    *_POD_COMPUTE, *QUOTA_OBJECTS, "ephemeral-storage", "requests.storage", "requests.ephemeral-storage",
    "limits.ephemeral-storage",
)  # fmt: skip
_OF_PODS = ("pods", *_POD_COMPUTE)
_SCOPES: Mapping[str, tuple[str, ...]] = {
    "Terminating": _OF_PODS,
    "NotTerminating": _OF_PODS,
    "BestEffort": ("pods",),
    "NotBestEffort": _OF_PODS,
    "PriorityClass": _OF_PODS,
    "CrossNamespacePodAffinity": _OF_PODS,
    "VolumeAttributesClass": ("persistentvolumeclaims", "requests.storage"),
}
_CONFLICTS = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_ONLY_EXISTS = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_LIMIT_MAPS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_ORDER = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest",
     "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest",
     "default request value {} is greater than max value {}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest",
     "default request value {} is greater than default limit value {}"),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)  # fmt: skip


def validate_limit_range(limit_range: Obj) -> Errors:
    """The rules for a limit range: its numbers fit together."""
    yield from validate_metadata(limit_range["metadata"], namespaced=True, name_faults=subdomain_faults)
    seen: set[str] = set()
    for index, limit in enumerate((limit_range.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", limit.get("type") or ""
        faults = qualified_faults(kind)
        yield from each(f"{path}.type", kind, faults)
        if not faults and "/" not in kind and kind not in _TYPES:
            yield invalid(f"{path}.type", kind, "must be a standard limit type or fully qualified")
        if kind in seen:
            yield duplicate(f"{path}.type", kind)
        seen.add(kind)
        yield from _validate_limit(limit, kind, path)


def _validate_limit(limit: Obj, kind: str, path: str) -> Errors:
    rule = validate_container_resource_name if kind in ("Pod", "Container") else validate_resource_name
    used = [field for field in _LIMIT_MAPS if kind != "Pod" or field not in ("default", "defaultRequest")]
    for field in _LIMIT_MAPS:
        if field == "maxLimitRequestRatio" and kind == "PersistentVolumeClaim" and not _bounds_storage(limit):
            text = "either minimum or maximum storage value is required, but neither was provided"
            yield required(f"{path}.limits", text)
        if field not in used:
            if limit.get(field):
                yield forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'")
            continue
        for name in limit.get(field) or {}:
            yield from rule(name, f"{path}.{field}[{name}]")
    for name in sorted({name for field in used for name in limit.get(field) or {}}):
        amounts = {field: limit[field][name] for field in used if name in (limit.get(field) or {})}
        yield from _validate_amounts(amounts, name, path)


def _bounds_storage(limit: Obj) -> bool:
    return any("storage" in (limit.get(field) or {}) for field in ("min", "max"))


def _validate_amounts(text: Mapping[str, str], name: str, path: str) -> Errors:
    """min ≤ defaultRequest ≤ default ≤ max, and a ratio that lies between one and max/min."""
    value = {field: parse_quantity(amount) for field, amount in text.items()}
    for low, high, where, shown, words in _ORDER:
        if low in value and high in value and value[low] > value[high]:
            yield invalid(f"{path}.{where}[{name}]", text[shown], words.format(text[low], text[high]))
    ratio, where = value.get("maxLimitRequestRatio"), f"{path}.maxLimitRequestRatio[{name}]"
    if ratio is not None:
        shown = text["maxLimitRequestRatio"]
        if ratio < 1:
            yield invalid(where, shown, f"ratio {shown} is less than 1")
        if value.get("min") and "max" in value and ratio > value["max"] / value["min"]:
            most = (value["max"] / value["min"]).quantize(Decimal("1.000000"))
            yield invalid(where, shown, f"ratio {shown} is greater than max/min = {most}")
    given = {"default", "defaultRequest"} <= value.keys()
    if given and not is_overcommitted(name) and value["default"] != value["defaultRequest"]:
        words = f"default value {text['default']} must equal to defaultRequest value {text['defaultRequest']}"
        yield invalid(f"{path}.defaultRequest[{name}]", text["defaultRequest"], f"{words} in {name}")


def validate_resource_quota(quota: Obj) -> Errors:
    """The rules for a quota: amounts that are not negative, scopes that exist and fit what is counted."""
    yield from validate_metadata(quota["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from _validate_quota_spec(quota.get("spec") or {})


def _validate_quota_spec(spec: Obj) -> Errors:
    hard = spec.get("hard") or {}
    for name, amount in hard.items():
        path = f"spec.hard[{name}]"
        yield from validate_resource_name(name, path)
        if "/" not in name and name not in _QUOTA_NAMES and not name.startswith(("hugepages-", "requests.hugepages-")):
            yield invalid(path, name, "must be a standard resource for quota")
        yield from validate_amount(name, amount, path)
    scopes = list(spec.get("scopes") or ())
    for scope in scopes:
        yield from _validate_scope(scope, scopes, hard, "spec.scopes", "spec.scopes", scopes)
    yield from _validate_conflicts(scopes, "spec.scopes", scopes)
    selector = spec.get("scopeSelector")
    if selector is not None:
        yield from _validate_scope_selector(selector, scopes, hard)


def _validate_scope(scope: str, shown: Any, hard: Obj, named: str, whole: str, applied: Any) -> Errors:
    if scope not in _SCOPES:
        yield invalid(named, shown, "unsupported scope")
        return
    for name in sorted(hard):
        if name in _QUOTA_NAMES and name not in _SCOPES[scope]:
            yield invalid(whole, applied, "unsupported scope applied to resource")


def _validate_conflicts(scopes: list[str], path: str, shown: list[str]) -> Errors:
    for pair in _CONFLICTS:
        if set(pair) <= set(scopes):
            yield invalid(path, shown, "conflicting scopes")


def _validate_scope_selector(selector: Obj, scopes: list[str], hard: Obj) -> Errors:
    path, wishes = "spec.scopeSelector.matchExpressions", selector.get("matchExpressions") or []
    shown = {"MatchExpressions": [in_words_of_go(wish, "scopeName", "operator", "values") for wish in wishes]}
    for wish in wishes:
        scope, operator, values = wish.get("scopeName") or "", wish.get("operator") or "", wish.get("values") or []
        yield from _validate_scope(scope, scope, hard, f"{path}.scopeName", path, shown)
        if scope in _SCOPES and scope not in ("PriorityClass", "VolumeAttributesClass") and operator != "Exists":
            yield invalid(f"{path}.operator", operator, _ONLY_EXISTS)
        if operator in ("In", "NotIn"):
            if not values:
                text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                yield required(f"{path}.values", text)
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                yield invalid(f"{path}.values", values, text)
        else:
            yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    yield from _validate_conflicts([wish.get("scopeName") or "" for wish in wishes], path, scopes)


def validate_resource_quota_update(new: Obj, old: Obj) -> Errors:
    """A quota's scopes stay."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from _validate_quota_spec(new.get("spec") or {})
    after, before = ((quota.get("spec") or {}).get("scopes") or [] for quota in (new, old))
    if set(after) != set(before):
        yield invalid("spec.scopes", after or None, IMMUTABLE)
