"""Rules for the other workloads: ReplicationController, StatefulSet, DaemonSet, PodTemplate.

Source: pkg/apis/{core,apps}/validation/validation.go.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from drumroll.domain.validation.field import (
    IMMUTABLE,
    Errors,
    each,
    forbidden,
    in_words_of_go,
    invalid,
    known,
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
from drumroll.domain.validation.names import label_faults, subdomain_faults
from drumroll.domain.validation.pod import validate_template
from drumroll.domain.validation.workload import count_of, validate_at_most_all, validate_count_or_percent
from drumroll.objects.meta import Obj
from drumroll.objects.selectors import from_map, from_object

_MUTABLE_OF_STATEFUL_SET = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


def validate_replication_controller(controller: Obj) -> Errors:
    """The rules for a replication controller: its selector is a plain map that selects its template."""
    yield from validate_metadata(controller["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec = controller.get("spec") or {}
    yield from not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    selector = spec.get("selector") or {}
    if not selector:
        yield required("spec.selector")
    yield from not_negative("spec.replicas", spec.get("replicas"))
    template = spec.get("template")
    if template is None:
        yield required("spec.template")
        return
    labels = (template.get("metadata") or {}).get("labels")
    if selector and not from_map(selector).matches(labels or {}):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from validate_template(template, "spec.template")
    yield from _always_restarted(template.get("spec") or {}, "ReplicationController")


def validate_replication_controller_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed one."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    if new.get("spec") != old.get("spec"):
        yield from validate_replication_controller(new)


def validate_stateful_set(stateful_set: Obj) -> Errors:
    """The rules for a stateful set."""
    yield from validate_metadata(stateful_set["metadata"], namespaced=True, name_faults=label_faults)
    yield from _validate_stateful_set_spec(stateful_set.get("spec") or {})


def _validate_stateful_set_spec(spec: Obj) -> Errors:
    policy = spec.get("podManagementPolicy")
    if policy not in ("OrderedReady", "Parallel"):
        text = "must be 'OrderedReady' or 'Parallel'"
        yield invalid("spec.podManagementPolicy", policy, text) if policy else required("spec.podManagementPolicy")
    yield from _validate_update_strategy(spec.get("updateStrategy") or {})
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for field in ("whenDeleted", "whenScaled"):
        path = f"spec.persistentVolumeClaimRetentionPolicy.{field}"
        yield from known(path, retention.get(field), ("Retain", "Delete"))
    for field in ("replicas", "minReadySeconds"):
        yield from not_negative(f"spec.{field}", spec.get(field))
    yield from not_negative("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
    yield from _validate_selected(spec, "statefulset")
    yield from _always_restarted((spec.get("template") or {}).get("spec") or {}, "StatefulSet")
    if spec.get("serviceName"):
        yield from each("spec.serviceName", spec["serviceName"], label_faults(spec["serviceName"]))


def validate_stateful_set_update(new: Obj, old: Obj) -> Errors:
    """Only what a roll-out can carry out may change."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after == before:
        return
    yield from _validate_stateful_set_spec(after)
    if _without(after, _MUTABLE_OF_STATEFUL_SET) != _without(before, _MUTABLE_OF_STATEFUL_SET):
        names = ", ".join(f"'{name}'" for name in _MUTABLE_OF_STATEFUL_SET[:-1])
        text = f"updates to statefulset spec for fields other than {names} and 'minReadySeconds' are forbidden"
        yield forbidden("spec", text)


def validate_daemon_set(daemon_set: Obj) -> Errors:
    """The rules for a daemon set."""
    yield from validate_metadata(daemon_set["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec = daemon_set.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    if selector is not None:
        yield from validate_selector(selector, "spec.selector")
    if selector is None or (is_valid_selector(selector) and not from_object(selector).matches(labels or {})):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid("spec.selector", {}, "empty selector is invalid for daemonset")
    yield from validate_template(template, "spec.template")
    yield from _always_restarted(template.get("spec") or {}, "DaemonSet")
    yield from not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    yield from _validate_daemon_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    yield from not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))


def _validate_daemon_strategy(strategy: Obj, path: str) -> Errors:
    kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
    if kind not in ("RollingUpdate", "OnDelete"):
        shown = {"Type": kind, "RollingUpdate": in_words_of_go(rolling, "maxUnavailable", "maxSurge")}
        yield unsupported(path, shown, ("RollingUpdate", "OnDelete"))
    elif kind == "RollingUpdate" and rolling is None:
        yield required(f"{path}.rollingUpdate")
    elif kind == "RollingUpdate" and rolling is not None:
        down, surge, path = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0), f"{path}.rollingUpdate"
        for rule in (validate_count_or_percent, validate_at_most_all):
            yield from rule(down, f"{path}.maxUnavailable")
            yield from rule(surge, f"{path}.maxSurge")
        if count_of(down) and count_of(surge):
            yield invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")
        elif not count_of(down) and not count_of(surge):
            yield required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def validate_daemon_set_update(new: Obj, old: Obj) -> Errors:
    """Its selector stays."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after != before:
        yield from validate_daemon_set(new)
        if after.get("selector") != before.get("selector"):
            yield invalid("spec.selector", shown_selector(after.get("selector") or {}), IMMUTABLE)


def validate_pod_template(template: Obj) -> Errors:
    """The rules for a stored template."""
    yield from validate_metadata(template["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from validate_template(template.get("template") or {}, "template")


def _validate_update_strategy(strategy: Obj) -> Errors:
    kind = strategy.get("type") or ""
    if kind == "OnDelete":
        if strategy.get("rollingUpdate") is not None:
            text = "only allowed for updateStrategy 'RollingUpdate'"
            shown = in_words_of_go(strategy["rollingUpdate"], "partition", "maxUnavailable")
            yield invalid("spec.updateStrategy.rollingUpdate", shown, text)
    elif kind == "RollingUpdate":
        rolling, path = strategy.get("rollingUpdate") or {}, "spec.updateStrategy.rollingUpdate"
        yield from not_negative(f"{path}.partition", rolling.get("partition"))
        most = rolling.get("maxUnavailable")
        if most is not None:
            yield from validate_count_or_percent(most, f"{path}.maxUnavailable")
            if not count_of(most):
                yield invalid(f"{path}.maxUnavailable", most, "cannot be 0")
            yield from validate_at_most_all(most, f"{path}.maxUnavailable")
    else:
        text = "must be 'RollingUpdate' or 'OnDelete'"
        shown = {"Type": kind, "RollingUpdate": strategy.get("rollingUpdate")}
        yield invalid("spec.updateStrategy", shown, text) if kind else required("spec.updateStrategy")


def _validate_selected(spec: Obj, kind: str) -> Errors:
    """A selector that is there, selects something, and selects the template."""
    selector, template = spec.get("selector"), spec.get("template") or {}
    labels: Mapping[str, str] | None = (template.get("metadata") or {}).get("labels")
    if selector is None:
        yield required("spec.selector")
    else:
        yield from validate_selector(selector, "spec.selector")
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            yield invalid("spec.selector", {}, f"empty selector is invalid for {kind}")
        if not is_valid_selector(selector):
            return
        if not from_object(selector).matches(labels or {}):
            text = "`selector` does not match template `labels`"
            yield invalid("spec.template.metadata.labels", labels, text)
    pod = template.get("spec") or {}
    given = {volume.get("name") for volume in pod.get("volumes") or ()}
    names = [(claim.get("metadata") or {}).get("name") for claim in spec.get("volumeClaimTemplates") or ()]
    claims = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names if name not in given]
    if claims:  # what the set mounts are its own claims, too
        template = {**template, "spec": {**pod, "volumes": [*(pod.get("volumes") or ()), *claims]}}
    yield from validate_template(template, "spec.template")


def _always_restarted(pod: Obj, kind: str) -> Errors:
    if pod.get("restartPolicy") != "Always":
        yield unsupported("spec.template.spec.restartPolicy", pod.get("restartPolicy") or "", ["Always"])
    if pod.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        yield forbidden("spec.template.spec.activeDeadlineSeconds", text)


def _without(spec: Obj, fields: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name not in fields}
