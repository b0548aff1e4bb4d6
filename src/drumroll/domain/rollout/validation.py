"""What a Rollout may not ask for: the condition InvalidSpec and its message. Source: argo-rollouts
pkg/apis/rollouts/validation/validation.go, in whose words most of them are.

All faults are found, each with its field; the condition tells them together.
"""

from collections.abc import Iterator
from typing import Any

from drumroll.domain.replicas import scaled
from drumroll.domain.rollout.references import GATEWAY_PLUGIN, PING_PONG_FIELDS, gateway_fault
from drumroll.domain.rollout.validation_steps import step_faults
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH, Rollout
from drumroll.objects.meta import Obj
from drumroll.objects.selectors import from_object

ROUTERS = ("nginx", "smi", "plugins")
FOREIGN = ("istio", "alb", "ambassador", "appMesh", "traefik", "apisix")
_SUPPORTED = f"use plugins: {{{GATEWAY_PLUGIN}: …}}, nginx, or smi"
_NOT_NEGATIVE = (
    "scaleDownDelaySeconds",
    "abortScaleDownDelaySeconds",
    "scaleDownDelayRevisionLimit",
    "previewReplicaCount",
    "autoPromotionSeconds",
    "minPodsPerReplicaSet",
)
_NEEDS_ROUTING = ("scaleDownDelaySeconds", "dynamicStableScale", "minPodsPerReplicaSet", "scaleDownDelayRevisionLimit")


def faults_of(obj: Obj) -> tuple[str, ...]:
    """Every fault of the Rollout's spec, as `path: what is wrong`; empty when there is none."""
    return tuple(_faults(Rollout(obj)))


def _faults(rollout: Rollout) -> Iterator[str]:
    yield from _pods(rollout)
    yield from _numbers(rollout)
    strategy = rollout.spec.get("strategy") or {}
    found = [name for name in ("canary", "blueGreen") if strategy.get(name) is not None]
    if not found:
        yield "spec.strategy.strategy: Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"
    elif len(found) > 1:
        yield "spec.strategy: Multiple Strategies can not be listed"
    elif rollout.canary is not None:
        yield from _canary(rollout, rollout.canary)
    else:
        yield from _blue_green(rollout, rollout.blue_green or {})


def _is_empty(template: Obj) -> bool:
    """Source: argo-rollouts pkg/apis/rollouts/v1alpha1/types.go, EmptyTemplate."""
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    return not (meta.get("labels") or meta.get("annotations") or spec.get("containers"))


def _pods(rollout: Rollout) -> Iterator[str]:
    spec, reference = rollout.spec, rollout.spec.get("workloadRef")
    if reference:
        if not _is_empty(spec.get("template") or {}):
            yield "spec.template: template must be empty for workload reference rollout"
        kind = reference.get("kind")
        if kind not in ("Deployment", "ReplicaSet", "PodTemplate"):
            yield f"spec.workloadRef.kind: {kind!r} cannot be followed; use a Deployment, ReplicaSet or PodTemplate"
        down = reference.get("scaleDown") or "never"
        if down not in ("never", "onsuccess", "progressively"):
            yield f"spec.workloadRef.scaleDown: {down!r} is none of never, onsuccess, progressively"
        return
    selector, template = spec.get("selector"), rollout.template
    if not selector:
        yield "spec.selector: Rollout has missing field '.spec.selector'"
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield "spec.selector: empty selector is invalid for deployment"
    elif not from_object(selector).matches((template.get("metadata") or {}).get("labels") or {}):
        yield "spec.template.metadata.labels: `selector` does not match template `labels`"
    if not (template.get("spec") or {}).get("containers"):
        yield "spec.template.spec.containers: Rollout has missing field '.spec.template.spec.containers'"
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy not in (None, "", "Always"):
        yield f'spec.template.spec.restartPolicy: Unsupported value: "{policy}": supported values: "Always"'


def _numbers(rollout: Rollout) -> Iterator[str]:
    spec = rollout.spec
    for name in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        value = spec.get(name)
        if isinstance(value, int) and value < 0:
            yield f"spec.{name}: Invalid value: {value}: must be greater than or equal to 0"
    for path, value in _counts(spec):
        if isinstance(value, int) and value < 0:
            yield f"{path}: Invalid value: {value}: must be greater than or equal to 0"
    deadline = rollout.deadline_seconds
    if deadline is not None and deadline <= rollout.min_ready_seconds:
        yield "spec.progressDeadlineSeconds: must be greater than minReadySeconds"
    limit = ((spec.get("strategy") or {}).get("blueGreen") or {}).get("scaleDownDelayRevisionLimit")
    if limit is not None and rollout.history_limit < limit:
        yield "spec.revisionHistoryLimit: must be at least scaleDownDelayRevisionLimit"


def _counts(spec: Obj) -> Iterator[tuple[str, Any]]:
    """Numbers that cannot be negative, each with its path."""
    for strategy, fields in (spec.get("strategy") or {}).items():
        for name in _NOT_NEGATIVE:
            yield f"spec.strategy.{strategy}.{name}", (fields or {}).get(name)
    for name in ("successfulRunHistoryLimit", "unsuccessfulRunHistoryLimit"):
        yield f"spec.analysis.{name}", (spec.get("analysis") or {}).get(name)
    yield "spec.rollbackWindow.revisions", (spec.get("rollbackWindow") or {}).get("revisions")


def _blue_green(rollout: Rollout, strategy: Obj) -> Iterator[str]:
    where = "spec.strategy.blueGreen"
    active, preview = strategy.get("activeService"), strategy.get("previewService")
    if not active:
        yield f"{where}.activeService: Rollout has missing field '.{where}.activeService'"
    elif active == preview:
        yield (
            f"{where}.activeService: This rollout uses the same service for the active and preview services, but two "
            "different services are required."
        )
    yield from _anti_affinity(where, strategy)
    yield from _metadata(rollout, where, strategy, ("activeMetadata", "previewMetadata"))
    for name in ("prePromotionAnalysis", "postPromotionAnalysis"):
        yield from _analysis(f"{where}.{name}", strategy.get(name))


def _canary(rollout: Rollout, strategy: Obj) -> Iterator[str]:
    where = "spec.strategy.canary"
    canary, stable = strategy.get("canaryService"), strategy.get("stableService")
    if canary and canary == stable:
        yield (
            f"{where}.stableService: This rollout uses the same service for the stable and canary services, but two "
            "different services are required."
        )
    routing = rollout.traffic_routing
    if routing is None:
        for name in _NEEDS_ROUTING:
            if strategy.get(name) not in (None, False):
                yield f"{where}.{name}: Canary {name} can only be used with traffic routing"
        yield from _surge(rollout, strategy)
    else:
        yield from _routing(f"{where}.trafficRouting", strategy, routing)
    if strategy.get("dynamicStableScale") and strategy.get("scaleDownDelaySeconds") is not None:
        yield f"{where}.dynamicStableScale: Canary dynamicStableScale cannot be used with scaleDownDelaySeconds"
    if strategy.get("pingPong") is not None:
        yield from _ping_pong(f"{where}.pingPong", strategy["pingPong"], routing)
    yield from _anti_affinity(where, strategy)
    yield from _metadata(rollout, where, strategy, ("canaryMetadata", "stableMetadata"))
    yield from _analysis(f"{where}.analysis", strategy.get("analysis"))
    start = (strategy.get("analysis") or {}).get("startingStep")
    if start is not None and not 0 <= start <= len(rollout.steps):
        yield f"{where}.analysis.startingStep: {start} is no step; there are {len(rollout.steps)}"
    for index, step in enumerate(rollout.steps):
        yield from step_faults(f"{where}.steps[{index}]", step, rollout)


def _ping_pong(where: str, pair: Obj, routing: Obj | None) -> Iterator[str]:
    if routing is not None and any(routing.get(name) is not None for name in ("nginx", "smi")):
        yield f"{where}: Ping-pong feature does not work with nginx and smi; use plugins: {{{GATEWAY_PLUGIN}: …}}"
    for name in PING_PONG_FIELDS:
        if not pair.get(name):
            yield f"{where}.{name}: Ping service and Pong service must to be set to use Ping-Pong feature"
    if pair.get("pingService") == pair.get("pongService"):
        yield (
            f"{where}.pingService: This rollout uses the same service for the ping and pong services, but two "
            "different services are required."
        )


def _surge(rollout: Rollout, strategy: Obj) -> Iterator[str]:
    values: dict[str, Any] = {name: strategy.get(name) for name in ("maxSurge", "maxUnavailable")}
    for name, value in values.items():
        if value is not None and not _is_count_or_share(value):
            yield f"spec.strategy.canary.{name}: {value!r} is neither a number nor a percentage such as 25%"
            return
    if all(value is not None and scaled(value, 100, up=True) == 0 for value in values.values()):
        yield "spec.strategy.canary.maxSurge: MaxSurge and MaxUnavailable both can not be zero"
    unavailable = values["maxUnavailable"]
    if isinstance(unavailable, str) and scaled(unavailable, 100, up=True) > 100:
        yield f"spec.strategy.canary.maxUnavailable: {unavailable} is more than 100%"


def _is_count_or_share(value: Any) -> bool:
    if isinstance(value, int):
        return value >= 0
    text = str(value)
    return text.removesuffix("%").isdigit()


def _routing(where: str, strategy: Obj, routing: Obj) -> Iterator[str]:
    for name in ("canaryService", "stableService"):
        if not strategy.get(name) and strategy.get("pingPong") is None:
            yield f"{where.rpartition('.')[0]}.{name}: Traffic routing needs a canaryService and a stableService"
    for name in FOREIGN:
        if routing.get(name) is not None:
            yield f"{where}.{name}: traffic routing by {name} is not supported; {_SUPPORTED}"
    for name in routing.get("plugins") or ():
        if name != GATEWAY_PLUGIN:
            yield f"{where}.plugins.{name}: no such plugin here; {_SUPPORTED}"
    if not any(routing.get(name) for name in (*ROUTERS, *FOREIGN)) and routing.get("smi") is None:
        yield f"{where}: no router is named; {_SUPPORTED}"
    yield from _routers(where, routing)
    most = routing.get("maxTrafficWeight")
    if most is not None:
        if most <= 0:
            yield f"{where}.maxTrafficWeight: Invalid value: {most}: must be greater than 0"
        elif routing.get("nginx") is None and not routing.get("plugins"):
            yield f"{where}.maxTrafficWeight: can only be used with nginx and plugins"
    names = [route.get("name") for route in routing.get("managedRoutes") or ()]
    if len(set(names)) < len(names):
        yield f"{where}.managedRoutes: a name is there twice"


def _routers(where: str, routing: Obj) -> Iterator[str]:
    nginx = routing.get("nginx")
    if nginx is not None and not nginx.get("stableIngress") and not nginx.get("stableIngresses"):
        yield f"{where}.nginx.stableIngress: name the Ingress whose traffic is split"
    if nginx is not None and nginx.get("stableIngress") and nginx.get("stableIngresses"):
        yield f"{where}.nginx: choose one of stableIngress and stableIngresses"
    plugin = (routing.get("plugins") or {}).get(GATEWAY_PLUGIN)
    if plugin is None:
        return
    if fault := gateway_fault(plugin):
        yield f"{where}.plugins.{GATEWAY_PLUGIN}: {fault}"
        return
    unsupported = [name for name in plugin if name.lower().startswith(("tcproute", "tlsroute"))]
    for name in unsupported:
        told = "TCP and TLS routes are not supported; use httpRoute or grpcRoute"
        yield f"{where}.plugins.{GATEWAY_PLUGIN}.{name}: {told}"
    wanted = ("httpRoute", "httpRoutes", "grpcRoute", "grpcRoutes", "httpRouteSelector", "grpcRouteSelector")
    if not unsupported and not any(plugin.get(name) for name in wanted):
        yield f"{where}.plugins.{GATEWAY_PLUGIN}: name a route: {', '.join(wanted)}"


def _anti_affinity(where: str, strategy: Obj) -> Iterator[str]:
    anti = strategy.get("antiAffinity")
    if anti is None:
        return
    preferred = anti.get("preferredDuringSchedulingIgnoredDuringExecution")
    required = anti.get("requiredDuringSchedulingIgnoredDuringExecution")
    if (preferred is None) == (required is None):
        yield f"{where}.antiAffinity: must have exactly one of preferred or required anti-affinity"
    elif preferred is not None and not 1 <= (preferred.get("weight") or 0) <= 100:
        yield f"{where}.antiAffinity.preferredDuringSchedulingIgnoredDuringExecution.weight: must be in the range 1-100"


def _metadata(rollout: Rollout, where: str, strategy: Obj, names: tuple[str, ...]) -> Iterator[str]:
    selected = {ROLLOUT_HASH, *((rollout.spec.get("selector") or {}).get("matchLabels") or {})}
    for name in names:
        for part, values in (strategy.get(name) or {}).items():
            if part not in ("labels", "annotations"):
                yield f"{where}.{name}.{part}: only labels and annotations can be given"
            elif not all(isinstance(value, str) for value in (values or {}).values()):
                yield f"{where}.{name}.{part}: values must be text"
            for label in sorted(selected & set(values or {})) if part == "labels" else ():
                yield f"{where}.{name}.labels.{label}: the Rollout finds its pods by this label; use another"


def _analysis(where: str, analysis: Obj | None) -> Iterator[str]:
    if analysis is not None and not analysis.get("templates"):
        yield f"{where}.templates: name at least one AnalysisTemplate"
