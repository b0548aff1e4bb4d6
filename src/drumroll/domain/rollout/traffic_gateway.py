"""Sharing traffic by the Gateway API: the weights of an HTTPRoute's or GRPCRoute's backends, and rules of our own.

A route is verified when everything that serves it has acknowledged the generation that has our weights: by the
condition `drumroll.dev/Acknowledged` of its parents, or by `Accepted` where a gateway does not have that.
Source: rollouts-plugin-trafficrouter-gatewayapi.
"""

from typing import Any

from drumroll.domain.actions import Patch
from drumroll.domain.gateway import ACKNOWLEDGED
from drumroll.domain.rollout.inputs import Inputs
from drumroll.domain.rollout.managed_routes import is_managed, managed_rules
from drumroll.domain.rollout.references import ROUTE_FIELDS, SELECTOR_FIELDS, gateway_config
from drumroll.domain.rollout.traffic import Routed, Share, together
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.kinds import HTTP_ROUTE, Kind
from drumroll.objects.meta import Key, Obj, key_of, labels_of, uid_of
from drumroll.objects.selectors import from_object

LABEL, LABEL_VALUE = "rollouts.argoproj.io/gatewayapi-canary", "in-progress"


def route_gateway(inputs: Inputs, rollout: Rollout, share: Share) -> Routed:
    """Bring every route that the plugin's configuration means up to date."""
    config = gateway_config(rollout)
    namespace = config.get("namespace") or rollout.key.namespace
    managed = [one.get("name") or "" for one in (rollout.traffic_routing or {}).get("managedRoutes") or ()]
    answers = []
    for kind in ROUTE_FIELDS:
        there = {key_of(obj): obj for obj in inputs.routes if obj["kind"] == kind.name}
        named = _named(config, kind, namespace)
        for key, with_headers in named.items():
            if key not in there:
                text = f"{kind.name} {key} is missing: create it, or correct the configuration of the plugin"
                answers.append(Routed((), is_verified=False, faults=(text,)))
                continue
            answers.append(_one(kind, there[key], config, share, managed, with_headers=with_headers))
        selector = config.get(SELECTOR_FIELDS[kind])
        for key, obj in there.items():
            if selector and key not in named and from_object(selector).matches(labels_of(obj)):
                answers.append(_one(kind, obj, config, share, managed, with_headers=False))
    if not answers:
        text = "no route to share traffic by: name one in trafficRouting.plugins[argoproj-labs/gatewayAPI].httpRoute"
        return Routed((), is_verified=False, faults=(text,))
    return together(answers)


def _named(config: Obj, kind: Kind, namespace: str) -> dict[Key, bool]:
    """The routes of a kind by name, and whether each takes part in header routes."""
    single, several = ROUTE_FIELDS[kind]
    found = {Key(namespace, config[single]): True} if config.get(single) else {}
    for one in config.get(several) or ():
        found[Key(namespace, one["name"])] = bool(one.get("useHeaderRoutes"))
    return found


def _one(kind: Kind, obj: Obj, config: Obj, share: Share, managed: list[str], *, with_headers: bool) -> Routed:
    rules = obj["spec"].get("rules") or []
    own = [_shared(rule, share) for rule in rules if not is_managed(rule, managed)]
    sources = [rule for rule in own if _leads_to_both(rule, share)]
    if not sources:
        text = (
            f"{kind.name} {key_of(obj)} has no rule with both backends, {share.stable} and {share.canary}: add them "
            f"to the backendRefs of a rule (with weights 100 and 0)"
        )
        return Routed((), is_verified=False, faults=(text,))
    made = managed_rules(sources, share, with_headers=with_headers)
    if _names_are_lost(made, own, kind):
        text = f"this API server forgets the names of rules: install the {kind.name} of Gateway API 1.4 or newer"
        return Routed((), is_verified=False, faults=(text,))
    ahead = [rule for rule in made if _must_be_ahead(rule, own, kind)]
    wanted = [*ahead, *own, *(rule for rule in made if rule not in ahead)]
    patch: Obj = {}
    if [_defaulted(rule, kind) for rule in rules] != [_defaulted(rule, kind) for rule in wanted]:
        patch["spec"] = {"rules": wanted}
    label = _label(obj, config, share)
    if label:
        patch["metadata"] = {"labels": label}
    if patch:
        return Routed((_patch(kind, obj, patch),), is_verified=is_acknowledged(obj) if "spec" not in patch else False)
    return Routed((), is_verified=is_acknowledged(obj))


def _must_be_ahead(rule: Obj, own: list[Obj], kind: Kind) -> bool:
    """Whether only its place lets a rule of ours win: where a rule of the user's has the same match, and for mirrors.

    All others come last, as the original has them: the user's rules keep their numbers.
    """
    theirs = [match for other in own for match in _defaulted(other, kind)["matches"]]
    is_mirror = any(one.get("type") == "RequestMirror" for one in rule.get("filters") or ())
    return is_mirror or any(match in theirs for match in _defaulted(rule, kind)["matches"])


def _names_are_lost(made: list[Obj], own: list[Obj], kind: Kind) -> bool:
    """Whether a rule of ours came back without its name: then it would be made again and again."""
    ours = [_defaulted({**rule, "name": None}, kind) for rule in made]
    return any(_defaulted(rule, kind) in ours for rule in own)


def _patch(kind: Kind, obj: Obj, patch: Obj) -> Patch:
    """A patch of this state of the route alone: rules are written as a whole, and nobody's change is to be lost."""
    meta = {**patch.get("metadata", {}), "uid": uid_of(obj), "resourceVersion": obj["metadata"]["resourceVersion"]}
    return Patch(kind, key_of(obj), {**patch, "metadata": meta})


def _label(obj: Obj, config: Obj, share: Share) -> Obj:
    """The change of the label that says that a canary is under way; empty for none."""
    if config.get("disableInProgressLabel"):
        return {}
    name, value = config.get("inProgressLabelKey") or LABEL, config.get("inProgressLabelValue") or LABEL_VALUE
    wanted = value if share.weight > 0 or share.managed or share.additional else None
    return {} if labels_of(obj).get(name) == wanted else {name: wanted}


def _leads_to_both(rule: Obj, share: Share) -> bool:
    names = {ref.get("name") for ref in rule.get("backendRefs") or () if (ref.get("kind") or "Service") == "Service"}
    return share.stable in names and share.canary in names


def _shared(rule: Obj, share: Share) -> Obj:
    """A rule with the weights of the share, when it leads to both Services; experiments are added and taken away."""
    if not _leads_to_both(rule, share):
        return rule
    weights, refs = dict(share.weights), []
    stable = next(ref for ref in rule["backendRefs"] if ref.get("name") == share.stable)
    for ref in rule["backendRefs"]:
        name = ref.get("name")
        if name in weights:
            refs.append({**ref, "weight": weights.pop(name)})
        elif name not in share.former:
            refs.append(ref)
    added = [{**stable, "name": name, "weight": weight} for name, weight in weights.items()]
    return {**rule, "backendRefs": [*refs, *added]}


def _defaulted(rule: Obj, kind: Kind) -> Obj:
    """A rule with the defaults that API servers fill in, so that theirs and ours compare."""
    made: Any = {name: value for name, value in rule.items() if value not in (None, [], {})}
    default: Obj = {"path": {"type": "PathPrefix", "value": "/"}} if kind == HTTP_ROUTE else {}
    matches = [{**default, **match} for match in rule.get("matches") or [{}]]
    for match in matches:
        if match.get("headers"):
            match["headers"] = [{"type": "Exact", **one} for one in match["headers"]]
    made["matches"] = matches
    made["backendRefs"] = [{"weight": 1, **_reference(ref)} for ref in rule.get("backendRefs") or ()]
    if rule.get("filters"):
        made["filters"] = [_filter(one) for one in rule["filters"]]
    return made  # type: ignore[no-any-return]


def _reference(ref: Obj) -> Obj:
    return {"group": "", "kind": "Service", **ref}


def _filter(one: Obj) -> Obj:
    mirror = one.get("requestMirror")
    if not mirror:
        return one
    return {**one, "requestMirror": {**mirror, "backendRef": _reference(mirror["backendRef"])}}


def is_acknowledged(route: Obj) -> bool:
    """Whether everything that serves a route has taken its present generation."""
    parents = (route.get("status") or {}).get("parents") or ()
    generation = route["metadata"].get("generation") or 0
    return bool(parents) and all(_has_taken(parent, generation) for parent in parents)


def _has_taken(parent: Obj, generation: int) -> bool:
    conditions = {condition["type"]: condition for condition in parent.get("conditions") or ()}
    found = conditions.get(ACKNOWLEDGED) or conditions.get("Accepted") or {}
    return found.get("status") == "True" and (found.get("observedGeneration") or 0) >= generation
