"""What a decision about one Rollout needs to know, and the turn that a decision is made in.

`Inputs` is a snapshot of what there is. A `Turn` is the decision under way: the replica sets sorted by their part, the
status as it will be, and what is to be done. Strategies take a turn and give it back with more in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from drumroll.domain.actions import Action
from drumroll.domain.rollout.analysis import Judgement, Templates
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH, Rollout
from drumroll.objects.meta import Obj, labels_of


@dataclass(frozen=True, slots=True)
class Inputs:
    """A snapshot of one Rollout and of what belongs to it.

    `rollout` is as stored. `replica_sets` are all of its namespace that it owns or that nobody owns; `pods` are those
    of the owned ones. `services`, `ingresses` and `splits` are those of its namespace that it refers to, by name.
    `routes` are the HTTPRoutes and GRPCRoutes that its traffic routing refers to. `runs` and `experiments` are those
    that it controls. `workload` is what workloadRef names (None: there is none, or it was not found).
    `slices` are the EndpointSlices of the `services`.
    """

    rollout: Obj
    replica_sets: tuple[Obj, ...] = ()
    pods: tuple[Obj, ...] = ()
    services: Mapping[str, Obj] = field(default_factory=dict)
    routes: tuple[Obj, ...] = ()
    ingresses: Mapping[str, Obj] = field(default_factory=dict)
    splits: Mapping[str, Obj] = field(default_factory=dict)
    runs: tuple[Obj, ...] = ()
    experiments: tuple[Obj, ...] = ()
    templates: Templates = field(default_factory=Templates)
    workload: Obj | None = None
    slices: tuple[Obj, ...] = ()


@dataclass(frozen=True, slots=True)
class Sets:
    """A Rollout's replica sets, each in one group; `older` are neither new nor stable, the oldest first.

    The stable one is the new one too once an update is over.
    """

    new: ReplicaSet | None = None  # runs the wanted template
    stable: ReplicaSet | None = None  # the last one that was fully promoted
    older: tuple[ReplicaSet, ...] = ()

    @property
    def all(self) -> tuple[ReplicaSet, ...]:
        """Every replica set once."""
        return (*self.older, *((self.stable,) if self.stable and not self.is_stable_new else ()), *self._new)

    @property
    def other(self) -> tuple[ReplicaSet, ...]:
        """All but the new one."""
        return tuple(rs for rs in self.all if self.new is None or rs.name != self.new.name)

    @property
    def is_stable_new(self) -> bool:
        """Whether the wanted template is the stable one."""
        return self.new is not None and self.stable is not None and self.new.name == self.stable.name

    @property
    def _new(self) -> tuple[ReplicaSet, ...]:
        return (self.new,) if self.new else ()


def hash_of(replica_set: ReplicaSet | None) -> str:
    """The pod template's hash that a replica set carries; empty for none."""
    return "" if replica_set is None else labels_of(replica_set.raw).get(ROLLOUT_HASH, "")


@dataclass(frozen=True, slots=True)
class Turn:
    """One decision under way.

    `rollout` has the template in it also when another object gives it, and the status from before this turn;
    `pod_hash` is the hash that its new replica set carries, or will. `status` is the status as this turn leaves it.
    `is_skipping` says that no step is needed: it goes back to a recent revision (rollbackWindow).
    `abort_message` says why this turn has given the update up.
    """

    inputs: Inputs
    rollout: Rollout
    pod_hash: str
    sets: Sets
    status: Obj
    now: datetime
    actions: tuple[Action, ...] = ()
    wake_at: datetime | None = None
    is_skipping: bool = False
    abort_message: str = ""
    judgement: Judgement = field(default_factory=Judgement)

    def then(self, actions: Sequence[Action]) -> "Turn":
        """The same turn with more to do."""
        return replace(self, actions=(*self.actions, *actions))

    def with_status(self, **fields: object) -> "Turn":
        """The same turn with these fields of the status set; None takes one away."""
        changed = {**self.status, **fields}
        return replace(self, status={name: value for name, value in changed.items() if value is not None})

    def with_part(self, part: str, patch: Obj) -> "Turn":
        """The same turn with a part of the status (`canary`, `blueGreen`) patched; None takes a field away."""
        changed = {**(self.status.get(part) or {}), **patch}
        return self.with_status(**{part: {name: value for name, value in changed.items() if value is not None}})

    def wake(self, moment: datetime | None) -> "Turn":
        """The same turn, which asks for another look at that moment at the latest."""
        moments = [at for at in (self.wake_at, moment) if at is not None]
        return replace(self, wake_at=min(moments, default=None))

    @property
    def is_halted(self) -> bool:
        """Whether nothing may move: a person paused it, or an analysis was inconclusive."""
        reasons = {pause["reason"] for pause in self.status.get("pauseConditions") or ()}
        return self.rollout.is_paused or bool(reasons & {"InconclusiveAnalysisRun", "InconclusiveExperiment"})

    @property
    def is_aborted(self) -> bool:
        """Whether the update was given up."""
        return bool(self.status.get("abort"))
