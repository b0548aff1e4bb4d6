"""What belongs to one Rollout or Deployment, sorted into revisions with their tags.

Source: argo-rollouts pkg/kubectl-argo-rollouts/info/{rollout_info,replicaset_info}.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from drumroll.apiserver.tables_cells import human_duration
from drumroll.objects.meta import Obj, parse_timestamp

ROLLOUT_HASH, DEPLOYMENT_HASH = "rollouts-pod-template-hash", "pod-template-hash"
_REVISIONS = ("rollout.argoproj.io/revision", "deployment.kubernetes.io/revision")
_DEADLINE = "scale-down-deadline"


@dataclass(frozen=True, slots=True)
class World:
    """The objects of a namespace that may belong to `owner`, a Rollout or a Deployment."""

    owner: Obj
    replica_sets: list[Obj] = field(default_factory=list)
    pods: list[Obj] = field(default_factory=list)
    runs: list[Obj] = field(default_factory=list)
    experiments: list[Obj] = field(default_factory=list)

    @property
    def is_rollout(self) -> bool:
        """Whether it is a Rollout."""
        return bool(self.owner["kind"] == "Rollout")


@dataclass(frozen=True, slots=True)
class Revision:
    """What runs, or ran, as one revision."""

    number: int
    replica_sets: list[Obj] = field(default_factory=list)
    experiments: list[Obj] = field(default_factory=list)
    runs: list[Obj] = field(default_factory=list)


def owned(owner: Obj, objects: Iterable[Obj]) -> list[Obj]:
    """The objects whose controller is `owner`, the oldest first."""
    uid = owner["metadata"]["uid"]
    found = [one for one in objects if any(ref["uid"] == uid for ref in one["metadata"].get("ownerReferences") or ())]
    return sorted(found, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]))


def revision_of(obj: Obj) -> int:
    """The revision that an object is of; 0 when it says none."""
    annotations = obj["metadata"].get("annotations") or {}
    number = next((annotations[name] for name in _REVISIONS if name in annotations), "")
    return int(number) if number.isdigit() else 0


def revisions(world: World) -> list[Revision]:
    """All revisions, the newest first."""
    found: dict[int, Revision] = {}
    for objects, where in (
        (world.replica_sets, "replica_sets"),
        (world.experiments, "experiments"),
        (world.runs, "runs"),
    ):
        for one in owned(world.owner, objects):
            revision = found.setdefault(revision_of(one), Revision(revision_of(one)))
            getattr(revision, where).append(one)
    return [found[number] for number in sorted(found, reverse=True)]


def template_hash(replica_set: Obj) -> str:
    """The hash by which its pods are told apart."""
    labels = replica_set["metadata"].get("labels") or {}
    return str(labels.get(ROLLOUT_HASH) or labels.get(DEPLOYMENT_HASH) or "")


def tags(world: World, replica_set: Obj, now: datetime) -> list[str]:
    """What a ReplicaSet is to its Rollout: canary, stable, active, preview, ping, pong; and how long it stays."""
    if not world.is_rollout:
        newest = max((revision_of(one) for one in owned(world.owner, world.replica_sets)), default=0)
        return ["current"] if newest and revision_of(replica_set) == newest else []
    status, strategy = world.owner.get("status") or {}, world.owner["spec"].get("strategy") or {}
    digest, found = template_hash(replica_set), []
    blue_green, canary = status.get("blueGreen") or {}, status.get("canary") or {}
    is_stable = digest == status.get("stableRS")
    if "canary" in strategy and digest == status.get("currentPodHash") and not is_stable:
        found.append("canary")
    if is_stable:
        found.append("stable")
    if "blueGreen" in strategy:
        found += [name for name in ("active", "preview") if digest and digest == blue_green.get(f"{name}Selector")]
        if "active" in found and "preview" in found:
            found.remove("preview")
    if ping := canary.get("stablePingPong"):
        other = "pong" if ping == "ping" else "ping"
        found += [ping] if is_stable else [other] if "canary" in found else []
    return found + _delay(replica_set, now)


def _delay(replica_set: Obj, now: datetime) -> list[str]:
    deadline = (replica_set["metadata"].get("annotations") or {}).get(_DEADLINE)
    if not deadline or not replica_set["spec"].get("replicas", 1):
        return []
    try:
        left = parse_timestamp(deadline) - now
    except ValueError:
        return []
    return [f"delay:{human_duration(left)}" if left > timedelta() else "delay:passed"]


def images(world: World, now: datetime) -> list[tuple[str, list[str]]]:
    """The images that run, each with the tags of the ReplicaSets that run it; the newest revision first."""
    found: dict[str, list[str]] = {}
    for revision in revisions(world):
        for replica_set in revision.replica_sets:
            if not replica_set["spec"].get("replicas", 1):
                continue
            roles = [tag for tag in tags(world, replica_set, now) if not tag.startswith("delay:")]
            for container in replica_set["spec"]["template"]["spec"].get("containers") or ():
                known = found.setdefault(container.get("image", ""), [])
                known.extend(tag for tag in roles if tag not in known)
        for experiment in revision.experiments:
            _images_of(experiment, found)
    return list(found.items())


def _images_of(experiment: Obj, found: dict[str, list[str]]) -> None:
    if (experiment.get("status") or {}).get("phase") != "Running":
        return
    for template in experiment["spec"].get("templates") or ():
        for container in (template["template"].get("spec") or {}).get("containers") or ():
            known = found.setdefault(container.get("image", ""), [])
            label = f"Σ:{template['name']}"
            if label not in known:
                known.append(label)


def counts(run: Obj) -> str:
    """`✔ 3,✖ 1,⚠ 1`: how a run's measurements came out, all metrics together."""
    names = (("✔", "successful"), ("✖", "failed"), ("?", "inconclusive"), ("⚠", "error"))
    results = (run.get("status") or {}).get("metricResults") or ()
    totals = [(icon, sum(result.get(name) or 0 for result in results)) for icon, name in names]
    return ",".join(f"{icon} {total}" for icon, total in totals if total)


def age(obj: Obj, now: datetime) -> str:
    """How long ago the object was created."""
    return human_duration(now - parse_timestamp(obj["metadata"]["creationTimestamp"]))
