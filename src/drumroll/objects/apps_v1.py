"""Read-only views of Deployments and ReplicaSets: their fields by name, with the defaults that absence means."""

from dataclasses import dataclass

from drumroll.objects.meta import Key, Obj, annotations_of, is_deleting, key_of, uid_of

NO_DEADLINE = 2**31 - 1
TEMPLATE_HASH = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Workload:
    """What asks for pods by a template, as the API shows it."""

    raw: Obj

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return key_of(self.raw)

    @property
    def name(self) -> str:
        """The name."""
        name: str = self.raw["metadata"]["name"]
        return name

    @property
    def uid(self) -> str:
        """The uid."""
        return uid_of(self.raw)

    @property
    def spec(self) -> Obj:
        """The spec; never None."""
        return self.raw.get("spec") or {}

    @property
    def status(self) -> Obj:
        """The status; never None."""
        return self.raw.get("status") or {}

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations; never None."""
        return annotations_of(self.raw)

    @property
    def generation(self) -> int:
        """The generation of the spec."""
        return self.raw["metadata"].get("generation") or 0

    @property
    def replicas(self) -> int:
        """How many are wanted."""
        wanted = self.spec.get("replicas")
        return 1 if wanted is None else int(wanted)

    @property
    def template(self) -> Obj:
        """The pod template."""
        template: Obj = self.spec.get("template") or {}
        return template

    @property
    def min_ready_seconds(self) -> int:
        """How long a pod must be ready to count as available."""
        return self.spec.get("minReadySeconds") or 0

    @property
    def is_deleting(self) -> bool:
        """Whether deletion was asked for."""
        return is_deleting(self.raw)

    @property
    def conditions(self) -> list[Obj]:
        """The status conditions; never None."""
        return self.status.get("conditions") or []


@dataclass(frozen=True, slots=True)
class ReplicaSet(Workload):
    """A ReplicaSet as the API shows it."""

    @property
    def age_order(self) -> tuple[str, str]:
        """Sorts the oldest first, equals by name."""
        return self.raw["metadata"].get("creationTimestamp") or "", self.name

    @property
    def current(self) -> int:
        """How many exist."""
        return self.status.get("replicas") or 0

    @property
    def ready(self) -> int:
        """How many are ready."""
        return self.status.get("readyReplicas") or 0

    @property
    def available(self) -> int:
        """How many have been ready for long enough."""
        return self.status.get("availableReplicas") or 0

    @property
    def is_observed(self) -> bool:
        """Whether the status describes the present spec."""
        return self.generation <= (self.status.get("observedGeneration") or 0)


@dataclass(frozen=True, slots=True)
class Deployment(Workload):
    """A Deployment as the API shows it."""

    @property
    def is_paused(self) -> bool:
        """Whether rolling out is paused."""
        return bool(self.spec.get("paused"))

    @property
    def strategy(self) -> str:
        """RollingUpdate or Recreate."""
        return (self.spec.get("strategy") or {}).get("type") or "RollingUpdate"

    @property
    def deadline_seconds(self) -> int | None:
        """How long there may be no progress, or None for ever."""
        seconds: int | None = self.spec.get("progressDeadlineSeconds")
        return None if seconds == NO_DEADLINE else seconds

    @property
    def history_limit(self) -> int | None:
        """How many old replica sets are kept, or None for all."""
        limit: int | None = self.spec.get("revisionHistoryLimit")
        return None if limit == NO_DEADLINE else limit
