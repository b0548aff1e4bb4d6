"""Rules for autoscalers and disruption budgets. Source: pkg/apis/{autoscaling,policy}/validation/validation.go."""

from collections.abc import Callable, Mapping

from drumroll.domain.autoscaler_versions import to_v2
from drumroll.domain.validation.field import Errors, each, forbidden, invalid, required, unsupported
from drumroll.domain.validation.metadata import (
    shown_selector,
    validate_metadata,
    validate_metadata_update,
    validate_selector,
)
from drumroll.domain.validation.names import label_faults, path_segment_faults, subdomain_faults
from drumroll.domain.validation.resources import validate_container_resource_name
from drumroll.domain.validation.workload import validate_at_most_all, validate_count_or_percent
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

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
    yield from _validate_reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    for index, metric in enumerate(spec.get("metrics") or ()):
        yield from _validate_metric(metric, f"spec.metrics[{index}]")
    behavior = spec.get("behavior") or {}
    for field in ("scaleUp", "scaleDown"):
        if behavior.get(field) is not None:
            yield from _validate_rules(behavior[field], f"spec.behavior.{field}")


def _validate_metric(metric: Obj, path: str) -> Errors:
    """One source, which is the one that the type names."""
    kind = metric.get("type") or ""
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
    if kind not in _METRIC_FIELDS:
        yield unsupported(f"{path}.type", kind, sorted(_METRIC_FIELDS))
    present = [field for field in _SOURCES if metric.get(field) is not None]
    for field in present[:1]:
        yield from _SOURCES[field](metric[field], f"{path}.{field}")
    expected = _METRIC_FIELDS.get(kind)
    if expected is None:
        yield unsupported(f"{path}.type", kind, sorted(_METRIC_FIELDS))
    elif expected not in present:
        yield required(f"{path}.{expected}", "must populate information for the given metric source")
    if len(present) != 1:
        for field in present:
            if field != expected:
                yield forbidden(f"{path}.{field}", "must populate the given metric source only")


def _validate_reference(target: Obj, path: str) -> Errors:
    for field in ("kind", "name"):
        value = target.get(field) or ""
        if not value:
            yield required(f"{path}.{field}")
        yield from each(f"{path}.{field}", value, path_segment_faults(value))


def _validate_identifier(source: Obj, path: str) -> Errors:
    name = (source.get("metric") or {}).get("name") or ""
    if not name:
        yield required(f"{path}.metric.name", "must specify a metric name")
    yield from each(f"{path}.metric.name", name, path_segment_faults(name))


def _validate_object(source: Obj, path: str) -> Errors:
    target = source.get("target") or {}
    yield from _validate_reference(source.get("describedObject") or {}, f"{path}.describedObject")
    yield from _validate_identifier(source, path)
    yield from _validate_target(target, f"{path}.target")
    if target.get("value") is None and target.get("averageValue") is None:
        yield required(f"{path}.target.averageValue", "must set either a target value or averageValue")


def _validate_external(source: Obj, path: str) -> Errors:
    target, choice = source.get("target") or {}, "a target value for metric {} a per-pod target"
    yield from _validate_identifier(source, path)
    yield from _validate_target(target, f"{path}.target")
    given = [field for field in ("value", "averageValue") if target.get(field) is not None]
    if not given:
        yield required(f"{path}.target.averageValue", f"must set either {choice.format('or')}")
    elif len(given) == 2:
        yield forbidden(f"{path}.target.value", f"may not set both {choice.format('and')}")


def _validate_pods(source: Obj, path: str) -> Errors:
    target = source.get("target") or {}
    yield from _validate_identifier(source, path)
    yield from _validate_target(target, f"{path}.target")
    if target.get("averageValue") is None:
        yield required(f"{path}.target.averageValue", "must specify a positive target averageValue")


def _validate_resource(source: Obj, path: str) -> Errors:
    if not source.get("name"):
        yield required(f"{path}.name", "must specify a resource name")
    yield from _validate_share(source, path)


def _validate_container_resource(source: Obj, path: str) -> Errors:
    name, container = source.get("name") or "", source.get("container") or ""
    if not name:
        yield required(f"{path}.name", "must specify a resource name")
    else:
        yield from validate_container_resource_name(name, f"{path}.name")
    if not container:
        yield required(f"{path}.container", "must specify a container")
    else:
        yield from each(f"{path}.container", container, label_faults(container))
    yield from _validate_share(source, path)


def _validate_share(source: Obj, path: str) -> Errors:
    target = source.get("target") or {}
    yield from _validate_target(target, f"{path}.target")
    given = [field for field in ("averageUtilization", "averageValue") if target.get(field) is not None]
    if not given:
        text = "must set either a target raw value or a target utilization"
        yield required(f"{path}.target.averageUtilization", text)
    elif len(given) == 2:
        text = "may not set both a target raw value and a target utilization"
        yield forbidden(f"{path}.target.averageValue", text)


def _validate_target(target: Obj, path: str) -> Errors:
    kind, share = target.get("type") or "", target.get("averageUtilization")
    if not kind:
        yield required(f"{path}.type", "must specify a metric target type")
    if kind not in ("Utilization", "Value", "AverageValue"):
        yield invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    for field in ("value", "averageValue"):
        if target.get(field) is not None and parse_quantity(target[field]) <= 0:
            yield invalid(f"{path}.{field}", str(target[field]), "must be positive")
    if share is not None and share < 1:
        yield invalid(f"{path}.averageUtilization", share, "must be greater than 0")


_SOURCES: Mapping[str, Callable[[Obj, str], Errors]] = {
    "object": _validate_object,
    "external": _validate_external,
    "pods": _validate_pods,
    "resource": _validate_resource,
    "containerResource": _validate_container_resource,
}


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
    yield from validate_metadata(budget["metadata"], True, path_segment_faults, by_kind=False)
    yield from _validate_budget_spec(budget.get("spec") or {})


def validate_pod_disruption_budget_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed budget."""
    yield from validate_metadata_update(new["metadata"], old["metadata"], by_kind=False)
    yield from _validate_budget_spec(new.get("spec") or {})


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
