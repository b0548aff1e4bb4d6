"""What a canary's steps may not ask for."""

from collections.abc import Iterator

from drumroll.domain.analysis.durations import parse_seconds
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj

STEPS = (
    "setWeight",
    "pause",
    "setCanaryScale",
    "analysis",
    "experiment",
    "setHeaderRoute",
    "setMirrorRoute",
    "plugin",
)


def step_faults(where: str, step: Obj, rollout: Rollout) -> Iterator[str]:
    """Every fault of one step."""
    found = [name for name in STEPS if step.get(name) is not None]
    if len(found) != 1:
        yield (
            f"{where}: Step must have one of the following set: {', '.join(STEPS)}"
            if not found
            else (f"{where}: Step may have one of {', '.join(found)} only")
        )
        return
    checks = {
        "setWeight": _weight,
        "pause": _pause,
        "setCanaryScale": _scale,
        "analysis": _analysis,
        "experiment": _experiment,
        "setHeaderRoute": _header,
        "setMirrorRoute": _mirror,
        "plugin": _plugin,
    }
    yield from checks[found[0]](f"{where}.{found[0]}", step, rollout)


def _weight(where: str, step: Obj, rollout: Rollout) -> Iterator[str]:
    if not 0 <= step["setWeight"] <= rollout.most_weight:
        yield f"{where}: {step['setWeight']} must be between 0 and {rollout.most_weight}"


def _pause(where: str, step: Obj, rollout: Rollout) -> Iterator[str]:
    duration = step["pause"].get("duration")
    if duration is None:
        return
    try:
        seconds = parse_seconds(duration).total_seconds()
    except ValueError as error:
        yield f"{where}.duration: {error}"
        return
    if seconds < 0:
        yield f"{where}.duration: Duration needs to be greater than 0"


def _scale(where: str, step: Obj, rollout: Rollout) -> Iterator[str]:
    scale = step["setCanaryScale"]
    if rollout.traffic_routing is None:
        yield f"{where}: SetCanaryScale requires TrafficRouting to be set"
    chosen = [name for name in ("weight", "replicas") if scale.get(name) is not None]  # 0 is a choice too
    chosen += ["matchTrafficWeight"] if scale.get("matchTrafficWeight") else []
    if len(chosen) != 1:
        yield f"{where}: choose one of weight, replicas and matchTrafficWeight"
    weight, replicas = scale.get("weight"), scale.get("replicas")
    if weight is not None and not 0 <= weight <= 100:
        yield f"{where}.weight: {weight} must be between 0 and 100"
    if replicas is not None and replicas < 0:
        yield f"{where}.replicas: {replicas} must be greater than or equal to 0"


def _analysis(where: str, step: Obj, rollout: Rollout) -> Iterator[str]:
    if not step["analysis"].get("templates"):
        yield f"{where}.templates: name at least one AnalysisTemplate"


def _experiment(where: str, step: Obj, rollout: Rollout) -> Iterator[str]:
    templates = step["experiment"].get("templates") or ()
    if not templates:
        yield f"{where}.templates: an experiment needs at least one template"
    names = [template.get("name") for template in templates]
    if len(set(names)) < len(names):
        yield f"{where}.templates: a name is there twice"
    weights = 0
    for index, template in enumerate(templates):
        if template.get("specRef") not in ("canary", "stable"):
            yield f"{where}.templates[{index}].specRef: must be canary or stable"
        weight = template.get("weight")
        if weight is not None and rollout.traffic_routing is None:
            yield f"{where}.templates[{index}].weight: Experiment template weight is only available with TrafficRouting"
        weights += weight or 0
    if weights > 100:
        yield f"{where}.templates: the weights sum up to {weights}, more than 100"


def _header(where: str, step: Obj, rollout: Rollout) -> Iterator[str]:
    yield from _managed(where, step["setHeaderRoute"], rollout)
    for index, match in enumerate(step["setHeaderRoute"].get("match") or ()):
        if not match.get("headerName"):
            yield f"{where}.match[{index}].headerName: name a header"
        value = match.get("headerValue") or {}
        if len([name for name in ("exact", "prefix", "regex") if value.get(name)]) != 1:
            yield f"{where}.match[{index}].headerValue: choose one of exact, prefix and regex"


def _mirror(where: str, step: Obj, rollout: Rollout) -> Iterator[str]:
    mirror = step["setMirrorRoute"]
    yield from _managed(where, mirror, rollout)
    percentage = mirror.get("percentage")
    if percentage is not None and not 0 <= percentage <= 100:
        yield f"{where}.percentage: {percentage} must be between 0 and 100"
    for index, match in enumerate(mirror.get("match") or ()):
        parts = {"method": match.get("method"), "path": match.get("path")}
        parts |= {f"headers.{name}": value for name, value in (match.get("headers") or {}).items()}
        if not any(parts.values()):
            yield f"{where}.match[{index}]: give a method, a path or headers"
        for name, value in parts.items():
            if value is not None and len([one for one in ("exact", "prefix", "regex") if value.get(one)]) != 1:
                yield f"{where}.match[{index}].{name}: choose one of exact, prefix and regex"


def _managed(where: str, route: Obj, rollout: Rollout) -> Iterator[str]:
    if rollout.traffic_routing is None:
        yield f"{where}: requires TrafficRouting to be set"
        return
    name = route.get("name")
    known = [one.get("name") for one in rollout.traffic_routing.get("managedRoutes") or ()]
    if not name:
        yield f"{where}.name: name a route of trafficRouting.managedRoutes"
    elif name not in known:
        yield f"{where}.name: {name!r} is not in trafficRouting.managedRoutes ({', '.join(map(str, known)) or 'none'})"
    if not (rollout.traffic_routing.get("plugins") or {}):
        yield f"{where}: managed routes need the Gateway API plugin"


def _plugin(where: str, step: Obj, rollout: Rollout) -> Iterator[str]:
    yield f"{where}: step plugins are programs of the original and cannot run here; use analysis with a web provider"
