"""The course of an A/B test, with a controller that may be killed between any two writes."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.abtest import course, spec
from drumroll.domain.abtest.assignment import is_ours
from drumroll.domain.abtest.course import FINALIZER
from drumroll.domain.abtest.figures import Figures, no_figures
from drumroll.domain.abtest.sequential import conversions
from drumroll.domain.actions import Patch, Record
from drumroll.objects.kinds import AB_TEST, HTTP_ROUTE, ROLLOUT
from drumroll.objects.meta import parse_timestamp
from drumroll.objects.patch import merge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULES = [{"backendRefs": [{"name": "web-a", "port": 80}]}]


def abtest(**fields):
    body = {
        "routeRef": {"name": "web"},
        "control": {"service": "web-a"},
        "treatment": {"service": "web-b"},
        "goal": {"minimumEffect": 0.05, "interval": "10s", "provider": {"web": {"url": "http://figures"}}},
        **fields,
    }
    meta = {"namespace": "default", "name": "button", "uid": "u1", "generation": 1}
    return {"apiVersion": "drumroll.dev/v1alpha1", "kind": "ABTest", "metadata": meta, "spec": body}


def figures(control, treatment, of=2000):
    return Figures(conversions(of, control), conversions(of, treatment))


class World:
    """The objects, and a controller that carries out at most `budget` more actions before it is killed."""

    def __init__(self, test, kills=()):
        self.test, self.now, self.kills = test, NOW, list(kills)
        self.route = {
            "apiVersion": HTTP_ROUTE.api_version,
            "kind": "HTTPRoute",
            "metadata": {"namespace": "default", "name": "web", "uid": "r1", "resourceVersion": "1"},
            "spec": {"rules": deepcopy(RULES)},
        }
        self.rollout: dict = {}
        self.events: list[str] = []

    def turn(self, seen=None):
        due = course.is_due(self.test, self.now)
        plan = course.decide(self.test, self.route, seen if due else None, self.now)
        budget = self.kills.pop(0) if self.kills else 99
        for action in plan.actions[:budget]:
            self.perform(action)
        self.now += timedelta(seconds=11)
        return plan

    def perform(self, action):
        if isinstance(action, Record):
            self.events.append(action.reason)
            return
        assert isinstance(action, Patch)
        patch = deepcopy(action.patch)
        if action.kind == ROLLOUT:
            self.rollout = merge(self.rollout, patch)
            return
        name = "test" if action.kind == AB_TEST else "route"
        patch["metadata"].pop("resourceVersion", None)
        setattr(self, name, merge(getattr(self, name), patch))

    @property
    def status(self):
        return self.test.get("status") or {}

    def has_rules(self):
        return any(is_ours(rule, "button") for rule in self.route["spec"]["rules"])


def settle(world, seen=None, turns=12):
    for _ in range(turns):
        world.turn(seen)
    return world


def test_the_users_are_split_and_the_figures_are_shown():
    world = settle(World(abtest()), figures(200, 250))
    assert world.status["phase"] == "Running"
    assert world.has_rules()
    assert world.status["control"] == {"count": 2000, "total": 200.0, "squares": 200.0, "mean": 0.1}
    assert world.status["looks"] > 5
    assert world.status["interval"]["low"] < 0.025 < world.status["interval"]["high"]
    assert world.test["metadata"]["finalizers"] == [FINALIZER]


@given(st.lists(st.integers(0, 3), max_size=14), st.sampled_from(["Success", "Harm", "Futility"]))
def test_it_ends_alike_wherever_the_controller_is_killed(kills, outcome):
    seen = {
        "Success": figures(200, 400), "Harm": figures(1000, 700), "Futility": figures(2000, 2001, of=40_000),
    }[outcome]  # fmt: skip
    test = abtest(onSuccess="Promote")
    world = settle(World(test, kills), seen, turns=40)
    assert world.status["phase"] == outcome
    assert not world.has_rules()
    wanted = "web-b" if outcome == "Success" else "web-a"
    assert world.route["spec"]["rules"] == [{"backendRefs": [{"name": wanted, "port": 80}]}]
    assert world.turn().actions == ()


def test_without_leave_to_promote_a_success_only_ends_the_test():
    world = settle(World(abtest()), figures(200, 400))
    assert world.status["phase"] == "Success"
    assert world.route["spec"]["rules"] == RULES


@pytest.mark.parametrize(("seen", "order"), [(figures(200, 400), "promoteFull"), (figures(400, 200), "abort")])
def test_a_rollout_is_promoted_or_aborted(seen, order):
    world = settle(World(abtest(rolloutRef={"name": "web"})), seen)
    assert world.rollout == {"status": {order: True}}
    assert world.route["spec"]["rules"] == RULES


def test_rules_that_somebody_takes_out_come_back():
    world = settle(World(abtest()), figures(200, 250), turns=4)
    world.route["spec"]["rules"] = deepcopy(RULES)
    world.turn()
    assert world.has_rules()


def test_a_deleted_test_takes_its_rules_with_it():
    world = settle(World(abtest()), figures(200, 250), turns=4)
    world.test["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    settle(world)
    assert not world.has_rules()
    assert not world.test["metadata"].get("finalizers")


def test_an_ended_test_can_be_asked_for_and_stays_ended():
    world = settle(World(abtest()), figures(200, 250), turns=4)
    world.test["spec"]["terminate"] = True
    settle(world)
    assert world.status["phase"] == "Terminated"
    assert world.route["spec"]["rules"] == RULES


def test_figures_that_cannot_be_had_are_told_and_change_nothing():
    world = settle(World(abtest()), no_figures("http://figures answered 500"))
    assert world.status["phase"] == "Running"
    assert world.status["message"] == "no figures: http://figures answered 500"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"routeRef": {"name": ""}}, "spec.routeRef.name: name the HTTPRoute"),
        ({"treatment": {"service": "web-a"}}, "spec.treatment.service: 'web-a' is the control too"),
        ({"percent": 100}, "spec.percent: 100 must be 1 to 99"),
        ({"level": "x"}, "spec.level: 'x' is no number"),
        ({"level": 2}, "spec.level: 2 must lie between 0 and 1"),
        ({"limits": {"maximumDuration": "soon"}}, "spec.limits.maximumDuration: 'soon' is no duration"),
        ({"goal": {"provider": {}}}, "spec.goal.provider: choose one of web, prometheus, header, log (found none)"),
        ({"goal": {"provider": {"web": {}, "log": {}}}}, "(found log, web)"),
        ({"goal": {"minimumEffect": 0, "provider": {"web": {}}}}, "spec.goal.minimumEffect: 0 must be more than 0"),
        ({"assignment": {"cookie": {"name": "a b"}}}, "spec.assignment.cookie.name: 'a b' is no cookie name"),
        ({"assignment": {"cookie": {"name": "a"}, "header": {"name": "x"}}}, "choose one of cookie and header"),
        ({"control": {"service": "other"}}, "no rule of HTTPRoute 'web' sends to the control, Service 'other'"),
    ],
)
def test_what_keeps_a_test_from_running_is_said(change, words):
    world = settle(World(abtest(**change)), turns=2)
    assert world.status["phase"] == "Pending"
    assert words in world.status["message"]
    assert world.route["spec"]["rules"] == RULES


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("1h30m", 5400), ("14d", 1_209_600), (45, 45), ("45", 45)]
)
def test_durations(text, seconds):
    found = spec.read(abtest(limits={"maximumDuration": text}))
    assert found.terms.most_time == timedelta(seconds=seconds)


def test_nobody_is_counted_before_the_split_is_in_force():
    world = World(abtest())
    meta, taken = world.route["metadata"], {"type": "drumroll.dev/Acknowledged", "status": "True"}
    meta["generation"] = 1
    world.route["status"] = {"parents": [{"conditions": [{**taken, "observedGeneration": 1}]}]}
    world.turn()
    meta["generation"] = 2  # by the rules of the test, which no gateway has taken over yet
    for _ in range(3):
        world.turn(figures(200, 0))
    assert world.has_rules()
    assert world.status == {
        "phase": "Pending",
        "message": "waiting until the split of HTTPRoute 'web' is in force",
        "observedGeneration": 1,
    }
    world.route["status"] = {"parents": [{"conditions": [{**taken, "observedGeneration": 2}]}]}
    in_force = world.now
    world.turn()
    assert world.status["phase"] == "Running"
    assert parse_timestamp(world.status["startedAt"]) > in_force
