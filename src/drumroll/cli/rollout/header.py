"""The fields above the tree: how far the update is. Source: argo-rollouts pkg/kubectl-argo-rollouts/cmd/get."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from drumroll.apiserver.tables_cells import human_duration
from drumroll.cli.rollout.phases import deployment_phase, rollout_phase, with_icon
from drumroll.cli.rollout.view import World, images, owned, template_hash
from drumroll.objects.meta import Obj, parse_timestamp

_WIDTH = 17


def header(world: World, now: datetime) -> list[str]:
    """The lines."""
    return [_line(name, value) for name, value in _fields(world, now)]


def experiment_header(world: World) -> list[str]:
    """The lines above the tree of an experiment."""
    one = world.owner
    status = one.get("status") or {}
    fields = [
        ("Name", one["metadata"]["name"]),
        ("Namespace", one["metadata"].get("namespace", "")),
        ("Status", with_icon(status.get("phase") or "Pending")),
        ("Message", status.get("message") or ""),
        ("Duration", str(one["spec"].get("duration") or "")),
    ]
    return [_line(name, value) for name, value in fields if value]


def _line(name: str, value: str) -> str:
    return f"{f'{name}:' if name else '':<{_WIDTH}}{value}".rstrip()


def phase_of(world: World) -> tuple[str, str]:
    """The phase and the message of either kind."""
    return rollout_phase(world.owner) if world.is_rollout else deployment_phase(world.owner)


def _fields(world: World, now: datetime) -> Iterator[tuple[str, str]]:
    owner = world.owner
    phase, message = phase_of(world)
    yield "Name", owner["metadata"]["name"]
    yield "Namespace", owner["metadata"].get("namespace", "")
    yield "Status", with_icon(phase)
    if message:
        yield "Message", message
    yield from _our_conditions(owner.get("status") or {})
    yield "Strategy", strategy(owner)
    if world.is_rollout and "canary" in (owner["spec"].get("strategy") or {}):
        yield from _canary(world, now)
    for index, (image, roles) in enumerate(images(world, now)):
        yield "" if index else "Images", f"{image} ({', '.join(roles)})" if roles else image
    yield "Replicas", ""
    yield from _replicas(owner)


def _our_conditions(status: Obj) -> Iterator[tuple[str, str]]:
    """What is lacking, and how many requests met the version that is being held back now."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "drumroll.dev/Blocked" and condition["status"] == "True":
            yield "Blocked", condition.get("message") or ""
        elif condition["type"] == "drumroll.dev/Exposure" and status.get("abort"):
            yield "Exposure", condition.get("message") or ""


def strategy(owner: Obj) -> str:
    """`Canary`, `BlueGreen`, `RollingUpdate`, `Recreate`."""
    chosen = owner["spec"].get("strategy") or {}
    if owner["kind"] != "Rollout":
        return str(chosen.get("type") or "RollingUpdate")
    return "BlueGreen" if "blueGreen" in chosen else "Canary" if "canary" in chosen else "-"


def _canary(world: World, now: datetime) -> Iterator[tuple[str, str]]:
    rollout = world.owner
    index, count = step_of(rollout)
    if count:
        yield "  Step", f"{index}/{count}{_left(rollout, index, now)}"
    yield "  SetWeight", str(asked_weight(rollout))
    yield "  ActualWeight", actual_weight(world)


def step_of(rollout: Obj) -> tuple[int, int]:
    """The index of the current step and the number of steps."""
    status, steps = rollout.get("status") or {}, rollout["spec"]["strategy"]["canary"].get("steps") or []
    index = status.get("currentStepIndex")
    return (0 if status.get("abort") or index is None else min(index, len(steps))), len(steps)


def _left(rollout: Obj, index: int, now: datetime) -> str:
    """How long the pause that holds the update still takes."""
    steps = rollout["spec"]["strategy"]["canary"].get("steps") or []
    begun = next((one for one in (rollout.get("status") or {}).get("pauseConditions") or ()), None)
    if (
        begun is None
        or (rollout.get("status") or {}).get("abort")
        or begun.get("reason") != "CanaryPauseStep"
        or index >= len(steps)
    ):
        return ""
    seconds = _seconds((steps[index].get("pause") or {}).get("duration"))
    if seconds is None:
        return " (until promoted)"
    left = parse_timestamp(begun["startTime"]) + timedelta(seconds=seconds) - now
    return f" ({human_duration(max(left, timedelta()))} left)"


def _seconds(duration: object) -> float | None:
    """Seconds of `30`, `"30"`, `"1h30m"`; None for none."""
    import re

    text = str(duration or "")
    if text.isdigit():
        return float(text)
    parts = re.findall(r"([0-9.]+)(ms|h|m|s)", text)
    sizes = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(number) * sizes[unit] for number, unit in parts) if parts else None


def asked_weight(rollout: Obj) -> int:
    """The share of the traffic that the new version is to have now, in percent of the greatest weight."""
    status, canary = rollout.get("status") or {}, rollout["spec"]["strategy"]["canary"]
    whole: int = (canary.get("trafficRouting") or {}).get("maxTrafficWeight") or 100
    steps, index = canary.get("steps") or [], status.get("currentStepIndex")
    digest = status.get("currentPodHash")
    if status.get("promoteFull") or not status.get("stableRS") or digest == status.get("stableRS"):
        return whole
    if status.get("abort"):
        return 0
    if not steps or (index is not None and index >= len(steps)):
        return whole
    return next((step["setWeight"] for step in reversed(steps[: (index or 0) + 1]) if "setWeight" in step), 0)


def actual_weight(world: World) -> str:
    """What the new version has: by the traffic router's word, or by the numbers of available pods."""
    rollout = world.owner
    status = rollout.get("status") or {}
    digest = status.get("currentPodHash")
    if not digest or digest == status.get("stableRS"):
        return "100"
    weights = (status.get("canary") or {}).get("weights")
    if weights:
        said = str((weights.get("canary") or {}).get("weight", 0))
        return f"{said} (not acknowledged yet)" if weights.get("verified") is False else said
    if (rollout["spec"]["strategy"]["canary"]).get("trafficRouting"):
        return "0"
    new = [one for one in owned(rollout, world.replica_sets) if template_hash(one) == digest]
    available = sum((one.get("status") or {}).get("availableReplicas") or 0 for one in new)
    return str(available * 100 // (status.get("availableReplicas") or 1) if available else 0)


def _replicas(owner: Obj) -> Iterator[tuple[str, str]]:
    status = owner.get("status") or {}
    yield "  Desired", str(owner["spec"].get("replicas", 1))
    for name, field in (
        ("Current", "replicas"),
        ("Updated", "updatedReplicas"),
        ("Ready", "readyReplicas"),
        ("Available", "availableReplicas"),
    ):
        yield f"  {name}", str(status.get(field) or 0)
