"""A pod's quality-of-service class, from what its containers ask for."""

from decimal import Decimal

from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

_COMPUTE = ("cpu", "memory")


def quality_of_service(spec: Obj) -> str:
    """Guaranteed when all containers limit CPU and memory to what they request; BestEffort when none asks anything.

    Source: pkg/apis/core/helper/qos/qos.go ComputePodQOS.
    """
    if spec.get("resources"):  # pod-level resources decide alone
        return _class_of([spec["resources"]])
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return _class_of([container.get("resources") or {} for container in containers])


def _class_of(resources: list[Obj]) -> str:
    totals: dict[str, dict[str, Decimal]] = {"requests": {}, "limits": {}}
    guaranteed = True
    for part in resources:
        for field in ("requests", "limits"):
            for name, amount in _amounts(part, field).items():
                totals[field][name] = totals[field].get(name, Decimal(0)) + amount
        guaranteed = guaranteed and all(name in _amounts(part, "limits") for name in _COMPUTE)
    if not totals["requests"] and not totals["limits"]:
        return "BestEffort"
    requests, limits = totals["requests"], totals["limits"]
    if guaranteed and requests.keys() == limits.keys() and all(requests[name] == limits[name] for name in requests):
        return "Guaranteed"
    return "Burstable"


def _amounts(resources: Obj, field: str) -> dict[str, Decimal]:
    found = {}
    for name in _COMPUTE:
        amount = (resources.get(field) or {}).get(name)
        if amount is not None:
            try:
                value = parse_quantity(amount)
            except ValueError:  # validation refuses it
                continue
            if value > 0:
                found[name] = value
    return found
