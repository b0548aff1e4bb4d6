"""Which other objects a Rollout names: its Services, its routes, Ingresses and splits, its workload."""

from dataclasses import dataclass, field
from typing import Any

from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.kinds import DEPLOYMENT, GRPC_ROUTE, HTTP_ROUTE, INGRESS, SERVICE, TRAFFIC_SPLIT, Kind
from drumroll.objects.meta import Key, Obj, key_of, labels_of
from drumroll.objects.selectors import from_object

GATEWAY_PLUGIN = "argoproj-labs/gatewayAPI"
SERVICE_FIELDS = ("canaryService", "stableService", "activeService", "previewService")
PING_PONG_FIELDS = ("pingService", "pongService")
ROUTE_FIELDS = {HTTP_ROUTE: ("httpRoute", "httpRoutes"), GRPC_ROUTE: ("grpcRoute", "grpcRoutes")}
SELECTOR_FIELDS = {HTTP_ROUTE: "httpRouteSelector", GRPC_ROUTE: "grpcRouteSelector"}


@dataclass(frozen=True, slots=True)
class References:
    """What one Rollout refers to: names by kind, and selectors by kind for routes."""

    namespace: str
    names: dict[Kind, frozenset[Key]] = field(default_factory=dict)
    selectors: dict[Kind, Obj] = field(default_factory=dict)
    route_namespace: str = ""

    def means(self, kind: Kind, obj: Obj) -> bool:
        """Whether that object of `kind` is one that the Rollout refers to."""
        key = key_of(obj)
        if key in self.names.get(kind, ()):
            return True
        selector = self.selectors.get(kind)
        return (
            selector is not None
            and key.namespace == self.route_namespace
            and from_object(selector).matches(labels_of(obj))
        )


def references_of(obj: Obj) -> References:
    """What a Rollout refers to. What it says wrongly, it does not refer to: validation tells."""
    rollout = Rollout(obj)
    namespace = rollout.key.namespace
    strategy = rollout.canary or rollout.blue_green or {}
    routing = rollout.traffic_routing or {}
    names: dict[Kind, list[Any]] = {SERVICE: [*service_fields(strategy).values()]}
    for template in (t for step in rollout.steps for t in (step.get("experiment") or {}).get("templates") or ()):
        names[SERVICE].append((template.get("service") or {}).get("name"))
    nginx, smi = routing.get("nginx"), routing.get("smi")
    if nginx is not None:
        stable = [nginx.get("stableIngress"), *(nginx.get("stableIngresses") or ())]
        names[INGRESS] = [name for one in stable if one for name in (one, canary_ingress(rollout, one))]
    if smi is not None:
        names[TRAFFIC_SPLIT] = [smi.get("trafficSplitName") or rollout.name]
    reference = rollout.spec.get("workloadRef") or {}
    if reference.get("kind") == DEPLOYMENT.name:
        names[DEPLOYMENT] = [reference.get("name")]
    plugin = gateway_config(rollout)
    route_namespace = plugin.get("namespace") or namespace
    found = {kind: frozenset(Key(namespace, one) for one in some if one) for kind, some in names.items()}
    for kind, (single, several) in ROUTE_FIELDS.items():
        routes = [plugin.get(single), *(one.get("name") for one in plugin.get(several) or ())]
        found[kind] = frozenset(Key(route_namespace, one) for one in routes if one)
    selectors = {kind: plugin[name] for kind, name in SELECTOR_FIELDS.items() if plugin.get(name)}
    return References(namespace, found, selectors, route_namespace)


def service_fields(strategy: Obj) -> dict[str, str]:
    """The Services that a strategy names, by field."""
    found = {field: strategy.get(field) for field in SERVICE_FIELDS}
    pair = strategy.get("pingPong") or {}
    found |= {f"pingPong.{field}": pair.get(field) for field in PING_PONG_FIELDS}
    return {field: name for field, name in found.items() if name}


def gateway_config(rollout: Rollout) -> Obj:
    """The Gateway API plugin's configuration, empty when it is not used."""
    plugins = (rollout.traffic_routing or {}).get("plugins") or {}
    config = plugins.get(GATEWAY_PLUGIN)
    return config if isinstance(config, dict) and not gateway_fault(config) else {}


def gateway_fault(config: Any) -> str:
    """What keeps a plugin's configuration, which no schema checks, from being understood; empty for nothing."""
    if not isinstance(config, dict):
        return "it is an object such as {httpRoute: NAME}"
    for single, several in ROUTE_FIELDS.values():
        if not isinstance(config.get(single) or "", str):
            return f"{single} is the name of a route"
        listed = config.get(several) or []
        names = (
            [one.get("name") if isinstance(one, dict) else None for one in listed]
            if isinstance(listed, list)
            else [None]
        )
        if not all(isinstance(name, str) for name in names):
            return f"{several} is a list such as [{{name: NAME}}]"
    if not isinstance(config.get("namespace") or "", str):
        return "namespace is a name"
    selectors = [config.get(name) or {} for name in SELECTOR_FIELDS.values()]
    return "" if all(isinstance(one, dict) for one in selectors) else "a selector is an object such as {matchLabels: …}"


def canary_ingress(rollout: Rollout, stable: str) -> str:
    """The name of the canary Ingress that goes with a stable one."""
    name = f"{rollout.name}-{stable}-canary"
    return name if len(name) <= 253 else f"{name[:246]}-canary"
