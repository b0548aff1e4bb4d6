"""How the other workloads are printed: ReplicationControllers, StatefulSets, DaemonSets, Jobs, CronJobs …"""

from collections.abc import Mapping
from datetime import datetime

from drumroll.apiserver.tables_cells import (
    AGE,
    NAME,
    NONE,
    Cell,
    Column,
    Printer,
    age,
    format_labels,
    format_selector,
    human_duration,
    since,
)
from drumroll.objects.meta import Obj, controller_of, parse_timestamp

_CONTAINERS = Column("Containers", "Names of the template's containers.", wide=True)
_IMAGES = Column("Images", "Images of the template's containers.", wide=True)
_SELECTOR = Column("Selector", "Label selector of the pods.", wide=True)
_COUNTED = (
    Column("Desired", "Pods wanted.", "integer"),
    Column("Current", "Pods that exist.", "integer"),
    Column("Ready", "Pods that are ready.", "integer"),
)
_CONTROLLER_COLUMNS = (NAME, *_COUNTED, AGE, _CONTAINERS, _IMAGES, _SELECTOR)
_STATEFUL_SET_COLUMNS = (NAME, Column("Ready", "Pods that are ready, of those wanted."), AGE, _CONTAINERS, _IMAGES)
_DAEMON_SET_COLUMNS = (
    NAME,
    *_COUNTED,
    Column("Up-to-date", "Pods that run the wanted template.", "integer"),
    Column("Available", "Pods that have been ready for long enough.", "integer"),
    Column("Node Selector", "Labels of the nodes that get a pod."),
    AGE,
    _CONTAINERS,
    _IMAGES,
    _SELECTOR,
)
_JOB_COLUMNS = (
    NAME,
    Column("Status", "The state of the job in one word."),
    Column("Completions", "Pods that have succeeded, of those wanted."),
    Column("Duration", "Time from start to end."),
    AGE,
    _CONTAINERS,
    _IMAGES,
    _SELECTOR,
)
_CRON_JOB_COLUMNS = (
    NAME,
    Column("Schedule", "When it runs, in the form of cron."),
    Column("Timezone", "The time zone of the schedule."),
    Column("Suspend", "Whether runs are held back.", "boolean"),
    Column("Active", "Jobs that run now.", "integer"),
    Column("Last Schedule", "Time since the last run began."),
    AGE,
    _CONTAINERS,
    _IMAGES,
    _SELECTOR,
)
_REVISION_COLUMNS = (
    NAME,
    Column("Controller", "What the revision is of."),
    Column("Revision", "Its number.", "integer"),
    AGE,
)
_TEMPLATE_COLUMNS = (
    NAME,
    Column("Containers", "Names of the template's containers."),
    Column("Images", "Images of the template's containers."),
    Column("Pod Labels", "Labels of the template's pods."),
)


def _containers(template: Obj | None) -> list[str]:
    found = ((template or {}).get("spec") or {}).get("containers") or ()
    return [",".join(container.get(field, "") for container in found) for field in ("name", "image")]


def _controller(controller: Obj, now: datetime) -> list[Cell]:
    spec, status = controller.get("spec") or {}, controller.get("status") or {}
    return [
        controller["metadata"]["name"],
        spec.get("replicas") or 0,
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        age(controller, now),
        *_containers(spec.get("template")),
        format_labels(spec.get("selector")),
    ]


def _stateful_set(stateful_set: Obj, now: datetime) -> list[Cell]:
    spec, status = stateful_set.get("spec") or {}, stateful_set.get("status") or {}
    ready = f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}"
    return [stateful_set["metadata"]["name"], ready, age(stateful_set, now), *_containers(spec.get("template"))]


def _daemon_set(daemon_set: Obj, now: datetime) -> list[Cell]:
    spec, status = daemon_set.get("spec") or {}, daemon_set.get("status") or {}
    template = spec.get("template") or {}
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    return [
        daemon_set["metadata"]["name"],
        *(status.get(field) or 0 for field in counts),
        status.get("numberAvailable") or 0,
        format_labels((template.get("spec") or {}).get("nodeSelector")),
        age(daemon_set, now),
        *_containers(template),
        format_selector(spec.get("selector")),
    ]


def _job(job: Obj, now: datetime) -> list[Cell]:
    spec, status = job.get("spec") or {}, job.get("status") or {}
    wanted, done, most = spec.get("completions"), status.get("succeeded") or 0, spec.get("parallelism") or 0
    shown = f"{done}/{wanted}" if wanted is not None else f"{done}/1 of {most}" if most > 1 else f"{done}/1"
    started, ended = status.get("startTime"), status.get("completionTime")
    took = ""
    if started:
        took = human_duration((parse_timestamp(ended) if ended else now) - parse_timestamp(started))
    return [
        job["metadata"]["name"],
        _job_word(spec, status, job),
        shown,
        took,
        age(job, now),
        *_containers(spec.get("template")),
        format_selector(spec.get("selector")),
    ]


def _job_word(spec: Obj, status: Obj, job: Obj) -> str:
    true = {one.get("type") for one in status.get("conditions") or () if one.get("status") == "True"}
    for kind, word in (("Complete", "Complete"), ("Failed", "Failed")):
        if kind in true:
            return word
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if "Suspended" in true:
        return "Suspended"
    if "FailureTarget" in true:
        return "FailureTarget"
    return "SuccessCriteriaMet" if "SuccessCriteriaMet" in true else "Running"


def _cron_job(cron_job: Obj, now: datetime) -> list[Cell]:
    spec, status = cron_job.get("spec") or {}, cron_job.get("status") or {}
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    last = status.get("lastScheduleTime")
    return [
        cron_job["metadata"]["name"],
        spec.get("schedule") or "",
        spec.get("timeZone") or NONE,
        "True" if spec.get("suspend") else "False",
        len(status.get("active") or ()),
        since(last, now) if last else NONE,
        age(cron_job, now),
        *_containers(job.get("template")),
        format_selector(job.get("selector")),
    ]


def _revision(revision: Obj, now: datetime) -> list[Cell]:
    owner = controller_of(revision)
    shown = NONE
    if owner is not None:
        group = owner.get("apiVersion", "").partition("/")[0] if "/" in owner.get("apiVersion", "") else ""
        kind = owner.get("kind", "").lower()
        shown = f"{kind}.{group}/{owner.get('name', '')}" if group else f"{kind}/{owner.get('name', '')}"
    return [revision["metadata"]["name"], shown, revision.get("revision") or 0, age(revision, now)]


def _pod_template(template: Obj, now: datetime) -> list[Cell]:
    inner = template.get("template") or {}
    labels = (inner.get("metadata") or {}).get("labels")
    return [template["metadata"]["name"], *_containers(inner), format_labels(labels)]


CONTROLLER_PRINTERS: Mapping[tuple[str, str], Printer] = {
    ("", "ReplicationController"): Printer(_CONTROLLER_COLUMNS, _controller),
    ("", "PodTemplate"): Printer(_TEMPLATE_COLUMNS, _pod_template),
    ("apps", "StatefulSet"): Printer(_STATEFUL_SET_COLUMNS, _stateful_set),
    ("apps", "DaemonSet"): Printer(_DAEMON_SET_COLUMNS, _daemon_set),
    ("apps", "ControllerRevision"): Printer(_REVISION_COLUMNS, _revision),
    ("batch", "Job"): Printer(_JOB_COLUMNS, _job),
    ("batch", "CronJob"): Printer(_CRON_JOB_COLUMNS, _cron_job),
}
