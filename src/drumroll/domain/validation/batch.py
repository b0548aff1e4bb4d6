"""Rules for the other workloads: ReplicationController, StatefulSet, DaemonSet, Job, CronJob, PodTemplate.

Source: pkg/apis/{core,apps,batch}/validation/validation.go.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from drumroll.domain.validation.field import (
    IMMUTABLE,
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
from drumroll.domain.validation.names import longer_than, subdomain_faults
from drumroll.domain.validation.pod import validate_template
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
    yield from validate_metadata(stateful_set["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec = stateful_set.get("spec") or {}
    policy = spec.get("podManagementPolicy")
    if policy not in ("OrderedReady", "Parallel"):
        text = "must be 'OrderedReady' or 'Parallel'"
        yield invalid("spec.podManagementPolicy", policy, text) if policy else required("spec.podManagementPolicy")
    yield from _validate_update_strategy(spec.get("updateStrategy") or {})
    for field in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        yield from not_negative(f"spec.{field}", spec.get(field))
    yield from _validate_selected(spec, "statefulset")
    yield from _always_restarted((spec.get("template") or {}).get("spec") or {}, "StatefulSet")


def validate_stateful_set_update(new: Obj, old: Obj) -> Errors:
    """Only what a roll-out can carry out may change."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after == before:
        return
    yield from validate_stateful_set(new)
    if _without(after, _MUTABLE_OF_STATEFUL_SET) != _without(before, _MUTABLE_OF_STATEFUL_SET):
        names = ", ".join(f"'{name}'" for name in _MUTABLE_OF_STATEFUL_SET[:-1])
        text = f"updates to statefulset spec for fields other than {names} and 'minReadySeconds' are forbidden"
        yield forbidden("spec", text)


def validate_daemon_set(daemon_set: Obj) -> Errors:
    """The rules for a daemon set."""
    yield from validate_metadata(daemon_set["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec = daemon_set.get("spec") or {}
    yield from _validate_selected(spec, "daemonset")
    yield from _always_restarted((spec.get("template") or {}).get("spec") or {}, "DaemonSet")
    for field in ("minReadySeconds", "revisionHistoryLimit"):
        yield from not_negative(f"spec.{field}", spec.get(field))
    yield from _validate_update_strategy(spec.get("updateStrategy") or {})


def validate_daemon_set_update(new: Obj, old: Obj) -> Errors:
    """Its selector stays."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after != before:
        yield from validate_daemon_set(new)
        if after.get("selector") != before.get("selector"):
            yield invalid("spec.selector", shown_selector(after.get("selector") or {}), IMMUTABLE)


def validate_job(job: Obj) -> Errors:
    """The rules for a job."""
    yield from validate_metadata(job["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec = job.get("spec") or {}
    if spec.get("selector") is None:
        yield required("spec.selector")
    else:
        yield from validate_selector(spec["selector"], "spec.selector")
    yield from _validate_job_spec(spec, "spec")


def validate_job_update(new: Obj, old: Obj) -> Errors:
    """What runs already does not change."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after == before:
        return
    yield from _validate_job_spec(after, "spec")
    for field in ("completions", "selector", "template", "completionMode", "podFailurePolicy"):
        if after.get(field) != before.get(field):
            yield invalid(f"spec.{field}", after.get(field), IMMUTABLE)


def validate_cron_job(cron_job: Obj) -> Errors:
    """The rules for a cron job."""
    yield from validate_metadata(cron_job["metadata"], namespaced=True, name_faults=subdomain_faults)
    name = cron_job["metadata"].get("name") or ""
    if len(name) > 52:
        yield invalid("metadata.name", name, longer_than(52))
    yield from _validate_cron_job_spec(cron_job.get("spec") or {})


def validate_cron_job_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed one."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from _validate_cron_job_spec(new.get("spec") or {})


def validate_pod_template(template: Obj) -> Errors:
    """The rules for a stored template."""
    yield from validate_metadata(template["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from validate_template(template.get("template") or {}, "template")


def _validate_cron_job_spec(spec: Obj) -> Errors:
    schedule = spec.get("schedule") or ""
    if not schedule:
        yield required("spec.schedule")
    elif not schedule.startswith("@") and len(schedule.split()) != 5:
        found = len(schedule.split())
        yield invalid("spec.schedule", schedule, f"expected exactly 5 fields, found {found}: [{schedule}]")
    if spec.get("concurrencyPolicy") not in ("Allow", "Forbid", "Replace"):
        policies = ("Allow", "Forbid", "Replace")
        yield unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), policies)
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from not_negative(f"spec.{field}", spec.get(field))
    yield from _validate_job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


def _validate_job_spec(spec: Obj, path: str) -> Errors:
    for field in (
        "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
        "backoffLimitPerIndex", "maxFailedIndexes",
    ):  # fmt: skip
        yield from not_negative(f"{path}.{field}", spec.get(field))
    template = spec.get("template") or {}
    yield from validate_template(template, f"{path}.template")
    policy = (template.get("spec") or {}).get("restartPolicy") or ""
    if policy not in ("OnFailure", "Never"):
        where = f"{path}.template.spec.restartPolicy"
        if policy in ("", "Always"):
            yield required(where, 'valid values: "OnFailure", "Never"')
        else:
            yield unsupported(where, policy, ("OnFailure", "Never"))


def _validate_update_strategy(strategy: Obj) -> Errors:
    kind = strategy.get("type") or ""
    if kind == "OnDelete":
        if strategy.get("rollingUpdate") is not None:
            text = "only allowed for updateStrategy 'RollingUpdate'"
            yield invalid("spec.updateStrategy.rollingUpdate", strategy["rollingUpdate"], text)
    elif kind == "RollingUpdate":
        yield from not_negative(
            "spec.updateStrategy.rollingUpdate.partition", (strategy.get("rollingUpdate") or {}).get("partition")
        )
    else:
        text = "must be 'RollingUpdate' or 'OnDelete'"
        yield invalid("spec.updateStrategy", strategy, text) if kind else required("spec.updateStrategy")


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
    yield from validate_template(template, "spec.template")


def _always_restarted(pod: Obj, kind: str) -> Errors:
    if pod.get("restartPolicy") != "Always":
        yield unsupported("spec.template.spec.restartPolicy", pod.get("restartPolicy") or "", ["Always"])
    if pod.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        yield forbidden("spec.template.spec.activeDeadlineSeconds", text)


def _without(spec: Obj, fields: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name not in fields}
