"""The life of an endpoint: bounds hold for every order of events, with acknowledgements late, lost or repeated."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.endpoint_life import (
    Address,
    ClusterLife,
    Drain,
    Phase,
    Reading,
    SliceEndpoint,
    acknowledge,
    advance,
    drain_deadline,
    drain_of,
    healthy_of,
    may_fall_back,
    observe,
    seed,
)
from drumroll.objects.meta import timestamp

A, B, C = (Address(f"10.244.0.{n}", 8080) for n in (1, 2, 3))
SILENT = Reading(0, 7, 3)

wishes = st.frozensets(st.sampled_from([A, B, C]))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("wish"), wishes),
        st.tuples(st.just("ack"), st.integers(0, 12)),
        st.tuples(st.just("read"), st.dictionaries(st.sampled_from([A, B, C]), st.integers(0, 2))),
    ),
    max_size=40,
)


def play(story):
    """Every life that a story goes through, with the one before."""
    life, wish, at = ClusterLife(), frozenset(), 0.0
    for kind, value in story:
        at += 0.011
        before = life
        if kind == "wish":
            wish = value
        elif kind == "ack":
            # Envoy acknowledges what it was sent, in whatever order the news of it arrives
            life = acknowledge(life, min(value, life.version))
        else:
            life = observe(life, {a: Reading(n, n, n) for a, n in value.items()}, at)
        yield before, life
        before, life = life, advance(life, wish)
        yield before, life


@given(steps)
def test_nothing_goes_straight_from_healthy_to_absent(story):
    for before, after in play(story):
        for address, entry in before.entries.items():
            if entry.phase is Phase.HEALTHY:
                assert address in after.entries


@given(steps)
def test_an_endpoint_leaves_only_when_its_draining_was_acknowledged_and_it_is_idle(story):
    for before, after in play(story):
        for address in before.entries.keys() - after.entries.keys():
            entry = before.entries[address]
            assert entry.phase is Phase.DRAINING
            assert entry.idle
            assert before.acked >= entry.since


@given(steps)
def test_removals_wait_until_additions_are_acknowledged(story):
    for before, after in play(story):
        if before.entries.keys() - after.entries.keys():
            assert before.is_settled()
            assert not after.entries.keys() - before.entries.keys()


@given(steps)
def test_versions_count_changes_and_acknowledgements_never_overtake(story):
    for before, after in play(story):
        phases = [{a: e.phase for a, e in life.entries.items()} for life in (before, after)]
        assert (phases[0] != phases[1]) == (after.version == before.version + 1)
        assert before.acked <= after.acked <= after.version


@given(steps, wishes)
def test_a_quiet_world_ends_with_exactly_the_wish(story, wish):
    life = next((after for _, after in reversed(list(play(story)))), ClusterLife())
    for turn in range(6):
        life = observe(acknowledge(advance(life, wish), life.version + 1), {}, 1000.0 + turn)
        life = acknowledge(life, life.version)
    assert {a: e.phase for a, e in life.entries.items()} == dict.fromkeys(wish, Phase.HEALTHY)
    assert life.is_settled()


def draining():
    return advance(acknowledge(advance(ClusterLife(), frozenset({A, B})), 1), frozenset({B}))


def test_an_endpoint_that_is_wanted_again_takes_requests_at_once_however_busy_it_is():
    life = advance(draining(), frozenset({A, B}))
    assert {a: e.phase for a, e in life.entries.items()} == {A: Phase.HEALTHY, B: Phase.HEALTHY}


def test_only_what_drains_is_waited_for():
    assert draining().draining() == [A]


def test_an_unacknowledged_drain_is_never_idle():
    life = draining()
    for n in range(10):
        life = observe(life, {A: SILENT}, n * 1.0)
    assert drain_of([life], A.ip) is Drain.BUSY


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        pytest.param([(0.0, SILENT)], Drain.BUSY, id="one read is not enough"),
        pytest.param([(0.0, SILENT), (0.019, SILENT)], Drain.BUSY, id="two reads too close"),
        pytest.param([(0.0, SILENT), (0.02, SILENT)], Drain.IDLE, id="two silent reads 20 ms apart"),
        pytest.param([(5.0, SILENT), (5.01, SILENT)], Drain.BUSY, id="whenever that is"),
        pytest.param([(0.0, SILENT), (0.03, Reading(0, 8, 3))], Drain.BUSY, id="a request came and went between"),
        pytest.param([(0.0, SILENT), (0.03, Reading(0, 7, 4))], Drain.BUSY, id="a connection was opened between"),
        pytest.param([(0.0, Reading(1, 7, 3)), (0.03, SILENT)], Drain.BUSY, id="the first read was busy"),
        pytest.param(
            [(0.0, SILENT), (0.03, Reading(1, 8, 3)), (0.06, SILENT)], Drain.BUSY, id="a busy read starts anew"
        ),
        pytest.param([(0.0, Reading(1, 7, 3)), (9.0, Reading(1, 7, 3))], Drain.BUSY, id="an open WebSocket"),
    ],
)
def test_silence_takes_two_equal_reads(reads, expected):
    life = acknowledge(draining(), 2)
    for at, reading in reads:
        life = observe(life, {A: reading}, at)
    assert drain_of([life], A.ip) is expected


def test_every_cluster_must_be_idle():
    idle = acknowledge(draining(), 2)
    for at in (0.0, 1.0):
        idle = observe(idle, {A: SILENT}, at)
    assert drain_of([idle, draining()], A.ip) is Drain.BUSY
    assert drain_of([idle, ClusterLife()], A.ip) is Drain.IDLE
    assert drain_of([idle], C.ip) is Drain.NOT_SERVED


def test_a_late_acknowledgement_of_older_content_does_not_count():
    life = advance(ClusterLife(), frozenset({A}))
    life = advance(life, frozenset())
    assert not acknowledge(life, 1).is_settled()
    assert acknowledge(acknowledge(life, 2), 1).is_settled()


def test_an_acknowledgement_of_what_was_never_sent_does_not_count():
    life = advance(ClusterLife(), frozenset({A}))
    assert acknowledge(life, 2) is life


def test_a_surviving_envoys_endpoints_are_idle_when_it_has_acknowledged_and_fallen_silent():
    life = acknowledge(advance(seed([A]), frozenset()), 1)
    for at in (0.0, 1.0):
        life = observe(life, {A: SILENT}, at)
    assert drain_of([life], A.ip) is Drain.IDLE


def test_what_a_surviving_envoy_holds_drains_like_everything_else():
    life = advance(seed([A, B]), frozenset({B, C}))
    assert {a: e.phase for a, e in life.entries.items()} == {A: Phase.DRAINING, B: Phase.HEALTHY, C: Phase.HEALTHY}
    assert not life.is_settled()


def test_nobody_waits_for_a_pod_that_is_gone():
    life = draining()
    assert A in advance(life, frozenset({B}), frozenset({A})).entries
    assert A not in advance(acknowledge(life, 2), frozenset({B}), frozenset({A})).entries


def endpoint(address, *, ready=True, serving=True, terminating=False, may=True):
    return SliceEndpoint(address, ready, serving, terminating, may)


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        pytest.param([endpoint(A), endpoint(B, ready=False, serving=False)], {A}, id="ready ones only"),
        pytest.param(
            [endpoint(A), endpoint(B, ready=False, terminating=True)], {A}, id="no fallback beside a ready one"
        ),
        pytest.param([endpoint(A, ready=False, terminating=True)], {A}, id="fallback to terminating and serving"),
        pytest.param(
            [endpoint(A, ready=False, serving=False, terminating=True)], set(), id="not if it fails its probe"
        ),
        pytest.param([endpoint(A, ready=False, terminating=True, may=False)], set(), id="not past its time"),
        pytest.param([endpoint(A, ready=False, serving=False)], set(), id="never to one that only is not ready"),
        pytest.param([endpoint(A, terminating=True), endpoint(B)], {B}, id="published not-ready addresses drain too"),
    ],
)
def test_who_takes_new_requests(endpoints, expected):
    assert healthy_of(endpoints) == expected


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def deleted(grace=30, sleep=None):
    container = {"name": "a", **({"lifecycle": {"preStop": {"sleep": {"seconds": sleep}}}} if sleep else {})}
    meta = {"deletionTimestamp": timestamp(NOON + timedelta(seconds=grace)), "deletionGracePeriodSeconds": grace}
    return {"metadata": {"name": "p", "uid": "u", **meta}, "spec": {"containers": [container]}}


@pytest.mark.parametrize(
    ("grace", "sleep", "budget"),
    [(30, None, 22.5), (30, 10, 12.5), (8, None, 6), (2, None, 0), (0, None, 0), (5, 5, 0)],
)
def test_the_budget_leaves_time_for_the_programs_own_shutdown(grace, sleep, budget):
    assert drain_deadline(deleted(grace, sleep)) == NOON + timedelta(seconds=budget)


@pytest.mark.parametrize(
    ("after", "replacement", "expected"),
    [
        pytest.param(0.1, False, True, id="a replacement may still appear"),
        pytest.param(0.5, False, False, id="none has appeared"),
        pytest.param(15, True, True, id="one is on its way"),
        pytest.param(0.3, False, False, id="three tenths of a second are over"),
        pytest.param(20.4, True, True, id="two seconds and a little are left"),
        pytest.param(20.5, True, False, id="time to drain must be left"),
    ],
)
def test_how_long_a_deleted_pod_may_go_on_serving(after, replacement, expected):
    now = NOON + timedelta(seconds=after)
    assert may_fall_back(deleted(), replacement=replacement, seen=NOON, now=now) is expected


def test_a_pod_that_stays_has_no_drain_deadline_and_needs_no_fallback():
    pod = {"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": []}}
    assert drain_deadline(pod) is None
    assert not may_fall_back(pod, replacement=True, seen=NOON, now=NOON)


def test_an_endpoint_may_not_fall_back_unless_its_pod_was_asked():
    assert healthy_of([SliceEndpoint(A, ready=False, serving=True, terminating=True)]) == set()


def test_a_drained_pod_never_takes_requests_again():
    pod = deleted()
    pod["status"] = {"conditions": [{"type": "drumroll.dev/Drained", "status": "True"}]}
    assert not may_fall_back(pod, replacement=True, seen=NOON, now=NOON)
