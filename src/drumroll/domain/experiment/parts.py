"""What an Experiment is made of: its view of the cluster, and the ReplicaSet and Service of a template.

Source: argo-rollouts experiments/replicaset.go, experiments/service.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from drumroll.domain.analysis.durations import parse_seconds
from drumroll.domain.analysis.names import (
    COMPLETED,
    ERROR,
    EXPERIMENT_NAME,
    EXPERIMENT_TEMPLATE,
    FAILED,
    INCONCLUSIVE,
    POD_HASH,
)
from drumroll.domain.analysis.templates import Templates
from drumroll.domain.templates import template_hash
from drumroll.objects.kinds import REPLICA_SET, SERVICE
from drumroll.objects.meta import Obj, annotations_of, key_of, labels_of, owner_reference, parse_timestamp

PROGRESS_SECONDS, SCALE_DOWN_SECONDS = 600, 30


@dataclass(frozen=True, slots=True)
class World:
    """What a decision about one Experiment needs to know.

    `replica_sets`, `services` and `runs` are those that it controls, by name. `templates` are the AnalysisTemplates.
    """

    experiment: Obj
    replica_sets: Mapping[str, Obj] = field(default_factory=dict)
    services: Mapping[str, Obj] = field(default_factory=dict)
    runs: Mapping[str, Obj] = field(default_factory=dict)
    templates: Templates = field(default_factory=Templates)

    @property
    def spec(self) -> Obj:
        """What is asked for."""
        spec: Obj = self.experiment.get("spec") or {}
        return spec

    @property
    def status(self) -> Obj:
        """The status as stored."""
        status: Obj = self.experiment.get("status") or {}
        return status

    @property
    def is_finished(self) -> bool:
        """Whether it has come to an end."""
        return self.status.get("phase") in COMPLETED

    @property
    def is_terminating(self) -> bool:
        """Whether nothing new is begun: it was asked to end, has ended, or a part of it has failed."""
        if self.spec.get("terminate") or self.is_finished:
            return True
        templates = (one.get("status") for one in self.status.get("templateStatuses") or ())
        runs = (one.get("phase") for one in self.status.get("analysisRuns") or ())
        return any(one in (FAILED, ERROR) for one in templates) or any(
            one in (FAILED, ERROR, INCONCLUSIVE) for one in runs
        )

    def ends_at(self) -> datetime | None:
        """When its duration is over; None without one, and before everything was available."""
        available, duration = self.status.get("availableAt"), self.spec.get("duration")
        if not available or not duration:
            return None
        return parse_timestamp(available) + parse_seconds(duration)

    def deadline(self) -> timedelta:
        """How long a template may take to make progress."""
        seconds = self.spec.get("progressDeadlineSeconds")
        return timedelta(seconds=PROGRESS_SECONDS if seconds is None else seconds)

    def delay(self) -> timedelta:
        """How long the pods stay after the end."""
        seconds = self.spec.get("scaleDownDelaySeconds")
        return timedelta(seconds=SCALE_DOWN_SECONDS if seconds is None else seconds)

    def replica_set(self, template: Obj) -> Obj | None:
        """The ReplicaSet of one of its templates."""
        return _marked(self.replica_sets.values(), template["name"])

    def service(self, template: Obj) -> Obj | None:
        """The Service of one of its templates."""
        return _marked(self.services.values(), template["name"])


def _marked(objects: Iterable[Obj], name: str) -> Obj | None:
    return next((one for one in objects if annotations_of(one).get(EXPERIMENT_TEMPLATE) == name), None)


def wanted_replicas(template: Obj) -> int:
    """How many pods a template asks for."""
    replicas = template.get("replicas")
    return 1 if replicas is None else int(replicas)


def build_replica_set(experiment: Obj, template: Obj) -> Obj:
    """The ReplicaSet of a template, without pods yet: its Service comes before them.

    Its hash is its own, even where the template is the canary's: a Service that selects by hash must not reach both.
    """
    pod = dict(template.get("template") or {})
    meta = dict(pod.get("metadata") or {})
    labels = {name: value for name, value in (meta.get("labels") or {}).items() if name != POD_HASH}
    pod["metadata"] = {**meta, "labels": labels}
    pod_hash = template_hash({**pod, "of": f"{key_of(experiment).name}/{template['name']}"}, None)
    pod["metadata"] = {**meta, "labels": {**labels, POD_HASH: pod_hash}}
    selector = dict(template.get("selector") or {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), POD_HASH: pod_hash}
    spec: Obj = {"replicas": 0, "selector": selector, "template": pod}
    if template.get("minReadySeconds"):
        spec["minReadySeconds"] = template["minReadySeconds"]
    return {
        "apiVersion": REPLICA_SET.api_version,
        "kind": REPLICA_SET.name,
        "metadata": _metadata(experiment, template, f"{key_of(experiment).name}-{template['name']}", pod_hash),
        "spec": spec,
    }


def build_service(experiment: Obj, template: Obj, replica_set: Obj) -> Obj | None:
    """The Service of a template that wants one; None when its pods have no ports."""
    containers = replica_set["spec"]["template"]["spec"].get("containers") or ()
    listed = [port for container in containers for port in container.get("ports") or ()]
    if not listed:
        return None
    pod_hash = labels_of(replica_set)[POD_HASH]
    name = (template.get("service") or {}).get("name") or key_of(replica_set).name
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.name,
        "metadata": _metadata(experiment, template, name, pod_hash),
        "spec": {"selector": {POD_HASH: pod_hash}, "ports": [_port(one, len(listed) > 1) for one in listed]},
    }


def _port(port: Obj, needs_name: bool) -> Obj:
    number = port["containerPort"]
    made = {"protocol": port.get("protocol") or "TCP", "port": number, "targetPort": number}
    name = port.get("name") or (f"port-{number}" if needs_name else "")
    return {**made, "name": name} if name else made


def _metadata(experiment: Obj, template: Obj, name: str, pod_hash: str) -> Obj:
    return {
        "name": name,
        "namespace": key_of(experiment).namespace,
        "labels": {POD_HASH: pod_hash},
        "annotations": {EXPERIMENT_NAME: key_of(experiment).name, EXPERIMENT_TEMPLATE: template["name"]},
        "ownerReferences": [owner_reference(experiment)],
    }
