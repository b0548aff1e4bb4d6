"""Sharing traffic by a second Ingress with the canary annotations of ingress-nginx, which the Rollout owns.

Our proxy says of each Ingress that it serves what of it is in force, so a stable Ingress that has never been told so is
another controller's: then nobody can tell, and the update goes on, as the original's does.
Source: argo-rollouts rollout/trafficrouting/nginx.
"""

from typing import Any

from drumroll.domain.actions import Action, Create, patch_of
from drumroll.domain.gateway import ACKNOWLEDGED
from drumroll.domain.ingress_annotations import has_canary, is_in_force
from drumroll.domain.rollout.inputs import Inputs
from drumroll.domain.rollout.references import canary_ingress
from drumroll.domain.rollout.traffic import Routed, Share, together
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.kinds import INGRESS
from drumroll.objects.meta import Key, Obj, annotations_of, controller_of, key_of, owner_reference

PREFIX = "nginx.ingress.kubernetes.io"
CLASS = "kubernetes.io/ingress.class"


def route_nginx(inputs: Inputs, rollout: Rollout, share: Share) -> Routed:
    """Make or bring up to date the canary Ingress of each stable one."""
    config = (rollout.traffic_routing or {})["nginx"]
    names = [config.get("stableIngress"), *(config.get("stableIngresses") or ())]
    return together([_one(inputs, rollout, share, config, name) for name in names if name])


def _one(inputs: Inputs, rollout: Rollout, share: Share, config: Obj, name: str) -> Routed:
    stable = inputs.ingresses.get(name)
    if stable is None:
        return _fault(f"Ingress {name} is missing: create it, or correct trafficRouting.nginx.stableIngress")
    spec = _canary_spec(stable["spec"], share)
    if spec is None:
        return _fault(f"Ingress {name} has no path to Service {share.stable}: give it one")
    wanted = _build(rollout, share, config, stable, spec)
    found = inputs.ingresses.get(wanted["metadata"]["name"])
    if found is None and share.weight > 0:
        return Routed((Create(wanted),), is_verified=False)
    verified = _is_verified(config, stable, key_of(wanted), found)
    if found is None:
        return Routed(is_verified=verified)
    owner = controller_of(found)
    if owner is None or owner["uid"] != rollout.uid:
        return _fault(f"Ingress {wanted['metadata']['name']} belongs to somebody else: delete it")
    action = _difference(found, wanted)
    return Routed((action,), is_verified=False) if action else Routed(is_verified=verified)


def _is_verified(config: Obj, stable: Obj, canary: Key, found: Obj | None) -> bool | None:
    """Whether both Ingresses are in force as they are now, the canary's absence too; None where nobody tells."""
    is_stable = is_in_force(stable)
    if is_stable is None or (config.get("annotationPrefix") or PREFIX) != PREFIX:
        return None
    return is_stable and (bool(is_in_force(found)) if found is not None else not has_canary(stable, canary))


def _fault(text: str) -> Routed:
    return Routed((), is_verified=False, faults=(text,))


def _build(rollout: Rollout, share: Share, config: Obj, stable: Obj, spec: Obj) -> Obj:
    prefix = config.get("annotationPrefix") or PREFIX
    annotations = {f"{prefix}/canary": "true", f"{prefix}/canary-weight": str(share.weight)}
    if share.most != 100:
        annotations[f"{prefix}/canary-weight-total"] = str(share.most)
    for name, value in (config.get("additionalIngressAnnotations") or {}).items():
        annotations[name if name.startswith(f"{prefix}/") else f"{prefix}/{name}"] = value
    annotations |= config.get("canaryIngressAnnotations") or {}
    if CLASS in annotations_of(stable):
        annotations[CLASS] = annotations_of(stable)[CLASS]
    return {
        "apiVersion": INGRESS.api_version,
        "kind": INGRESS.name,
        "metadata": {
            "name": canary_ingress(rollout, stable["metadata"]["name"]),
            "namespace": rollout.key.namespace,
            "annotations": annotations,
            "ownerReferences": [owner_reference(rollout.raw)],
        },
        "spec": spec,
    }


def _canary_spec(spec: Obj, share: Share) -> Obj | None:
    """The stable Ingress's paths to the stable Service, leading to the canary's; None when there are none."""
    rules = []
    for rule in spec.get("rules") or ():
        http: Any = rule.get("http") or {}
        paths = [_to_canary(path, share) for path in http.get("paths") or () if _leads_to(path, share.stable)]
        if paths:
            rules.append({**rule, "http": {**http, "paths": paths}})
    if not rules:
        return None
    kept = {name: spec[name] for name in ("ingressClassName", "tls") if spec.get(name)}
    return {**kept, "rules": rules}


def _leads_to(path: Obj, service: str) -> bool:
    return bool(((path.get("backend") or {}).get("service") or {}).get("name") == service)


def _to_canary(path: Obj, share: Share) -> Obj:
    backend = path["backend"]
    return {**path, "backend": {**backend, "service": {**backend["service"], "name": share.canary}}}


def _difference(found: Obj, wanted: Obj) -> Action | None:
    annotations = {
        name: value
        for name, value in wanted["metadata"]["annotations"].items()
        if annotations_of(found).get(name) != value
    }
    patch: Obj = {"metadata": {"annotations": annotations}} if annotations else {}
    if found["spec"] != wanted["spec"]:
        patch["spec"] = {**{name: None for name in found["spec"] if name not in wanted["spec"]}, **wanted["spec"]}
    if not patch:
        return None
    # What was acknowledged was so before this: it must not speak for us if we ask for the same again some day.
    patch.setdefault("metadata", {}).setdefault("annotations", {})[ACKNOWLEDGED] = None
    return patch_of(INGRESS, found, patch)
