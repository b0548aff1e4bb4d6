"""Defaults of the other workloads: ReplicationController, StatefulSet, DaemonSet, Job, CronJob, PodTemplate.

Source: pkg/apis/{core,apps,batch}/v1/defaults.go.
"""

from drumroll.domain.defaults.absent import part, set_if_absent
from drumroll.domain.defaults.pod import drop_zero, set_template_defaults
from drumroll.objects.meta import Obj, labels_of


def set_replication_controller_defaults(controller: Obj) -> None:
    """One replica; the template's labels are the selector and the controller's own labels when it names none."""
    spec = part(controller, "spec")
    drop_zero(spec, ("minReadySeconds",))
    if spec.get("template") is not None:
        set_template_defaults(spec)
        labels = (spec["template"].get("metadata") or {}).get("labels")
        if labels:
            if not spec.get("selector"):
                spec["selector"] = dict(labels)
            if not labels_of(controller):
                controller["metadata"]["labels"] = dict(labels)
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    part(controller, "status").setdefault("replicas", 0)


def set_stateful_set_defaults(stateful_set: Obj) -> None:
    """One replica, ordered, a rolling update from the last to partition 0, ten revisions."""
    spec = part(stateful_set, "spec")
    drop_zero(spec, ("minReadySeconds",))
    set_template_defaults(spec)
    if not spec.get("podManagementPolicy"):
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = part(spec, "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate" and part(strategy, "rollingUpdate").get("partition") is None:
        strategy["rollingUpdate"]["partition"] = 0
    retention = part(spec, "persistentVolumeClaimRetentionPolicy")
    for field in ("whenDeleted", "whenScaled"):
        if not retention.get(field):
            retention[field] = "Retain"
    set_if_absent(spec, replicas=1, revisionHistoryLimit=10)
    for claim in spec.get("volumeClaimTemplates") or ():
        set_persistent_volume_claim_defaults(claim)
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
    status = part(stateful_set, "status")
    status.setdefault("replicas", 0)
    status.setdefault("availableReplicas", 0)


def set_daemon_set_defaults(daemon_set: Obj) -> None:
    """A rolling update, one pod at a time; ten revisions."""
    spec = part(daemon_set, "spec")
    drop_zero(spec, ("minReadySeconds",))
    set_template_defaults(spec)
    strategy = part(spec, "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        set_if_absent(part(strategy, "rollingUpdate"), maxUnavailable=1, maxSurge=0)
    set_if_absent(spec, revisionHistoryLimit=10)
    status = part(daemon_set, "status")
    for field in ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"):
        status.setdefault(field, 0)


def set_job_defaults(job: Obj) -> None:
    """One completion, six tries; labels are the template's."""
    spec = part(job, "spec")
    _job_spec(spec)
    labels = ((spec["template"].get("metadata") or {}).get("labels")) or {}
    if labels and not labels_of(job):
        job["metadata"]["labels"] = dict(labels)
    part(job, "status")


def set_cron_job_defaults(cron_job: Obj) -> None:
    """Runs may overlap; three successful jobs are kept and one failed."""
    spec = part(cron_job, "spec")
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    set_if_absent(spec, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template = part(spec, "jobTemplate")
    drop_zero(part(template, "metadata"), ("creationTimestamp", "labels", "annotations"))
    set_template_defaults(part(template, "spec"))
    part(cron_job, "status")


def set_pod_template_defaults(template: Obj) -> None:
    """A pod's."""
    set_template_defaults(template)


def set_persistent_volume_claim_defaults(claim: Obj) -> None:
    """A file system."""
    spec = part(claim, "spec")
    set_if_absent(spec, volumeMode="Filesystem")
    part(spec, "resources")
    status = part(claim, "status")
    if not status.get("phase"):
        status["phase"] = "Pending"


def _job_spec(spec: Obj) -> None:
    set_template_defaults(spec)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    limit = 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6
    set_if_absent(spec, parallelism=1, backoffLimit=limit, completionMode="NonIndexed", suspend=False)
    if spec.get("podReplacementPolicy") is None:
        spec["podReplacementPolicy"] = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    set_if_absent(spec, manualSelector=False)
    if spec["manualSelector"] is False:
        del spec["manualSelector"]
