"""Defaults of the other workloads: ReplicationController, StatefulSet, DaemonSet, Job, CronJob, PodTemplate.

Source: pkg/apis/{core,apps,batch}/v1/defaults.go.
"""

from drumroll.domain.defaults.pod import drop_zero, set_pod_spec_defaults
from drumroll.objects.meta import Obj, labels_of


def set_replication_controller_defaults(controller: Obj) -> None:
    """One replica; the template's labels are the selector and the controller's own labels when it names none."""
    spec = _part(controller, "spec")
    drop_zero(spec, ("minReadySeconds",))
    if spec.get("template") is not None:
        _template(spec)
        labels = (spec["template"].get("metadata") or {}).get("labels")
        if labels:
            if not spec.get("selector"):
                spec["selector"] = dict(labels)
            if not labels_of(controller):
                controller["metadata"]["labels"] = dict(labels)
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    _part(controller, "status").setdefault("replicas", 0)


def set_stateful_set_defaults(stateful_set: Obj) -> None:
    """One replica, ordered, a rolling update from the last to partition 0, ten revisions."""
    spec = _part(stateful_set, "spec")
    drop_zero(spec, ("minReadySeconds",))
    _template(spec)
    if not spec.get("podManagementPolicy"):
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = _part(spec, "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate" and _part(strategy, "rollingUpdate").get("partition") is None:
        strategy["rollingUpdate"]["partition"] = 0
    retention = _part(spec, "persistentVolumeClaimRetentionPolicy")
    for field in ("whenDeleted", "whenScaled"):
        if not retention.get(field):
            retention[field] = "Retain"
    _set_if_absent(spec, replicas=1, revisionHistoryLimit=10)
    for claim in spec.get("volumeClaimTemplates") or ():
        set_persistent_volume_claim_defaults(claim)
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
    status = _part(stateful_set, "status")
    status.setdefault("replicas", 0)
    status.setdefault("availableReplicas", 0)


def set_daemon_set_defaults(daemon_set: Obj) -> None:
    """A rolling update, one pod at a time; ten revisions."""
    spec = _part(daemon_set, "spec")
    drop_zero(spec, ("minReadySeconds",))
    _template(spec)
    strategy = _part(spec, "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        _set_if_absent(_part(strategy, "rollingUpdate"), maxUnavailable=1, maxSurge=0)
    _set_if_absent(spec, revisionHistoryLimit=10)
    status = _part(daemon_set, "status")
    for field in ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"):
        status.setdefault(field, 0)


def set_job_defaults(job: Obj) -> None:
    """One completion, six tries; labels are the template's."""
    spec = _part(job, "spec")
    _job_spec(spec)
    labels = ((spec["template"].get("metadata") or {}).get("labels")) or {}
    if labels and not labels_of(job):
        job["metadata"]["labels"] = dict(labels)
    _part(job, "status")


def set_cron_job_defaults(cron_job: Obj) -> None:
    """Runs may overlap; three successful jobs are kept and one failed."""
    spec = _part(cron_job, "spec")
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    _set_if_absent(spec, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template = _part(spec, "jobTemplate")
    drop_zero(_part(template, "metadata"), ("creationTimestamp", "labels", "annotations"))
    inner = _part(_part(template, "spec"), "template")
    drop_zero(_part(inner, "metadata"), ("creationTimestamp", "labels", "annotations"))
    set_pod_spec_defaults(_part(inner, "spec"))
    _part(cron_job, "status")


def set_pod_template_defaults(template: Obj) -> None:
    """A pod's."""
    _template(template)


def set_persistent_volume_claim_defaults(claim: Obj) -> None:
    """A file system."""
    spec = _part(claim, "spec")
    _set_if_absent(spec, volumeMode="Filesystem")
    _part(spec, "resources")
    status = _part(claim, "status")
    if not status.get("phase"):
        status["phase"] = "Pending"


def _job_spec(spec: Obj) -> None:
    _template(spec)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    limit = 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6
    _set_if_absent(spec, parallelism=1, backoffLimit=limit, completionMode="NonIndexed", suspend=False)
    if spec.get("podReplacementPolicy") is None:
        spec["podReplacementPolicy"] = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    _set_if_absent(spec, manualSelector=False)
    if spec["manualSelector"] is False:
        del spec["manualSelector"]


def _template(spec: Obj) -> None:
    template = _part(spec, "template")
    drop_zero(_part(template, "metadata"), ("creationTimestamp", "labels", "annotations"))
    set_pod_spec_defaults(_part(template, "spec"))


def _set_if_absent(obj: Obj, **values: object) -> None:
    for field, value in values.items():
        if obj.get(field) is None:
            obj[field] = value


def _part(obj: Obj, field: str) -> Obj:
    part: Obj | None = obj.get(field)
    if part is None:
        part = obj[field] = {}
    return part
