"""Rules for Deployments and ReplicaSets. Source: pkg/apis/apps/validation/validation.go."""

from collections.abc import Mapping
from typing import Any

from drumroll.domain.validation.field import (
    IMMUTABLE,
    NOT_NEGATIVE,
    Errors,
    forbidden,
    invalid,
    not_negative,
    required,
    unsupported,
)
from drumroll.domain.validation.metadata import (
    is_valid_selector,
    shown_selector,
    validate_metadata,
    validate_metadata_update,
    validate_selector,
)
from drumroll.domain.validation.names import percent_faults, subdomain_faults
from drumroll.domain.validation.pod import validate_template
from drumroll.objects.meta import Obj
from drumroll.objects.selectors import from_object

_COUNTS = ("replicas", "updatedReplicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas",
           "unavailableReplicas", "terminatingReplicas")  # fmt: skip


def validate_deployment(deployment: Obj) -> Errors:
    """The rules for a new Deployment."""
    yield from validate_metadata(deployment["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from _validate_deployment_spec(deployment.get("spec") or {})


def validate_deployment_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed Deployment: its selector stays."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after != before:
        yield from _validate_deployment_spec(after)
        yield from _validate_same_selector(after, before)


def validate_replica_set(replica_set: Obj) -> Errors:
    """The rules for a new ReplicaSet."""
    yield from validate_metadata(replica_set["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from _validate_replica_set_spec(replica_set.get("spec") or {})


def validate_replica_set_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed ReplicaSet: its selector stays."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after != before:
        yield from _validate_replica_set_spec(after)
        yield from _validate_same_selector(after, before)


def validate_counts(new: Obj, old: Obj) -> Errors:
    """A workload's observed numbers are not negative, fit together, and collisions are never forgotten."""
    for field in (*_COUNTS, "observedGeneration", "collisionCount"):
        yield from not_negative(f"status.{field}", new.get(field))
    total, ready = new.get("replicas") or 0, new.get("readyReplicas") or 0
    for field in ("updatedReplicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"):
        if (new.get(field) or 0) > total:
            yield invalid(f"status.{field}", new.get(field) or 0, "cannot be greater than status.replicas")
    if (new.get("availableReplicas") or 0) > ready:
        yield invalid("status.availableReplicas", new["availableReplicas"], "cannot be greater than readyReplicas")
    if old.get("collisionCount") is not None and (new.get("collisionCount") or 0) < old["collisionCount"]:
        yield invalid("status.collisionCount", new.get("collisionCount"), "cannot be decremented")


def _validate_same_selector(new: Obj, old: Obj) -> Errors:
    if new.get("selector") != old.get("selector"):
        selector = new.get("selector")
        yield invalid("spec.selector", None if selector is None else shown_selector(selector), IMMUTABLE)


def _validate_deployment_spec(spec: Obj) -> Errors:
    yield from not_negative("spec.replicas", spec.get("replicas"))
    yield from _validate_selected_template(spec)
    yield from _validate_strategy(spec.get("strategy") or {})
    ready_after = spec.get("minReadySeconds") or 0
    yield from not_negative("spec.minReadySeconds", ready_after)
    yield from not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        yield from not_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= ready_after:
            yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _validate_replica_set_spec(spec: Obj) -> Errors:
    yield from not_negative("spec.replicas", spec.get("replicas"))
    yield from not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    yield from _validate_selected_template(spec)


def _validate_selected_template(spec: Obj) -> Errors:
    selector, template = spec.get("selector"), spec.get("template") or {}
    labels: Mapping[str, str] | None = (template.get("metadata") or {}).get("labels")
    if selector is None:
        yield required("spec.selector")
    else:
        yield from validate_selector(selector, "spec.selector")
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            yield invalid("spec.selector", {}, "empty selector is invalid for deployment")
        if not is_valid_selector(selector):
            yield invalid("spec.selector", shown_selector(selector), "invalid label selector")
            return
    if selector is None or not from_object(selector).matches(labels or {}):
        shown = dict(sorted(labels.items())) if labels else None
        text = "`selector` does not match template `labels`"
        yield invalid("spec.template.metadata.labels", shown, text)
    yield from validate_template(template, "spec.template")
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        yield unsupported("spec.template.spec.restartPolicy", pod.get("restartPolicy") or "", ["Always"])
    if pod.get("activeDeadlineSeconds") is not None:
        text = "activeDeadlineSeconds in ReplicaSet is not Supported"
        yield forbidden("spec.template.spec.activeDeadlineSeconds", text)


def _validate_strategy(strategy: Obj) -> Errors:
    path, rolling = "spec.strategy", strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "Recreate":
            if rolling is not None:
                text = "may not be specified when strategy `type` is 'Recreate'"
                yield forbidden(f"{path}.rollingUpdate", text)
        case "RollingUpdate":
            if rolling is None:
                yield required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")
            else:
                yield from _validate_rolling_update(rolling, f"{path}.rollingUpdate")
        case other:
            shown = {"Type": other or "", "RollingUpdate": _shown_rolling_update(rolling)}
            yield unsupported(path, shown, ("Recreate", "RollingUpdate"))


def _shown_rolling_update(rolling: Obj | None) -> Obj | None:
    if rolling is None:
        return None
    return {"MaxUnavailable": rolling.get("maxUnavailable", 0), "MaxSurge": rolling.get("maxSurge", 0)}


def _validate_rolling_update(rolling: Obj, path: str) -> Errors:
    down, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    yield from validate_count_or_percent(down, f"{path}.maxUnavailable")
    yield from validate_count_or_percent(surge, f"{path}.maxSurge")
    if count_of(down) == 0 and count_of(surge) == 0:
        yield invalid(f"{path}.maxUnavailable", down, "may not be 0 when `maxSurge` is 0")
    yield from validate_at_most_all(down, f"{path}.maxUnavailable")


def validate_count_or_percent(value: Any, path: str) -> Errors:
    """A number that is not negative, or a percentage."""
    if isinstance(value, str):
        for fault in percent_faults(value):
            yield invalid(path, value, fault)
    elif value < 0:
        yield invalid(path, value, NOT_NEGATIVE)


def validate_at_most_all(value: Any, path: str) -> Errors:
    """A percentage is at most 100 %."""
    if isinstance(value, str) and not percent_faults(value) and int(value[:-1]) > 100:
        yield invalid(path, value, "must not be greater than 100%")


def count_of(value: Any) -> int:
    """The number before a percent sign, or the number; what is neither counts as one that was given."""
    if isinstance(value, int):
        return value
    if not percent_faults(value):
        return int(value[:-1])
    return int(value) if value.isdecimal() else 0
