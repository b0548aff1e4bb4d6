"""Rules for Jobs and CronJobs. Source: pkg/apis/batch/validation/validation.go."""

import re
from collections.abc import Sequence
from typing import Any

from drumroll.domain.validation.field import (
    IMMUTABLE,
    Errors,
    duplicate,
    each,
    invalid,
    known,
    not_negative,
    one_of,
    required,
    too_long,
    too_many,
    unsupported,
    wrong,
)
from drumroll.domain.validation.metadata import (
    is_valid_selector,
    shown_selector,
    validate_metadata,
    validate_metadata_update,
    validate_selector,
)
from drumroll.domain.validation.names import (
    domain_path_faults,
    label_faults,
    longer_than,
    qualified_faults,
    subdomain_faults,
)
from drumroll.domain.validation.pod import validate_template
from drumroll.domain.validation.schedule import schedule_faults, zone_faults
from drumroll.objects.meta import Obj
from drumroll.objects.selectors import from_object

_NUMBERS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
            "backoffLimitPerIndex", "maxFailedIndexes")  # fmt: skip
_MOST_INDEXES, _MOST_OF_MANY = 100_000, 10_000
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_INDEXED_ONLY = "requires indexed completion mode"
_LABELS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
_KEPT = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_SCHEDULING = ("nodeSelector", "tolerations", "schedulingGates")


def validate_job(job: Obj) -> Errors:
    """The rules for a new job."""
    yield from validate_metadata(job["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec, name = job.get("spec") or {}, job["metadata"].get("name") or ""
    if not spec.get("manualSelector") and spec.get("selector") is not None:
        yield from _validate_generated(spec, name, job["metadata"].get("uid") or "")
    yield from _validate_selected_job(spec)
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        host = f"{name}-{completions - 1}"
        if label_faults(host):
            yield invalid("metadata.name", name, f"will not able to create pod with invalid DNS label: {host}")


def _validate_generated(spec: Obj, name: str, uid: str) -> Errors:
    """The labels by which a job finds its pods are the server's to choose."""
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    wanted = dict(zip(_LABELS, (uid, name, uid, name), strict=True))
    for key, value in wanted.items():
        where = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            yield required(where, f"must be '{value}'")
        elif labels[key] != value:
            yield invalid(where, dict(sorted(labels.items())), f"must be '{value}'")
    if is_valid_selector(spec["selector"]) and not from_object(spec["selector"]).matches(wanted):
        yield invalid("spec.selector", shown_selector(spec["selector"]), "`selector` not auto-generated")


def _validate_selected_job(spec: Obj) -> Errors:
    yield from _validate_job_spec(spec, "spec")
    selector = spec.get("selector")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if selector is None:
        yield required("spec.selector")
    else:
        yield from validate_selector(selector, "spec.selector")
    if selector is None or (is_valid_selector(selector) and not from_object(selector).matches(labels or {})):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def validate_job_update(new: Obj, old: Obj) -> Errors:
    """What runs already does not change; what is suspended may be told where to run."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after == before:
        return
    yield from _validate_selected_job(after)
    yield from _validate_completions(after, before)
    if after.get("selector") != before.get("selector"):
        yield invalid("spec.selector", after.get("selector"), IMMUTABLE)
    started = (old.get("status") or {}).get("startTime")
    template = before.get("template") or {}
    if before.get("suspend") and not started:
        template = _with_directions(template, after.get("template") or {})
    if after.get("template") != template:
        yield invalid("spec.template", after.get("template"), IMMUTABLE)
    for field in _KEPT:
        if after.get(field) != before.get(field):
            yield invalid(f"spec.{field}", after.get(field), IMMUTABLE)


def _with_directions(old: Obj, new: Obj) -> Obj:
    """The old template with what the new one says of where its pods may run."""

    def put(holder: Obj, field: str, value: Any) -> Obj:
        return {**{name: kept for name, kept in holder.items() if name != field}, **({field: value} if value else {})}

    spec, wanted = old.get("spec") or {}, new.get("spec") or {}
    for field in _SCHEDULING:
        spec = put(spec, field, wanted.get(field))
    affinity = put(spec.get("affinity") or {}, "nodeAffinity", (wanted.get("affinity") or {}).get("nodeAffinity"))
    spec = put(spec, "affinity", affinity)
    metadata = old.get("metadata") or {}
    for field in ("annotations", "labels"):
        metadata = put(metadata, field, (new.get("metadata") or {}).get(field))
    return {**old, "metadata": metadata, "spec": spec}


def _validate_completions(after: Obj, before: Obj) -> Errors:
    n_wanted = after.get("completions")
    if n_wanted == before.get("completions"):
        return
    if after.get("completionMode") != "Indexed":
        yield invalid("spec.completions", n_wanted, IMMUTABLE)
    elif n_wanted is not None and n_wanted != after.get("parallelism"):
        yield invalid("spec.completions", n_wanted, "can only be modified in tandem with spec.parallelism")


def validate_cron_job(cron_job: Obj) -> Errors:
    """The rules for a cron job."""
    yield from validate_metadata(cron_job["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from _validate_cron_job_spec(cron_job.get("spec") or {}, None)
    name = cron_job["metadata"].get("name") or ""
    if len(name) > 52:
        yield invalid("metadata.name", name, longer_than(52))


def validate_cron_job_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed one."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from _validate_cron_job_spec(new.get("spec") or {}, old.get("spec") or {})


def _validate_cron_job_spec(spec: Obj, old: Obj | None) -> Errors:
    schedule, zone = spec.get("schedule") or "", spec.get("timeZone")
    if not schedule:
        yield required("spec.schedule")
    else:
        faults = schedule_faults(schedule, "TZ" in ((old or {}).get("schedule") or ""), zone)
        yield from each("spec.schedule", schedule, faults)
    yield from not_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    if zone is not None and (old is None or old.get("timeZone") != zone):
        yield from each("spec.timeZone", zone, zone_faults(zone))
    yield from one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), ("Allow", "Forbid", "Replace"))
    job, path = (spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec"
    yield from _validate_job_spec(job, path)
    if job.get("selector") is not None:
        yield invalid(f"{path}.selector", shown_selector(job["selector"]), "`selector` will be auto-generated")
    if job.get("manualSelector"):
        yield unsupported(f"{path}.manualSelector", True, ("nil", "false"))
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from not_negative(f"spec.{field}", spec.get(field))


def _validate_job_spec(spec: Obj, path: str) -> Errors:
    for field in _NUMBERS:
        yield from not_negative(f"{path}.{field}", spec.get(field))
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    manager = spec.get("managedBy")
    if manager is not None:
        for part, fault in domain_path_faults(manager):
            yield invalid(f"{path}.managedBy", part, fault) if manager else required(f"{path}.managedBy")
        if len(manager) > 63:
            yield too_long(f"{path}.managedBy", 63)
    yield from known(f"{path}.completionMode", spec.get("completionMode"), ("NonIndexed", "Indexed"))
    if spec.get("completionMode") == "Indexed":
        yield from _validate_indexed(spec, path)
    elif spec.get("completionMode") in (None, "NonIndexed"):
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(field) is not None:
                yield invalid(f"{path}.{field}", spec[field], _INDEXED_ONLY)
    yield from _validate_policies(spec, path)
    yield from validate_template(spec.get("template") or {}, f"{path}.template")
    yield from _validate_restart_policy(spec, f"{path}.template.spec.restartPolicy")


def _validate_indexed(spec: Obj, path: str) -> Errors:
    wanted, at_once, failed = (spec.get(field) for field in ("completions", "parallelism", "maxFailedIndexes"))
    most = f"must be less than or equal to {_MOST_INDEXES}"
    if wanted is None:
        yield required(f"{path}.completions", "when completion mode is Indexed")
    if at_once is not None and at_once > _MOST_INDEXES:
        yield invalid(f"{path}.parallelism", at_once, f"{most} when completion mode is Indexed")
    if failed is not None:
        if wanted is not None and failed > wanted:
            yield invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions")
        if failed > _MOST_INDEXES:
            yield invalid(f"{path}.maxFailedIndexes", failed, most)
    if wanted is None or wanted <= _MOST_INDEXES or spec.get("backoffLimitPerIndex") is None:
        return
    many = f"must be less than or equal to {_MOST_OF_MANY} when completions are above {_MOST_INDEXES} and used with "
    if failed is None:
        text = f"must be specified when completions is above {_MOST_INDEXES}"
        yield required(f"{path}.maxFailedIndexes", text)
    for field, value in (("parallelism", at_once), ("maxFailedIndexes", failed)):
        if value is not None and value > _MOST_OF_MANY:
            yield invalid(f"{path}.{field}", value, f"{many}backoff limit per index")


def _validate_policies(spec: Obj, path: str) -> Errors:
    failure, success, replacement = (spec.get(f"{name}") for name in (
        "podFailurePolicy", "successPolicy", "podReplacementPolicy"))  # fmt: skip
    if failure is not None:
        yield from _validate_failure_policy(failure, spec, f"{path}.podFailurePolicy.rules")
    if success is not None and spec.get("completionMode") != "Indexed":
        rules = [{"SucceededIndexes": one.get("succeededIndexes"), "SucceededCount": one.get("succeededCount")}
                 for one in success.get("rules") or ()]  # fmt: skip
        yield invalid(f"{path}.successPolicy", {"Rules": rules or None}, _INDEXED_ONLY)
    elif success is not None:
        yield from _validate_success_policy(success, spec.get("completions") or 0, f"{path}.successPolicy.rules")
    choices = ("Failed",) if failure is not None else ("Failed", "TerminatingOrFailed")
    yield from known(f"{path}.podReplacementPolicy", replacement, choices)


def _quoted(choices: Sequence[str]) -> str:
    return "valid values: [" + " ".join(f'"{choice}"' for choice in choices) + "]"


def _validate_failure_policy(policy: Obj, spec: Obj, path: str) -> Errors:
    rules, pod = policy.get("rules") or [], (spec.get("template") or {}).get("spec") or {}
    names = {one.get("name") for field in ("containers", "initContainers") for one in pod.get(field) or ()}
    if len(rules) > 20:
        yield too_many(path, len(rules), 20)
    for index, rule in enumerate(rules):
        where, action = f"{path}[{index}]", rule.get("action") or ""
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
        if not action:
            yield required(f"{where}.action", _quoted(_ACTIONS))
        elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            yield invalid(f"{where}.action", action, "requires the backoffLimitPerIndex to be set")
        elif action not in _ACTIONS:
            yield unsupported(f"{where}.action", action, _ACTIONS)
        if codes is not None:
            yield from _validate_exit_codes(codes, names, f"{where}.onExitCodes")
        if len(conditions) > 20:
            yield too_many(f"{where}.onPodConditions", len(conditions), 20)
        for position, pattern in enumerate(conditions):
            yield from _validate_pattern(pattern, f"{where}.onPodConditions[{position}]")
        if codes is not None and conditions:
            yield wrong(where, "specifying both OnExitCodes and OnPodConditions is not supported")
        if codes is None and not conditions:
            yield wrong(where, "specifying one of OnExitCodes and OnPodConditions is required")


def _validate_pattern(pattern: Obj, path: str) -> Errors:
    kind, status, choices = pattern.get("type") or "", pattern.get("status") or "", ("False", "True", "Unknown")
    yield from each(f"{path}.type", kind, qualified_faults(kind))
    if not status:
        yield required(f"{path}.status", _quoted(choices))
    else:
        yield from known(f"{path}.status", status, choices)


def _validate_exit_codes(codes: Obj, names: set[Any], path: str) -> Errors:
    operator, values, name = codes.get("operator") or "", codes.get("values") or [], codes.get("containerName")
    if not operator:
        yield required(f"{path}.operator", _quoted(("In", "NotIn")))
    else:
        yield from known(f"{path}.operator", operator, ("In", "NotIn"))
    if name is not None and name not in names:
        text = "must be one of the container or initContainer names in the pod template"
        yield invalid(f"{path}.containerName", name, text)
    if not values:
        yield invalid(f"{path}.values", values or None, "at least one value is required")
    elif len(values) > 255:
        yield too_many(f"{path}.values", len(values), 255)
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            yield invalid(f"{path}.values[{index}]", value, "must not be 0 for the In operator")
        if value in values[:index]:
            yield duplicate(f"{path}.values[{index}]", value)
    if values != sorted(values):
        yield invalid(f"{path}.values", values, "must be ordered")


def _validate_success_policy(policy: Obj, completions: int, path: str) -> Errors:
    rules = policy.get("rules") or []
    if not rules:
        yield required(path, "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > 20:
        yield too_many(path, len(rules), 20)
    for index, rule in enumerate(rules):
        where, indexes, count = f"{path}[{index}]", rule.get("succeededIndexes"), rule.get("succeededCount")
        if indexes is None and count is None:
            yield required(where, "at least one of succeededCount or succeededIndexes must be specified")
        total = 0
        if indexes is not None:
            try:
                total = _count_indexes(indexes, completions)
            except ValueError as error:
                yield invalid(f"{where}.succeededIndexes", indexes, f"error parsing succeededIndexes: {error}")
        if count is None:
            continue
        most = "must be less than or equal to"
        yield from not_negative(f"{where}.succeededCount", count)
        if count > completions:
            text = f"{most} {completions} (the number of specified completions)"
            yield invalid(f"{where}.succeededCount", count, text)
        if indexes is not None and count > total:
            text = f"{most} {total} (the number of indexes in the specified succeededIndexes field)"
            yield invalid(f"{where}.succeededCount", count, text)


def _count_indexes(text: str, completions: int) -> int:
    """How many numbers "1,3-5" names. Raises ValueError."""
    total, last = 0, -1
    for part in text.split(",") if text else ():
        limits = part.split("-")
        if len(limits) > 2:
            rule = "violates the requirement that an index interval can have at most two parts separated by '-'"
            raise ValueError(f'the fragment "{part}" {rule}')
        for limit in limits:
            if not re.fullmatch("[0-9]+", limit):
                raise ValueError(f'cannot convert string to integer for index: "{limit}"')
            if int(limit) >= completions:
                raise ValueError(f'too large index: "{limit}"')
            if int(limit) <= last:
                raise ValueError(f"non-increasing order, previous: {last}, current: {limit}")
            last = int(limit)
        total += last - int(limits[0]) + 1
    return total


def _validate_restart_policy(spec: Obj, path: str) -> Errors:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") or ""
    if policy in ("", "Always"):
        yield required(path, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield unsupported(path, policy, ("OnFailure", "Never"))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        yield invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')
