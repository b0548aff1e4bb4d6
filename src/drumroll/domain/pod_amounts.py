"""What a pod asks for and is limited to, in all. Source: component-helpers resource PodRequests, PodLimits."""

from decimal import Decimal

from drumroll.objects.meta import Obj
from drumroll.objects.quantity import canonical, parse_quantity

_BINARY = ("memory", "storage")


def pod_amounts(spec: Obj, field: str) -> dict[str, Decimal]:
    """The sum of the containers' `requests` or `limits` by resource, or what starting needs when that is more.

    Containers that start before the others and stay (sidecars) count with both.
    """
    total: dict[str, Decimal] = {}
    for container in spec.get("containers") or ():
        _add(total, container_amounts(container, field))
    beside: dict[str, Decimal] = {}
    peak: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        amounts = container_amounts(container, field)
        if container.get("restartPolicy") == "Always":
            _add(total, amounts)
            _add(beside, amounts)
            amounts = beside
        else:
            amounts = {
                name: amounts.get(name, Decimal(0)) + beside.get(name, Decimal(0)) for name in {*amounts, *beside}
            }
        for name, value in amounts.items():
            peak[name] = max(peak.get(name, value), value)
    merged = {name: max(total.get(name, Decimal(0)), peak.get(name, Decimal(0))) for name in {*total, *peak}}
    for name, text in (spec.get("overhead") or {}).items():
        if field == "requests" or name in merged:
            merged[name] = merged.get(name, Decimal(0)) + parse_quantity(text)
    return merged


def container_amounts(container: Obj, field: str) -> dict[str, Decimal]:
    """The container's `requests` or `limits` by resource."""
    given = (container.get("resources") or {}).get(field) or {}
    return {name: parse_quantity(text) for name, text in given.items()}


def _add(total: dict[str, Decimal], more: dict[str, Decimal]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, Decimal(0)) + value


def printed(name: str, value: Decimal) -> str:
    """An amount of the resource `name` as a quantity: memory in powers of two where that is shorter."""
    text = canonical(f"{value:f}")
    if not name.endswith(_BINARY) or value < 1024:
        return text
    binary = canonical(f"{value / 1024:f}Ki")
    return binary if len(binary) < len(text) else text
