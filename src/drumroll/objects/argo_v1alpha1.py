"""Read-only view of a Rollout: its fields by name, with the defaults that absence means."""

from dataclasses import dataclass

from drumroll.objects.apps_v1 import NO_DEADLINE, Workload
from drumroll.objects.meta import Obj

ROLLOUT_HASH = "rollouts-pod-template-hash"
DEFAULT_DELAY = 30
DEFAULT_DEADLINE = 600


@dataclass(frozen=True, slots=True)
class Rollout(Workload):
    """A Rollout as the API shows it. `status` may be a later one than the API's: the one that a turn works on."""

    @property
    def canary(self) -> Obj | None:
        """The canary strategy, None when there is none."""
        strategy: Obj | None = (self.spec.get("strategy") or {}).get("canary")
        return strategy

    @property
    def blue_green(self) -> Obj | None:
        """The blue/green strategy, None when there is none."""
        strategy: Obj | None = (self.spec.get("strategy") or {}).get("blueGreen")
        return strategy

    @property
    def steps(self) -> tuple[Obj, ...]:
        """The canary's steps."""
        return tuple((self.canary or {}).get("steps") or ())

    @property
    def traffic_routing(self) -> Obj | None:
        """The canary's traffic routing, None when replicas alone share the traffic."""
        routing: Obj | None = (self.canary or {}).get("trafficRouting")
        return routing

    @property
    def most_weight(self) -> int:
        """The weight that means all traffic."""
        weight = (self.traffic_routing or {}).get("maxTrafficWeight")
        return 100 if weight is None else int(weight)

    @property
    def is_paused(self) -> bool:
        """Whether a person paused it."""
        return bool(self.spec.get("paused"))

    @property
    def deadline_seconds(self) -> int | None:
        """How long there may be no progress, or None for ever."""
        seconds = self.spec.get("progressDeadlineSeconds")
        seconds = DEFAULT_DEADLINE if seconds is None else int(seconds)
        return None if seconds == NO_DEADLINE else seconds

    @property
    def history_limit(self) -> int:
        """How many old replica sets without pods are kept."""
        limit = self.spec.get("revisionHistoryLimit")
        return 10 if limit is None else int(limit)

    @property
    def scale_down_delay(self) -> int:
        """Seconds for which an old replica set goes on after all traffic has left it."""
        strategy = self.blue_green if self.blue_green is not None else (self.canary or {})
        if self.canary is not None and self.traffic_routing is None:
            return 0
        delay = strategy.get("scaleDownDelaySeconds")
        return DEFAULT_DELAY if delay is None else int(delay)

    @property
    def abort_delay(self) -> int | None:
        """Seconds for which the new replica set of an aborted update goes on; None: for ever."""
        strategy = self.blue_green if self.blue_green is not None else (self.canary or {})
        delay = strategy.get("abortScaleDownDelaySeconds")
        if delay is None:
            return DEFAULT_DELAY
        return None if int(delay) == 0 else int(delay)
