"""Which priority a new pod gets. Source: plugin/pkg/admission/priority/admission.go."""

from collections.abc import Sequence

from drumroll.objects.meta import Obj

_GIVEN = "must not be provided in pod spec; priority admission controller computed"


def set_priority(pod: Obj, classes: Sequence[Obj]) -> str:
    """Complete the pod's priority, in place, from its class or the default one. Returns why it is refused, or ""."""
    spec = pod["spec"]
    name = spec.get("priorityClassName") or ""
    if name:
        found = next((one for one in classes if one["metadata"]["name"] == name), None)
        if found is None:
            return f"no PriorityClass with name {name} was found"
    else:
        found = min((one for one in classes if one.get("globalDefault")), key=_value, default=None)
        if found is not None:
            spec["priorityClassName"] = found["metadata"]["name"]
    value = _value(found) if found is not None else 0
    policy = (found or {}).get("preemptionPolicy") or "PreemptLowerPriority"
    if spec.get("priority") not in (None, value):
        given = spec["priority"]
        return f"the integer value of priority ({given}) {_GIVEN} {value} from the given PriorityClass name"
    if spec.get("preemptionPolicy") not in (None, "", policy):
        given = spec["preemptionPolicy"]
        return f"the string value of PreemptionPolicy ({given}) {_GIVEN} {policy} from the given PriorityClass name"
    spec["priority"], spec["preemptionPolicy"] = value, policy
    return ""


def second_default(new: Obj, classes: Sequence[Obj]) -> str:
    """The name of another class that is the default already; "" when `new` may be what it wants to be."""
    if not new.get("globalDefault"):
        return ""
    others = (one for one in classes if one.get("globalDefault"))
    names = [one["metadata"]["name"] for one in others]
    return next((name for name in names if name != new["metadata"].get("name")), "")


def _value(priority_class: Obj) -> int:
    return priority_class.get("value") or 0
