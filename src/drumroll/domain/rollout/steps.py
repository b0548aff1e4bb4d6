"""The steps of a canary: which one is the current one, and what those before it have left in force."""

from drumroll.domain.rollout.steps_json import steps_json
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj

STEP_KINDS = (
    "setWeight", "pause", "setCanaryScale", "analysis", "experiment", "setHeaderRoute", "setMirrorRoute", "plugin",
)  # fmt: skip
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
FNV_OFFSET, FNV_PRIME = 2166136261, 16777619


def step_index(rollout: Rollout, status: Obj) -> int:
    """The index of the current step; the number of steps when all are done."""
    index = status.get("currentStepIndex")
    return min(int(index or 0), len(rollout.steps))


def current_step(rollout: Rollout, status: Obj) -> Obj | None:
    """The current step, None when all are done or there are none."""
    index = step_index(rollout, status)
    return rollout.steps[index] if index < len(rollout.steps) else None


def kind_of_step(step: Obj | None) -> str:
    """What a step does: one of `STEP_KINDS`, empty for none."""
    return next((kind for kind in STEP_KINDS if step is not None and step.get(kind) is not None), "")


def is_through(rollout: Rollout, status: Obj) -> bool:
    """Whether every step is done."""
    return step_index(rollout, status) >= len(rollout.steps)


def describe_step(step: Obj) -> str:
    """A step in the words of the original's events."""
    kind = kind_of_step(step)
    if kind == "setWeight":
        return f"setWeight: {step['setWeight']}"
    if kind == "pause":
        duration = step["pause"].get("duration")
        return "pause" if duration is None else f"pause: {duration}"
    if kind == "experiment":
        return "experiment"
    if kind == "analysis":
        return "analysis"
    if kind == "setCanaryScale":
        scale = step["setCanaryScale"]
        if scale.get("weight") is not None:
            return f"setCanaryScale{{weight: {scale['weight']}}}"
        if scale.get("matchTrafficWeight"):
            return "setCanaryScale{matchTrafficWeight: true}"
        return f"setCanaryScale{{replicas: {scale.get('replicas')}}}"
    return kind or "invalid"


def step_hash(rollout: Rollout) -> str:
    """The original's hash of the steps; empty for a Rollout that is no canary.

    Source: argo-rollouts utils/conditions/conditions.go ComputeStepHash.
    """
    if rollout.canary is None:
        return ""
    value = FNV_OFFSET
    for byte in steps_json(rollout.canary.get("steps")):
        value = ((value ^ byte) * FNV_PRIME) & 0xFFFFFFFF
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(value))


def weight_in_force(rollout: Rollout, index: int) -> int:
    """What the last setWeight at or before the step of that index says; 0 when there is none."""
    for step in reversed(rollout.steps[: index + 1]):
        if step.get("setWeight") is not None:
            return int(step["setWeight"])
    return 0


def scale_in_force(rollout: Rollout, status: Obj) -> Obj | None:
    """The setCanaryScale that sizes the canary now, None when its traffic's weight does.

    An aborted canary keeps the size only when it is to stay for ever (abortScaleDownDelaySeconds: 0).
    """
    if rollout.traffic_routing is None or (status.get("abort") and rollout.abort_delay is not None):
        return None
    index = step_index(rollout, status)
    if index >= len(rollout.steps):
        return None
    for step in reversed(rollout.steps[: index + 1]):
        scale: Obj | None = step.get("setCanaryScale")
        if scale is not None:
            return None if scale.get("matchTrafficWeight") else scale
    return None


def managed_in_force(rollout: Rollout, status: Obj) -> tuple[Obj, ...]:
    """The header and mirror steps whose routes are in force now, in the order of managedRoutes (their precedence).

    A later step of the same name replaces an earlier one, and takes the route away when it matches nothing.
    """
    index = step_index(rollout, status)
    found: dict[str, Obj] = {}
    for step in rollout.steps[: index + 1]:
        for kind in ("setHeaderRoute", "setMirrorRoute"):
            route = step.get(kind)
            if route is None:
                continue
            found.pop(route["name"], None)
            if route.get("match"):
                found[route["name"]] = {kind: route}
    order = [one.get("name") for one in (rollout.traffic_routing or {}).get("managedRoutes") or ()]
    return tuple(found[name] for name in sorted(found, key=lambda n: order.index(n) if n in order else len(order)))
