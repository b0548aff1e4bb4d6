"""Going back to a recent revision without its steps. Source: argo-rollouts rollout/sync.go (isRollbackWithinWindow)."""

from drumroll.domain.rollout.inputs import Turn
from drumroll.objects.apps_v1 import ReplicaSet


def is_within_window(turn: Turn) -> bool:
    """Whether the wanted template is older than the stable one by no more revisions than rollbackWindow says."""
    revisions = (turn.rollout.spec.get("rollbackWindow") or {}).get("revisions")
    new, stable = turn.sets.new, turn.sets.stable
    if not revisions or new is None or stable is None or turn.sets.is_stable_new:
        return False
    if created(new) >= created(stable):
        return False
    between = [rs for rs in turn.sets.older if created(new) < created(rs) < created(stable)]
    return len(between) < int(revisions)


def created(replica_set: ReplicaSet) -> str:
    """When a replica set was made; texts of that form sort by time."""
    moment: str = replica_set.raw["metadata"].get("creationTimestamp") or ""
    return moment
