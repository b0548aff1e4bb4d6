"""How many requests met a version that was taken back: asked of the mesh once, when no traffic goes there any more.

The condition `drumroll.dev/Exposure` says it, until the next update is taken back.
"""

from datetime import datetime, timedelta

from drumroll.domain.actions import Action, Plan, Record, patch_of
from drumroll.domain.deployment_status import condition, find
from drumroll.domain.rollout.conditions import with_condition
from drumroll.domain.rollout.revision import revision_of
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH, Rollout
from drumroll.objects.kinds import ROLLOUT
from drumroll.objects.meta import Obj, labels_of, parse_timestamp

EXPOSURE = "drumroll.dev/Exposure"
DELAY = timedelta(seconds=10)
"""The mesh notes its counters every few seconds: the last requests show only after that."""
HISTORY = timedelta(minutes=15)
"""How far the mesh remembers."""


def due(rollout: Obj) -> datetime | None:
    """When to ask about an update that was taken back; None while there is none, or its figures are there."""
    one = Rollout(rollout)
    status = one.status
    if not status.get("abort") or not status.get("abortedAt") or not _is_back(one):
        return None
    aborted = parse_timestamp(status["abortedAt"])
    known = find(one.conditions, EXPOSURE)
    if known is not None and parse_timestamp(known["lastUpdateTime"]) >= aborted:
        return None
    return aborted + DELAY


def _is_back(rollout: Rollout) -> bool:
    """Whether all traffic is at the stable version again."""
    status = rollout.status
    new, stable = status.get("currentPodHash"), status.get("stableRS")
    if not stable or new == stable:
        return False
    if rollout.blue_green is not None:
        return bool((status.get("blueGreen") or {}).get("activeSelector") == stable)
    weights = (status.get("canary") or {}).get("weights")
    if weights:
        return weights["canary"]["weight"] == 0 and weights.get("verified") is not False
    return not status.get("updatedReplicas")


def queries(rollout: Obj, now: datetime) -> dict[str, str]:
    """What to ask, in PromQL: requests to the version taken back (`met`), those of them that it failed (`failed`), and
    requests to either version since the update began, or as far as the mesh remembers (`all`).
    """
    one = Rollout(rollout)
    seconds = max(1, round(min(HISTORY, now - _began(one)).total_seconds()))
    new, stable = one.status["currentPodHash"], one.status["stableRS"]

    def grown(series: str, revisions: str) -> str:
        chosen = f'namespace="{one.key.namespace}",revision=~"{revisions}"'
        return f"sum(increase(drumroll_{series}_total{{{chosen}}}[{seconds}s]))"

    return {
        "met": grown("requests", new),
        "failed": grown("request_errors", new),
        "all": grown("requests", f"{new}|{stable}"),
    }


def _began(rollout: Rollout) -> datetime:
    started = (rollout.status.get("duration") or {}).get("rolloutStartedAt")
    return parse_timestamp(started or rollout.status["abortedAt"]) - DELAY


def reported(rollout: Obj, sets: tuple[Obj, ...], figures: dict[str, float] | str, now: datetime) -> Plan:
    """The plan that notes the figures, or why there are none; `sets` are the Rollout's replica sets."""
    one = Rollout(rollout)
    new = next((rs for rs in sets if labels_of(rs).get(ROLLOUT_HASH) == one.status["currentPodHash"]), None)
    version = f"revision {revision_of(new)}" if new is not None else "the version taken back"
    if isinstance(figures, str):
        fresh = condition(
            EXPOSURE, "Unknown", "NoFigures", f"How many requests met {version} is not known: {figures}", now
        )
        return _noted(rollout, fresh)
    message = _told(version, figures)
    return _noted(
        rollout, condition(EXPOSURE, "True", "TakenBack", message, now), Record(rollout, "Normal", "Exposure", message)
    )


def _told(version: str, figures: dict[str, float]) -> str:
    every, met = round(max(figures["all"], figures["met"])), round(figures["met"])
    failed = min(met, round(figures["failed"]))
    if not met:
        return f"No request met {version}, of about {every:,}"
    return f"About {met:,} of {every:,} requests ({met / every:.1%}) met {version}; it failed {failed:,} of them"


def _noted(rollout: Obj, fresh: Obj, *events: Action) -> Plan:
    conditions = with_condition([one for one in Rollout(rollout).conditions if one["type"] != EXPOSURE], fresh)
    meta = {"resourceVersion": rollout["metadata"]["resourceVersion"]}
    patch = patch_of(ROLLOUT, rollout, {"metadata": meta, "status": {"conditions": conditions}}, "status")
    return Plan((patch, *events))
