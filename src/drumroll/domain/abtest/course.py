"""The course of an A/B test: split the users, look at the figures, decide, and put the route back.

What is decided is on record before the route changes, so a controller that is killed in between goes on from there.
"""

from datetime import datetime, timedelta
from typing import Any

from drumroll.domain.abtest import spec
from drumroll.domain.abtest.assignment import promoted, sends_to, with_test, without_test
from drumroll.domain.abtest.figures import Figures
from drumroll.domain.abtest.sequential import Sample
from drumroll.domain.abtest.spec import Wish
from drumroll.domain.abtest.verdict import Verdict, judge
from drumroll.domain.actions import NOTHING, Action, Patch, Plan, Record, patch_of
from drumroll.domain.rollout.traffic_gateway import is_acknowledged
from drumroll.objects.kinds import AB_TEST, HTTP_ROUTE, ROLLOUT
from drumroll.objects.meta import Key, Obj, is_deleting, key_of, parse_timestamp, timestamp

FINALIZER = "drumroll.dev/abtest"
_SECOND = timedelta(seconds=1)  # stored times are whole seconds, and none may lie before the split
ENDED = frozenset({"Success", "Harm", "Futility", "Inconclusive", "Broken", "Terminated"})


def is_due(test: Obj, now: datetime) -> bool:
    """Whether it is time to ask the provider."""
    status = test.get("status") or {}
    if is_deleting(test) or status.get("phase") != "Running" or status.get("outcome"):
        return False
    looked = status.get("lastLookAt")
    return looked is None or now >= parse_timestamp(looked) + spec.read(test).interval


def decide(test: Obj, route: Obj | None, figures: Figures | None, now: datetime) -> Plan:
    """What to do now. `figures` are there when the test was due; `route` is the HTTPRoute that it names."""
    wish = spec.read(test)
    status = test.get("status") or {}
    if is_deleting(test):
        return _leave(test, route, wish)
    if status.get("phase") in ENDED:
        return NOTHING
    if status.get("outcome"):
        return _finish(test, route, wish, now)
    if (test.get("spec") or {}).get("terminate"):
        return _conclude(test, Verdict("Running", "ended on request"), "Terminated", now)
    lack = _lack(wish, route)
    if route is None or lack:
        return Plan(_write(test, {"phase": "Pending", "message": lack}))
    return _go_on(test, route, wish, figures, now)


def _is_in_force(route: Obj) -> bool:
    """Whether whoever serves the route has taken its present rules over: what was answered before was not split."""
    return is_acknowledged(route) or not (route.get("status") or {}).get("parents")


def _lack(wish: Wish, route: Obj | None) -> str:
    if wish.faults:
        return "; ".join(wish.faults)
    if route is None:
        return f"HTTPRoute {wish.route!r} does not exist"
    if not sends_to(_rules(route), wish.split.control):
        return f"no rule of HTTPRoute {wish.route!r} sends to the control, Service {wish.split.control!r}"
    return ""


def _go_on(test: Obj, route: Obj, wish: Wish, figures: Figures | None, now: datetime) -> Plan:
    status = test.get("status") or {}
    actions: list[Action] = []
    if FINALIZER not in (test["metadata"].get("finalizers") or ()):
        names = [*(test["metadata"].get("finalizers") or ()), FINALIZER]
        return Plan((patch_of(AB_TEST, test, {"metadata": {"finalizers": names}}),), wake_at=now)
    actions += _rule_patch(route, with_test(_rules(route), wish.split))
    if status.get("phase") != "Running":
        if actions or not _is_in_force(route):
            waiting = {
                "phase": "Pending",
                "message": f"waiting until the split of HTTPRoute {wish.route!r} is in force",
            }
            return Plan((*actions, *_write(test, waiting)))
        started = status.get("startedAt") or timestamp(now + _SECOND)
        about = f"{wish.split.percent} % of the users of {wish.route} get {wish.split.treatment}"
        actions.append(Record(test, "Normal", "Started", about))
        actions += _write(test, {"phase": "Running", "message": "waiting for figures", "startedAt": started})
        return Plan(tuple(actions), wake_at=now + wish.interval)
    if figures is None:
        return Plan(tuple(actions), wake_at=parse_timestamp(status.get("lastLookAt") or timestamp(now)) + wish.interval)
    if figures.fault:
        message = f"no figures: {figures.fault}"
        actions += _write(test, {"message": message[:1000], "lastLookAt": timestamp(now)})
        return Plan(tuple(actions), wake_at=now + wish.interval)
    before = status.get("pValue", 1.0)
    started = parse_timestamp(status["startedAt"])
    verdict = judge(wish.terms, figures.control, figures.treatment, started=started, now=now, before=before)
    seen = _seen(figures, verdict, int(status.get("looks") or 0) + 1, now)
    if verdict.outcome != "Running":
        return Plan((*actions, *_conclude(test, verdict, verdict.outcome, now, seen).actions), wake_at=now)
    actions += _write(test, {**seen, "message": verdict.message})
    return Plan(tuple(actions), wake_at=now + wish.interval)


def _seen(figures: Figures, verdict: Verdict, looks: int, now: datetime) -> Obj:
    found: Obj = {
        "lastLookAt": timestamp(now),
        "looks": looks,
        **({"counters": figures.counters} if figures.counters else {}),
        "control": _shown(figures.control),
        "treatment": _shown(figures.treatment),
    }
    if verdict.evidence is not None:
        evidence = verdict.evidence
        found["effect"] = round(evidence.effect, 6)
        found["interval"] = {"low": round(evidence.low, 6), "high": round(evidence.high, 6)}
        found["pValue"] = evidence.p_value
    return found


def _shown(sample: Sample) -> Obj:
    return {"count": sample.count, "total": sample.total, "squares": sample.squares, "mean": round(sample.mean, 6)}


def _conclude(test: Obj, verdict: Verdict, outcome: str, now: datetime, seen: Obj | None = None) -> Plan:
    """Put the outcome on record; the route follows in the next turn."""
    status = {**(seen or {}), "outcome": outcome, "message": verdict.message}
    return Plan(_write(test, status), wake_at=now)


def _finish(test: Obj, route: Obj | None, wish: Wish, now: datetime) -> Plan:
    outcome = test["status"]["outcome"]
    is_success = outcome == "Success"
    actions: list[Action] = []
    if route is not None:
        promotes = is_success and wish.promotes and not wish.rollout
        actions += _rule_patch(route, _after(_rules(route), wish, promotes=promotes))
    if wish.rollout:
        order = {"promoteFull": True} if is_success else {"abort": True}
        key = Key(key_of(test).namespace, wish.rollout)
        actions.append(Patch(ROLLOUT, key, {"status": order}, "status"))
    kind = "Normal" if outcome in {"Success", "Terminated", "Futility", "Inconclusive"} else "Warning"
    actions.append(Record(test, "Warning" if kind == "Warning" else "Normal", outcome, test["status"]["message"]))
    actions += _write(test, {"phase": outcome, "finishedAt": timestamp(now)})
    return Plan(tuple(actions))


def _after(rules: list[Obj], wish: Wish, *, promotes: bool) -> list[Obj]:
    return promoted(rules, wish.split) if promotes else without_test(rules, wish.split.name)


def _leave(test: Obj, route: Obj | None, wish: Wish) -> Plan:
    """The test is being deleted: its rules go first, then our finalizer."""
    finalizers = test["metadata"].get("finalizers") or []
    if FINALIZER not in finalizers:
        return NOTHING
    actions: list[Action] = []
    if route is not None:
        actions += _rule_patch(route, without_test(_rules(route), wish.split.name))
    left = [name for name in finalizers if name != FINALIZER] or None
    actions.append(patch_of(AB_TEST, test, {"metadata": {"finalizers": left}}))
    return Plan(tuple(actions))


def _rules(route: Obj) -> list[Obj]:
    return list((route.get("spec") or {}).get("rules") or ())


def _rule_patch(route: Obj, rules: list[Obj]) -> list[Action]:
    """At most one patch, refused when the route has changed since: its rules are written as a whole."""
    if rules == _rules(route):
        return []
    meta = {"resourceVersion": route["metadata"]["resourceVersion"]}
    return [patch_of(HTTP_ROUTE, route, {"metadata": meta, "spec": {"rules": rules}})]


def _write(test: Obj, changes: Obj) -> tuple[Action, ...]:
    status: dict[str, Any] = test.get("status") or {}
    changes = {**changes, "observedGeneration": test["metadata"].get("generation", 0)}
    if all(status.get(name) == value for name, value in changes.items()):
        return ()
    return (patch_of(AB_TEST, test, {"status": changes}, "status"),)
