"""What counts as acknowledged, and how the route that Envoy refuses is found among the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.gateway.admission import Admission, accept, look, refuse, stand_ins
from drumroll.domain.gateway.model import Action, Match, PathMatch, RouteId, Rule, Table, VirtualHost
from drumroll.domain.gateway.proofs import (
    ANY_VERSION,
    REMEMBERED,
    Claim,
    Need,
    Offer,
    Proofs,
    claims_of,
    forget_clusters,
    has_unknown,
    hold,
    hold_clusters,
    is_acknowledged,
    land,
    named,
    offer,
    send,
    send_clusters,
)
from drumroll.objects.meta import Key


def made(version, generation=1, digest=0, clusters=("c",)):
    return Offer(version, {"r": Claim(generation, digest)}, frozenset(clusters))


def need(*tables, generation=1, digest=0, clusters=None):
    return Need("r", dict.fromkeys(tables or ("t",), Claim(generation, digest)), clusters or {})


def told(*steps):
    """Proofs after the steps: an offer by table, or what happened to a version of a table or cluster."""
    proofs = Proofs()
    for step in steps:
        proofs = offer(proofs, step) if isinstance(step, dict) else STEPS[step[0]](proofs, {step[1]: step[2]})
    return proofs


STEPS = {"held": hold, "sent": send, "refused": land, "cluster": hold_clusters, "cluster sent": send_clusters}


ONE, TWO = {"t": made("v1")}, {"t": made("v2", 2, 7)}
HELD = ("held", "t", "v1")
CASES = {
    "nothing was offered": ([], need(), False),
    "offered, not held": ([ONE], need(), False),
    "held": ([ONE, HELD], need(), True),
    "a route in no table": ([ONE, HELD], Need("r", {}, {}), False),
    "another route": ([ONE, HELD], Need("x", {"t": Claim(1, 0)}, {}), False),
    "the next generation is not held yet": ([ONE, HELD, TWO], need(generation=2, digest=7), False),
    "the next generation is held": ([ONE, HELD, TWO, ("held", "t", "v2")], need(generation=2, digest=7), True),
    "a late word about the last one": ([ONE, TWO, HELD], need(generation=2, digest=7), False),
    "back to what was": ([ONE, HELD, TWO, ("held", "t", "v2"), {"t": made("v1", 3)}], need(generation=3), False),
    "back to what was, held": (
        [ONE, HELD, TWO, ("held", "t", "v2"), {"t": made("v1", 3)}, HELD],
        need(generation=3),
        True,
    ),
    "a generation that asks for the same": ([ONE, HELD, {"t": made("v1", 2)}], need(generation=2), True),
    "one generation whose rules changed with a Service": ([ONE, HELD, {"t": made("v2", 1, 9)}], need(digest=9), False),
    "a later version with the same part": ([ONE, HELD, {"t": made("v9")}, ("held", "t", "v9")], need(), True),
    "one that others changed is not held yet": ([ONE, HELD, {"t": made("v9")}], need(), True),
    "a version that we do not know": ([ONE, HELD, ("held", "t", "v0")], need(), False),
    "back to what was, while something else is under way": (
        [ONE, HELD, TWO, ("sent", "t", "v2"), {"t": made("v1", 3)}],
        need(generation=3),
        False,
    ),
    "back to what was, and something else was refused": (
        [ONE, HELD, TWO, ("sent", "t", "v2"), ("refused", "t", "v2"), {"t": made("v1", 3)}],
        need(generation=3),
        True,
    ),
    "back to what was, before anything was sent": ([ONE, HELD, TWO, {"t": made("v1", 3)}], need(generation=3), True),
    "others' change is under way": ([ONE, HELD, {"t": made("v9")}, ("sent", "t", "v9")], need(), True),
    "the first is under way": ([ONE, ("sent", "t", "v1")], need(), False),
    "one that we do not know is under way": ([ONE, HELD, ("sent", "t", "v0")], need(), False),
    "a cluster's change is under way": (
        [ONE, HELD, ("cluster", "c", "1"), ("cluster sent", "c", "2")],
        need(clusters={"c": "1"}),
        False,
    ),
    "a cluster is sent once more": (
        [ONE, HELD, ("cluster", "c", "1"), ("cluster sent", "c", "1")],
        need(clusters={"c": "1"}),
        True,
    ),
    "one table of two": ([{**ONE, "u": made("u1")}, HELD], need("t", "u"), False),
    "both tables": ([{**ONE, "u": made("u1")}, HELD, ("held", "u", "u1")], need("t", "u"), True),
    "a table that went and came": ([ONE, HELD, {}, ONE], need(), False),
    "a cluster that is not held": ([ONE, HELD], need(clusters={"c": "1"}), False),
    "a cluster in another version": ([ONE, HELD, ("cluster", "c", "0")], need(clusters={"c": "1"}), False),
    "a cluster": ([ONE, HELD, ("cluster", "c", "1")], need(clusters={"c": "1"}), True),
    "a cluster that changed": (
        [ONE, HELD, ("cluster", "c", "0"), ("cluster", "c", "1")],
        need(clusters={"c": "1"}),
        True,
    ),
    "a cluster that stays": ([ONE, HELD, ("cluster", "c", "0")], need(clusters={"c": ANY_VERSION}), True),
    "one cluster of two": ([ONE, HELD, ("cluster", "c", "1")], need(clusters={"c": "1", "d": "1"}), False),
    "clusters without the table": ([ONE, ("cluster", "c", "1")], need(clusters={"c": "1"}), False),
}


@pytest.mark.parametrize("name", CASES)
def test_acknowledged(name):
    steps, wanted, expected = CASES[name]
    assert is_acknowledged(told(*steps), wanted) is expected


def test_clusters_that_went_prove_nothing_when_they_are_back():
    proofs = forget_clusters(told(ONE, HELD, ("cluster", "c", "1"), ("cluster", "d", "1")), ["d"])
    assert not is_acknowledged(proofs, need(clusters={"c": "1"}))
    assert is_acknowledged(proofs, need(clusters={"d": "1"}))


NAMED = {
    "offered": ([{"t": made("v1", clusters="a")}], "a"),
    "held": ([{"t": made("v1", clusters="a")}, HELD], "a"),
    "on the way": ([{"t": made("v1", clusters="a")}, HELD, {"t": made("v2", clusters="b")}], "ab"),
    "held since": ([{"t": made("v1", clusters="a")}, HELD, {"t": made("v2", clusters="b")}, ("held", "t", "v2")], "b"),
    "the table is gone": ([{"t": made("v1", clusters="a")}, HELD, {}], ""),
}


@pytest.mark.parametrize("name", NAMED)
def test_clusters_that_envoys_tables_name(name):
    steps, expected = NAMED[name]
    assert named(told(*steps)) == frozenset(expected)


def test_versions_of_an_earlier_control_plane_are_known_as_such():
    assert not has_unknown(told(ONE))
    assert not has_unknown(told(ONE, HELD))
    assert has_unknown(told(ONE, ("held", "t", "v0")))
    assert not has_unknown(told(ONE, ("held", "t", "v0"), HELD))
    assert not has_unknown(told(ONE, HELD, ("held", "gone", "v0")))


def test_few_offers_are_remembered_and_the_newest_is_among_them():
    offers = [{"t": made(f"w{n}", clusters=f"{n}")} for n in range(50)]
    proofs = told(ONE, HELD, *offers)
    assert len(proofs.offers["t"]) == REMEMBERED
    assert "c" in named(proofs)  # held all the while
    assert is_acknowledged(hold(proofs, {"t": "w49"}), need())


def test_a_word_that_is_repeated_changes_nothing():
    assert is_acknowledged(told(ONE, HELD, HELD), need())


class Envoy:
    """One table's way to Envoy: a version at a time, answers that are late or lost."""

    def __init__(self):
        self.proofs = Proofs()
        self.generation = 0
        self.wanted = self.told = self.flight = self.holds = None
        self.answer = ""
        self.refused = None

    def offer(self, content):
        self.generation += 1
        self.wanted = content
        self.proofs = offer(self.proofs, {"t": made(content, self.generation, ord(content), content)})

    def send(self, _=None):
        if self.flight is None and self.wanted not in {None, self.told, self.refused}:
            self.flight, self.answer = self.wanted, ""
            self.proofs = send(self.proofs, {"t": self.flight})

    def take(self, _=None):
        if self.flight and not self.answer:
            self.holds, self.answer = self.flight, "taken"

    def refuse(self, _=None):
        if self.flight and not self.answer:
            self.answer = "refused"

    def hear(self, _=None):
        if self.answer == "taken":
            self.told = self.flight
            self.proofs = hold(self.proofs, {"t": self.flight})
        elif self.answer == "refused":
            self.refused = self.flight
            self.proofs = land(self.proofs, ["t"])
        if self.answer:
            self.flight, self.answer = None, ""

    def reconnect(self, _=None):
        """What was on its way is lost, be it the version or the answer; then Envoy tells what it holds."""
        self.flight, self.answer, self.told = None, "", self.holds
        if self.holds:
            self.proofs = hold(self.proofs, {"t": self.holds})
        else:
            self.proofs = land(self.proofs, ["t"])

    def check(self):
        need = Need("r", {"t": Claim(self.generation, ord(self.wanted))} if self.wanted else {}, {})
        is_proven = is_acknowledged(self.proofs, need)
        assert not is_proven or self.holds == self.wanted
        assert self.holds is None or self.holds in named(self.proofs)
        return is_proven


MOVES = st.one_of(
    st.tuples(st.just("offer"), st.sampled_from("abc")),
    st.tuples(st.sampled_from(["send", "take", "hear", "refuse", "reconnect"]), st.none()),
)


@given(st.lists(MOVES, max_size=30))
def test_nothing_counts_as_acknowledged_that_envoy_does_not_hold_and_in_the_end_all_does(moves):
    envoy = Envoy()
    for move, content in moves:
        getattr(envoy, move)(content)
        envoy.check()
    envoy.offer("d")
    for _ in range(3):
        envoy.send()
        envoy.take()
        envoy.hear()
        envoy.check()
    assert envoy.check()


def test_a_claim_tells_generations_and_rules_and_hosts_apart():
    def claim(generation=1, host="a.test", text="/"):
        owner = RouteId("HTTPRoute", Key("default", "r"), "r", generation)
        return claims_of(Table("t", (VirtualHost(host, (Rule(owner, Match(PathMatch("Exact", text)), Action()),)),)))[
            "r"
        ]

    assert claim() == claim()
    assert len({claim(), claim(2), claim(host="b.test"), claim(text="/x")}) == 4


def route(uid, generation=1):
    return {"metadata": {"uid": uid, "generation": generation}}


def settled(routes, bad, state=None, *, tables=("t",)):
    """Offer, hear Envoy, and offer again until nothing changes: the state, what is served, and the refusals heard."""
    state, heard = state or Admission(), 0
    for _ in range(100):
        state = look(state, routes, frozenset(tables))
        chosen = stand_ins(state, routes)
        content = {uid: chosen.get(uid, obj) for uid, obj in routes.items()}
        content = {uid: obj for uid, obj in content.items() if obj is not None}
        before = state
        if any((uid, obj["metadata"]["generation"]) in bad for uid, obj in content.items()):
            state, heard = refuse(state, "t", content, "no"), heard + 1
        else:
            state = accept(state, "t", content)
            if state.trials == before.trials:
                return state, content, heard
    raise AssertionError(state)


@given(st.sets(st.integers(0, 40), min_size=1), st.data())
def test_exactly_the_refused_routes_are_found_and_all_others_served(numbers, data):
    bad = {(f"r{n}", 1) for n in data.draw(st.sets(st.sampled_from(sorted(numbers)), max_size=4))}
    routes = {f"r{n}": route(f"r{n}") for n in numbers}
    state, content, heard = settled(routes, bad)
    assert set(state.refusals) == {uid for uid, _ in bad}
    assert content.keys() == routes.keys() - state.refusals.keys()
    assert heard <= len(bad) * 8 + 1  # halves: not one after the other


@given(st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12)))
def test_what_envoy_took_before_stays_served_in_every_step(changed, bad):
    routes = {f"r{n}": route(f"r{n}") for n in range(13)}
    state, _, _ = settled(routes, set())
    newer = {**routes, **{f"r{n}": route(f"r{n}", 2) for n in changed}}
    state, content, _ = settled(newer, {(f"r{n}", 2) for n in bad}, state)
    assert content.keys() == routes.keys()
    for n in range(13):
        assert content[f"r{n}"]["metadata"]["generation"] == (2 if n in changed - bad else 1)
    repaired = {uid: route(uid, 3) for uid in newer}
    state, content, _ = settled(repaired, set(), state)
    assert (content, state.refusals, state.trials) == (repaired, {}, ())


def test_nobody_is_to_blame_for_what_envoy_took_before():
    routes = {"a": route("a")}
    state, content, _ = settled(routes, set())
    assert refuse(state, "t", content, "no") is state


def test_a_trial_ends_with_its_routes_and_with_its_table():
    routes = {"a": route("a"), "b": route("b")}
    state = refuse(Admission(), "t", routes, "no")
    assert [trial.uids for trial in state.trials] == [{"a"}, {"b"}]
    assert stand_ins(state, routes) == {"b": None}
    assert [trial.uids for trial in look(state, {"b": route("b")}, frozenset("t")).trials] == [{"b"}]
    assert look(state, routes, frozenset()).trials == ()


def test_other_tables_and_other_routes_do_not_end_a_trial():
    known = accept(Admission(), "u", {"z": route("z")})
    state = refuse(known, "t", {"a": route("a"), "b": route("b")}, "no")
    assert accept(state, "t", {"z": route("z")}).trials == state.trials
    assert accept(state, "u", {"a": route("a")}).trials == state.trials
    later = accept(state, "t", {"a": route("a")})
    assert [trial.uids for trial in later.trials] == [{"b"}]
    assert later.taken.keys() == {"a", "z"}


def test_what_envoy_holds_already_is_no_part_of_a_trial():
    known = accept(Admission(), "t", {"z": route("z")})
    routes = {"a": route("a"), "b": route("b"), "z": route("z")}
    state = refuse(known, "t", routes, "no")
    assert stand_ins(state, routes) == {"b": None}
    assert stand_ins(state, {**routes, "z": route("z", 2)}) == {"b": None, "z": route("z")}


def test_gone_routes_are_forgotten():
    state = accept(Admission(), "t", {"a": route("a"), "b": route("b")})
    assert look(state, {"a": route("a")}, frozenset("t")).taken.keys() == {"a"}
