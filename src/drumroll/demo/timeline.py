"""How a Deployment's replica sets went over time, and whether they kept the bounds that its strategy sets."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from drumroll.client.client import Client
from drumroll.client.informer import Informer
from drumroll.objects.kinds import POD, REPLICA_SET
from drumroll.objects.meta import Obj, controller_of, is_deleting, labels_of

HASH = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Set:
    """The pods of one replica set at one moment. `ending` pods were asked to go; the others count as current."""

    name: str
    version: str
    desired: int
    current: int
    ready: int
    ending: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Every replica set at one moment; `at` is Unix time."""

    at: float
    sets: tuple[Set, ...]

    @property
    def available(self) -> int:
        """Ready pods that nobody asked to go."""
        return sum(each.ready for each in self.sets)

    @property
    def desired(self) -> int:
        """Pods that the replica sets should have."""
        return sum(each.desired for each in self.sets)

    @property
    def total(self) -> int:
        """Pods that nobody asked to go."""
        return sum(each.current for each in self.sets)


@dataclass(slots=True)
class Timeline:
    """Samples in the order of time, and named moments (Unix time) between them."""

    samples: list[Sample] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)

    def at(self, moment: float) -> Sample | None:
        """The state that held at a moment; None before the first sample."""
        return next((sample for sample in reversed(self.samples) if sample.at <= moment), None)

    def since(self, moment: float) -> "Timeline":
        """The state at a moment and everything after it."""
        first = self.at(moment)
        later = [sample for sample in self.samples if sample.at > moment]
        return Timeline([*([first] if first else []), *later], [mark for mark in self.marks if mark[0] >= moment])

    def add(self, sample: Sample) -> None:
        """Keep a sample, unless nothing changed."""
        if not self.samples or self.samples[-1].sets != sample.sets:
            self.samples.append(sample)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rolling update may do: absolute counts of pods."""

    replicas: int
    max_unavailable: int
    max_surge: int


def bounds(timeline: Timeline, limits: Limits) -> list[str]:
    """A sentence for each sample that breaks a bound; empty when none does.

    Available pods never fewer than replicas - maxUnavailable; pods, those ending aside, never more than
    replicas + maxSurge: both what the replica sets should have and what there is. The original holds the second only
    for what should be; here a replica set grows when another has given its pods up, not when it was told to.
    """
    if not timeline.samples:
        return ["nothing was recorded"]
    start = timeline.samples[0].at
    floor, ceiling = limits.replicas - limits.max_unavailable, limits.replicas + limits.max_surge
    broken = []
    for sample in timeline.samples:
        moment = f"{sample.at - start:.2f} s"
        if sample.available < floor:
            broken.append(f"{moment}: {sample.available} available, want at least {floor}")
        if (most := max(sample.desired, sample.total)) > ceiling:
            broken.append(f"{moment}: {most} pods, want at most {ceiling}")
    return broken


def sample_of(replica_sets: Iterable[Obj], pods: Iterable[Obj], at: float) -> Sample:
    """The state that these objects describe; replica sets without a desired or remaining pod are left out."""
    by_owner: dict[str, list[Obj]] = {}
    for pod in pods:
        owner = controller_of(pod)
        if owner is not None and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}:
            by_owner.setdefault(owner["uid"], []).append(pod)
    sets = []
    for replica_set in sorted(replica_sets, key=lambda each: str(each["metadata"]["name"])):
        owned = by_owner.get(replica_set["metadata"]["uid"], [])
        staying = [pod for pod in owned if not is_deleting(pod)]
        one = Set(
            name=labels_of(replica_set).get(HASH, replica_set["metadata"]["name"]),
            version=version_of(replica_set),
            desired=int(replica_set["spec"].get("replicas", 1)),
            current=len(staying),
            ready=sum(is_ready(pod) for pod in staying),
            ending=len(owned) - len(staying),
        )
        if one.desired or owned:
            sets.append(one)
    return Sample(at, tuple(sets))


def is_ready(pod: Obj) -> bool:
    """True when the pod's condition Ready holds."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def version_of(workload: Obj) -> str:
    """The tag of the first container's image; empty without one."""
    image: str = workload["spec"]["template"]["spec"]["containers"][0].get("image", "")
    return image.rpartition(":")[2] if ":" in image.rpartition("/")[2] else ""


class Recorder:
    """Watches the replica sets and pods that a label selector matches, and keeps a sample of every change.

    A pod that is deleted for good and created anew between two events shows up as two samples: nothing is polled.
    """

    def __init__(self, client: Client, namespace: str, selector: str) -> None:
        self.timeline = Timeline()
        self.replica_sets = Informer(client, REPLICA_SET, namespace, selector)
        self.pods = Informer(client, POD, namespace, selector)

    async def wait_synced(self) -> None:
        """Return when the first lists have arrived; samples are kept from then on."""
        await self.replica_sets.wait_synced()
        await self.pods.wait_synced()
        for informer in (self.replica_sets, self.pods):
            informer.subscribe(self._changed)

    def mark(self, what: str) -> float:
        """Name this moment; returns it."""
        now = time.time()
        self.timeline.marks.append((now, what))
        return now

    def _changed(self, _old: Obj | None, _new: Obj | None) -> None:
        self.timeline.add(sample_of(self.replica_sets.items(), self.pods.items(), time.time()))
