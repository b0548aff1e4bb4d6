"""Rules for what containers request and may use at most. Source: pkg/apis/core/validation/validation.go."""

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from drumroll.domain.validation.field import (
    NOT_NEGATIVE,
    Errors,
    duplicate,
    each,
    forbidden,
    invalid,
    not_found,
    required,
    unsupported,
)
from drumroll.domain.validation.names import label_faults, qualified_faults
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import canonical, parse_quantity

OF_CONTAINERS = ("cpu", "memory", "ephemeral-storage")
QUOTA_OBJECTS = (
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
)  # fmt: skip
_STANDARD = (
    *OF_CONTAINERS, "requests.cpu", "requests.memory", "requests.ephemeral-storage", "limits.cpu", "limits.memory",
    "limits.ephemeral-storage", "storage", "requests.storage", *QUOTA_OBJECTS,
)  # fmt: skip
_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_HUGE = "hugepages-"


def validate_resources(resources: Obj, path: str, claims: frozenset[str] = frozenset()) -> Errors:
    """Quantities are not negative, names are known, and no request exceeds its limit. `claims` are the pod's."""
    yield from _validate_amounts(resources, path, validate_container_resource_name)
    for index, claim in enumerate(resources.get("claims") or ()):
        yield from _validate_claim(claim, resources["claims"][:index], claims, f"{path}.claims[{index}]")


def validate_pod_resources(spec: Obj, path: str) -> Errors:
    """What all containers of a pod share: at least what they request, and no limit of theirs is above it."""
    resources, path = spec["resources"], f"{path}.resources"
    if resources.get("claims") is not None:
        yield forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level")
    yield from _validate_amounts(resources, path, _validate_pod_resource_name)
    asked, most = resources.get("requests") or {}, resources.get("limits") or {}
    containers = spec.get("containers") or ()
    for name in dict.fromkeys(name for one in containers for name in _amounts(one, "requests")):
        total = sum((_value(str(_amounts(one, "requests").get(name, 0))) or Decimal(0)) for one in containers)
        if name in OF_CONTAINERS[:2] and total > (_value(str(asked.get(name, 0))) or 0):
            text = f"must be greater than or equal to aggregate container requests of {canonical(str(total))}"
            yield invalid(f"{path}.requests[{name}]", str(asked.get(name, "0")), text)
    for index, container in enumerate(containers):
        for name, limit in _amounts(container, "limits").items():
            if name in most and (_value(str(limit)) or 0) > (_value(str(most[name])) or 0):
                where = f"{path}.containers[{index}][{name}].limits"
                yield invalid(where, str(limit), f"must be less than or equal to pod limits of {most[name]}")


def _amounts(container: Obj, field: str) -> Obj:
    return (container.get("resources") or {}).get(field) or {}


def _validate_amounts(resources: Obj, path: str, name_rule: Callable[[str, str], Errors]) -> Errors:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, amount in limits.items():
        yield from name_rule(name, f"{path}.limits[{name}]")
        yield from validate_amount(name, amount, f"{path}.limits[{name}]")
    for name, amount in requests.items():
        yield from name_rule(name, f"{path}.requests[{name}]")
        yield from validate_amount(name, amount, f"{path}.requests[{name}]")
        if name in limits:
            yield from _validate_pair(name, amount, limits[name], f"{path}.requests")
        elif not is_overcommitted(name):
            yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")
    names = {*limits, *requests}
    if any(name.startswith(_HUGE) for name in names) and not names & {"cpu", "memory"}:
        yield forbidden(path, "HugePages require cpu or memory")


def validate_amount(name: str, amount: Any, where: str) -> Errors:
    """A quantity that is not negative; of what comes in pieces, whole pieces."""
    value = _value(str(amount))
    if value is None:
        yield invalid(where, amount, _QUANTITY)
        return
    if value < 0:
        yield invalid(where, str(amount), NOT_NEGATIVE)
    if (name in QUOTA_OBJECTS or name.startswith("count/") or is_extended(name)) and value % 1:
        yield invalid(where, str(amount), "must be an integer")
    if name.startswith(_HUGE):
        size = _value(name.removeprefix(_HUGE))
        if size and value % size:
            yield invalid(where, str(amount), f"{amount} is not positive integer multiple of {name}")


def validate_resource_name(name: str, where: str) -> Errors:
    """A name of the original's own, or one with a domain."""
    faults = qualified_faults(name)
    yield from each(where, name, faults)
    if not faults and "/" not in name and name not in _STANDARD and not name.startswith((_HUGE, f"requests.{_HUGE}")):
        yield invalid(where, name, "must be a standard resource type or fully qualified")


def validate_container_resource_name(name: str, where: str) -> Errors:
    """The name of something that a container can have."""
    if name in OF_CONTAINERS:
        return
    yield from validate_resource_name(name, where)
    if "/" not in name:
        if not name.startswith(_HUGE):
            yield invalid(where, name, "must be a standard resource for containers")
    elif not _is_native(name) and not is_extended(name):
        yield invalid(where, name, "doesn't follow extended resource name standard")


def _validate_pod_resource_name(name: str, where: str) -> Errors:
    faults = list(validate_resource_name(name, where))
    yield from faults
    if not faults and name not in OF_CONTAINERS[:2] and not name.startswith(_HUGE):
        yield unsupported(where, name, ("cpu", _HUGE, "memory"))


def _validate_pair(name: str, request: Any, limit: Any, path: str) -> Errors:
    asked, most = _value(str(request)), _value(str(limit))
    if asked is None or most is None:
        return
    if not is_overcommitted(name) and asked != most:
        yield invalid(path, str(request), f"must be equal to {name} limit of {limit}")
    elif asked > most:
        yield invalid(path, str(request), f"must be less than or equal to {name} limit of {limit}")


def _validate_claim(claim: Obj, before: list[Obj], claims: frozenset[str], path: str) -> Errors:
    name, request = claim.get("name") or "", claim.get("request") or ""
    if not name:
        yield required(path)
        return
    others = [(one.get("name"), one.get("request") or "") for one in before]
    if (name, "") in others:
        yield duplicate(path, name)
    else:
        if request:
            yield from each(f"{path}.request", request, label_faults(request))
        if (name, request) in others:
            yield duplicate(path, f"{name}/{request}")
        elif not request and any(other == name for other, _ in others):
            yield duplicate(path, name)
    if name not in claims:
        listed = f": {', '.join(sorted(claims))}" if claims else " which is empty"
        yield not_found(path, name, f"must be one of the names in pod.spec.resourceClaims{listed}")


def is_extended(name: str) -> bool:
    """A resource that others count: devices, licences."""
    if "/" not in name or _is_native(name) or name.startswith("requests."):
        return False
    return not qualified_faults(f"requests.{name}")


def is_overcommitted(name: str) -> bool:
    """Whether a container may use more of it than it requested."""
    return _is_native(name) and not name.startswith(_HUGE)


def _is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


@lru_cache(maxsize=4096)
def _value(amount: str) -> Decimal | None:
    try:
        return parse_quantity(amount)
    except ValueError:
        return None
