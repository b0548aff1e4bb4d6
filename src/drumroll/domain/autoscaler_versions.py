"""HorizontalPodAutoscalers of autoscaling/v1 as those of v2, and back: what v1 has no field for travels in annotations.

Source: pkg/apis/autoscaling/v1/conversion.go, pkg/apis/autoscaling/annotations.go.
"""

import json
from typing import Any

from drumroll.objects.meta import Obj

_PREFIX = "autoscaling.alpha.kubernetes.io/"
METRICS, BEHAVIOR = f"{_PREFIX}metrics", f"{_PREFIX}behavior"
CURRENT_METRICS, CONDITIONS = f"{_PREFIX}current-metrics", f"{_PREFIX}conditions"
_CPU, _SPEC_CPU, _STATUS_CPU = "cpu", "targetCPUUtilizationPercentage", "currentCPUUtilizationPercentage"


def to_v2(autoscaler: Obj) -> Obj:
    """A v1 autoscaler as v2 has it. The original is not changed. An annotation that is no JSON is left alone."""
    metadata, carried = _take(autoscaler["metadata"])
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    target, current = spec.pop(_SPEC_CPU, None), status.pop(_STATUS_CPU, None)
    metrics = [_metric_to_v2(metric) for metric in carried.get(METRICS) or ()]
    if target is not None:
        goal = {"type": "Utilization", "averageUtilization": target}
        metrics.insert(0, {"type": "Resource", "resource": {"name": _CPU, "target": goal}})
    if metrics:
        spec["metrics"] = metrics
    if carried.get(BEHAVIOR):
        spec["behavior"] = carried[BEHAVIOR]
    seen = [_status_to_v2(metric) for metric in carried.get(CURRENT_METRICS) or ()]
    if current is not None and not any(_is_cpu(metric) for metric in seen):
        shown = {"name": _CPU, "current": {"averageUtilization": current}}
        seen.insert(0, {"type": "Resource", "resource": shown})
    status["currentMetrics"] = seen or None
    if not status.get("currentReplicas"):
        status.pop("currentReplicas", None)
    if carried.get(CONDITIONS):
        status["conditions"] = carried[CONDITIONS]
    return {**autoscaler, "apiVersion": "autoscaling/v2", "metadata": metadata, "spec": spec, "status": status}


def to_v1(autoscaler: Obj) -> Obj:
    """A v2 autoscaler as v1 shows it. The original is not changed."""
    metadata, _ = _take(autoscaler["metadata"])
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    metrics, seen = spec.pop("metrics", None) or [], status.pop("currentMetrics", None) or []
    cpu = next((metric for metric in metrics if _is_cpu(metric) and _is_share(metric)), None)
    if cpu is not None:
        spec[_SPEC_CPU] = cpu["resource"]["target"]["averageUtilization"]
    now: Obj = next((metric["resource"]["current"] for metric in seen if _is_cpu(metric)), {})
    if now.get("averageUtilization") is not None:
        status[_STATUS_CPU] = now["averageUtilization"]
    others = [_metric_to_v1(metric) for metric in metrics if metric is not cpu]
    carried = {
        METRICS: others,
        CURRENT_METRICS: [_status_to_v1(metric) for metric in seen],
        CONDITIONS: status.pop("conditions", None),
        BEHAVIOR: spec.pop("behavior", None),
    }
    notes = {name: json.dumps(value, separators=(",", ":")) for name, value in carried.items() if value}
    if notes:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **notes}
    for field in ("currentReplicas", "desiredReplicas"):
        status.setdefault(field, 0)
    return {**autoscaler, "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _take(metadata: Obj) -> tuple[Obj, dict[str, Any]]:
    """The metadata without the annotations that stand for fields, and what these say."""
    annotations, carried = dict(metadata.get("annotations") or {}), {}
    for name in (METRICS, BEHAVIOR, CURRENT_METRICS, CONDITIONS):
        try:
            carried[name] = json.loads(annotations.get(name, "null"))
        except ValueError:
            continue
        annotations.pop(name, None)
    rest = {name: value for name, value in metadata.items() if name != "annotations"}
    return ({**rest, "annotations": annotations} if annotations else rest), carried


def _is_cpu(metric: Obj) -> bool:
    return metric.get("type") == "Resource" and (metric.get("resource") or {}).get("name") == _CPU


def _is_share(metric: Obj) -> bool:
    return (metric["resource"].get("target") or {}).get("averageUtilization") is not None


def _metric_to_v1(metric: Obj) -> Obj:
    """A metric in the form that v1's annotation has: the target's value in a field of the source."""
    field = _field_of(metric)
    source = dict(metric.get(field) or {})
    target = source.pop("target", None) or {}
    share, mean, value = target.get("averageUtilization"), target.get("averageValue"), target.get("value")
    if "metric" in source:
        named = source.pop("metric") or {}
        source["metricName"] = named.get("name", "")
        if named.get("selector"):
            source["metricSelector" if field == "external" else "selector"] = named["selector"]
    if field == "object":
        source["target"] = source.pop("describedObject", {})
    for name, amount in _amounts_v1(field, share, mean, value):
        if amount is not None:
            source[name] = amount
    return {"type": metric.get("type", ""), field: source}


def _amounts_v1(field: str, share: Any, mean: Any, value: Any) -> tuple[tuple[str, Any], ...]:
    match field:
        case "object":
            return (("targetValue", value), ("averageValue", mean))
        case "pods":
            return (("targetAverageValue", mean),)
        case "external":
            return (("targetValue", value), ("targetAverageValue", mean))
    return (("targetAverageUtilization", share), ("targetAverageValue", mean))


def _metric_to_v2(metric: Obj) -> Obj:
    field = _field_of(metric)
    source = dict(metric.get(field) or {})
    share, value = source.pop("targetAverageUtilization", None), source.pop("targetValue", None)
    mean = source.pop("targetAverageValue", None)
    if field == "object":
        source["describedObject"], mean = source.pop("target", {}), source.pop("averageValue", mean)
    if "metricName" in source:
        selector = source.pop("metricSelector" if field == "external" else "selector", None)
        source["metric"] = {"name": source.pop("metricName"), **({"selector": selector} if selector else {})}
    goals = {"averageUtilization": share, "averageValue": mean, "value": value}
    given = {name: amount for name, amount in goals.items() if amount is not None}
    kind = "Utilization" if share is not None else "AverageValue" if mean is not None else "Value"
    source["target"] = {"type": kind, **given}
    return {"type": metric.get("type", ""), field: source}


def _status_to_v1(metric: Obj) -> Obj:
    field = _field_of(metric)
    source = dict(metric.get(field) or {})
    current = source.pop("current", None) or {}
    if "metric" in source:
        source["metricName"] = (source.pop("metric") or {}).get("name", "")
    if field == "object":
        source["target"] = source.pop("describedObject", {})
    names = {"averageUtilization": "currentAverageUtilization", "averageValue": "currentAverageValue"}
    names["value"] = "currentValue"
    source |= {names[name]: amount for name, amount in current.items() if name in names}
    return {"type": metric.get("type", ""), field: source}


def _status_to_v2(metric: Obj) -> Obj:
    field = _field_of(metric)
    source = dict(metric.get(field) or {})
    names = {"currentAverageUtilization": "averageUtilization", "currentAverageValue": "averageValue"}
    names["currentValue"] = "value"
    source["current"] = {new: source.pop(old) for old, new in names.items() if old in source}
    if "metricName" in source:
        source["metric"] = {"name": source.pop("metricName")}
    if field == "object":
        source["describedObject"] = source.pop("target", {})
    return {"type": metric.get("type", ""), field: source}


def _field_of(metric: Obj) -> str:
    kind = metric.get("type") or ""
    return kind[:1].lower() + kind[1:]
