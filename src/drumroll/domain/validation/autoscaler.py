"""Rules for autoscalers and disruption budgets. Source: pkg/apis/{autoscaling,policy}/validation/validation.go."""

from drumroll.domain.autoscaler_versions import to_v2
from drumroll.domain.validation.field import NOT_NEGATIVE, Errors, invalid, required, unsupported
from drumroll.domain.validation.metadata import (
    shown_selector,
    validate_metadata,
    validate_metadata_update,
    validate_selector,
)
from drumroll.domain.validation.names import path_segment_faults, subdomain_faults
from drumroll.domain.validation.workload import validate_at_most_all, validate_count_or_percent
from drumroll.objects.meta import Obj

_SELECT_POLICIES = ("Disabled", "Max", "Min")
_METRIC_FIELDS = {
    "ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
    "Resource": "resource",
}  # fmt: skip


def validate_horizontal_pod_autoscaler(autoscaler: Obj) -> Errors:
    """The rules for a new autoscaler."""
    yield from validate_metadata(autoscaler["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from _validate_autoscaler_spec(_spec_of_v2(autoscaler))


def validate_horizontal_pod_autoscaler_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed autoscaler."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from _validate_autoscaler_spec(_spec_of_v2(new))


def _spec_of_v2(autoscaler: Obj) -> Obj:
    latest = to_v2(autoscaler) if autoscaler.get("apiVersion") == "autoscaling/v1" else autoscaler
    return latest.get("spec") or {}


def _validate_autoscaler_spec(spec: Obj) -> Errors:
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 1:
        yield invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield invalid("spec.maxReplicas", most, "must be greater than 0")
    if least is not None and most < least:
        yield invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    target = spec.get("scaleTargetRef") or {}
    for field in ("kind", "name"):
        if not target.get(field):
            yield required(f"spec.scaleTargetRef.{field}")
        for fault in path_segment_faults(target.get(field) or ""):
            yield invalid(f"spec.scaleTargetRef.{field}", target[field], fault)
    for index, metric in enumerate(spec.get("metrics") or ()):
        yield from _validate_metric(metric, f"spec.metrics[{index}]")
    behavior = spec.get("behavior") or {}
    for field in ("scaleUp", "scaleDown"):
        if behavior.get(field) is not None:
            yield from _validate_rules(behavior[field], f"spec.behavior.{field}")


def _validate_metric(metric: Obj, path: str) -> Errors:
    kind = metric.get("type") or ""
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
        return
    field = _METRIC_FIELDS.get(kind)
    if field is None:
        yield unsupported(f"{path}.type", kind, sorted(_METRIC_FIELDS))
        return
    source = metric.get(field)
    if source is None:
        yield required(f"{path}.{field}", "must populate the given metric source")
        return
    if kind in ("Resource", "ContainerResource") and not source.get("name"):
        yield required(f"{path}.{field}.name", "must specify a resource name")
    if kind == "ContainerResource" and not source.get("container"):
        yield required(f"{path}.{field}.container", "must specify a container name")
    yield from _validate_target(source.get("target") or {}, f"{path}.{field}.target")


def _validate_target(target: Obj, path: str) -> Errors:
    kind, share = target.get("type") or "", target.get("averageUtilization")
    if not kind:
        yield required(f"{path}.type", "must specify a metric target type")
    elif kind not in ("Utilization", "Value", "AverageValue"):
        yield invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    if share is not None and share < 1:
        yield invalid(f"{path}.averageUtilization", share, "must be greater than 0")


def _validate_rules(rules: Obj, path: str) -> Errors:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        yield invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > 3600:
        yield invalid(f"{path}.stabilizationWindowSeconds", window, "must be less than or equal to 3600")
    choice = rules.get("selectPolicy")
    if choice is not None and choice not in _SELECT_POLICIES:
        yield unsupported(f"{path}.selectPolicy", choice, _SELECT_POLICIES)
    if not rules.get("policies"):
        yield required(f"{path}.policies", "must specify at least one Policy")
    for index, policy in enumerate(rules.get("policies") or ()):
        where = f"{path}.policies[{index}]"
        if policy.get("type") not in ("Percent", "Pods"):
            yield unsupported(f"{where}.type", policy.get("type") or "", ("Percent", "Pods"))
        for field in ("value", "periodSeconds"):
            if (policy.get(field) or 0) <= 0:
                yield invalid(f"{where}.{field}", policy.get(field) or 0, "must be greater than zero")
        if (policy.get("periodSeconds") or 0) > 1800:
            yield invalid(f"{where}.periodSeconds", policy["periodSeconds"], "must be less than or equal to 1800")


def validate_pod_disruption_budget(budget: Obj) -> Errors:
    """The rules for a new budget."""
    yield from validate_metadata(budget["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from _validate_budget_spec(budget.get("spec") or {})


def validate_pod_disruption_budget_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed budget."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from _validate_budget_spec(new.get("spec") or {})
    n_allowed = (new.get("status") or {}).get("disruptionsAllowed") or 0
    if n_allowed < 0:
        yield invalid("status.disruptionsAllowed", n_allowed, NOT_NEGATIVE)


def _validate_budget_spec(spec: Obj) -> Errors:
    least, most, selector = spec.get("minAvailable"), spec.get("maxUnavailable"), spec.get("selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if least is not None and most is not None:
        shown = {"MinAvailable": least, "Selector": None if selector is None else shown_selector(selector)}
        shown |= {"MaxUnavailable": most, "UnhealthyPodEvictionPolicy": policy}
        yield invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set")
    for field, value in (("minAvailable", least), ("maxUnavailable", most)):
        if value is not None:
            yield from validate_count_or_percent(value, f"spec.{field}")
            yield from validate_at_most_all(value, f"spec.{field}")
    if selector is not None:
        yield from validate_selector(selector, "spec.selector")
    if policy is not None and policy not in ("AlwaysAllow", "IfHealthyBudget"):
        yield unsupported("spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))
