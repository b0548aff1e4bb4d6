"""Readings that start again, and sums that do not."""

from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.envoy.counting import BOUNDS_MS
from drumroll.domain.mesh.exposition import exposition
from drumroll.domain.mesh.reading import Answer, Durations, End, Goal, Reading, Target, parse
from drumroll.domain.mesh.sums import HELP, Sums, is_error

FRONT = Target("shop/front/http", "abc")
WHERE = (("namespace", "shop"), ("port", "http"), ("revision", "abc"), ("service", "front"))


def answered(code, count, flags="-", grpc="", target=FRONT):
    return {Answer(target, code, flags, grpc): count}


def named(sums):
    found = {}
    for labels, value in sums.figures():
        known = dict(labels)
        found.setdefault(known.pop("__name__"), {})[tuple(sorted(known.items()))] = value
    return found


def total(sums):
    return sum(named(sums).get("drumroll_requests_total", {}).values())


def test_envoys_text_is_read():
    text = (
        'envoy_mesh_rq{c="shop/front/http",r="abc",s="200",f="-",g=""} 11\n'
        "# TYPE envoy_mesh_us histogram\n"
        'envoy_mesh_goal{c="shop/front/http",r="abc",t=""} 10\n'
        'envoy_mesh_goal{c="shop/front/http",r="abc",t="say \\"yes\\""} 1\n'
        'envoy_mesh_us_bucket{c="shop/front/http",r="abc",le="1000"} 3\n'
        'envoy_mesh_us_bucket{c="shop/front/http",r="abc",le="+Inf"} 4\n'
        'envoy_mesh_us_sum{c="shop/front/http",r="abc"} 5037.5\n'
        'envoy_mesh_cx{c="shop/db/tcp",r="abc"} 7\n'
        'envoy_mesh_cxend{c="shop/db/tcp",r="",f="UH"} 2\n'
        "envoy_other 1\n"
    )
    found = parse(text)
    assert found.answers == answered("200", 11)
    assert found.goals == {Goal(FRONT, 'say "yes"'): 1}
    assert found.opened == {Target("shop/db/tcp", "abc"): 7}
    assert found.ended == {End(Target("shop/db/tcp", ""), "UH"): 2}
    assert found.durations == {FRONT: Durations((3, 4), 0.0050375)}


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=6))
def test_every_request_is_counted_once_however_often_envoy_starts_again(lives):
    """Each life of an Envoy is a list of what was added between two readings; nothing was added unseen."""
    sums = Sums()
    before = 0
    for life in lives:
        count = 0
        for added in life:
            count += added
            sums.fold(Reading(answered("200", count) if count else {}))
            after = total(sums)
            assert after >= before
            before = after
        sums.fold(Reading())  # it has ended, and its successor has counted nothing yet
    assert total(sums) == sum(map(sum, lives))


def test_errors_are_there_from_the_first_request_on():
    sums = Sums()
    sums.fold(Reading(answered("200", 5)))
    assert named(sums)["drumroll_request_errors_total"] == {WHERE: 0}
    sums.fold(
        Reading(answered("200", 6) | answered("503", 2, "UF") | answered("200", 1, "UR") | answered("0", 3, "DC"))
    )
    assert named(sums)["drumroll_request_errors_total"] == {WHERE: 3}
    codes = {dict(labels)["code"]: value for labels, value in named(sums)["drumroll_requests_total"].items()}
    assert codes == {"200": 7, "503": 2, "0": 3}
    classes = {dict(labels)["code_class"] for labels in named(sums)["drumroll_requests_total"]}
    assert classes == {"2xx", "5xx", "0xx"}


def test_a_grpc_status_may_be_an_error_though_the_code_is_200():
    assert [is_error(Answer(FRONT, "200", "-", status)) for status in ("", "0", "5", "13")] == [
        False,
        False,
        False,
        True,
    ]


def test_histograms_go_on_after_a_restart():
    bounds = len(BOUNDS_MS) + 1
    sums = Sums()
    sums.fold(Reading(answered("200", 4), {FRONT: Durations((*[1] * (bounds - 1), 4), 2.0)}))
    sums.fold(Reading(answered("200", 1), {FRONT: Durations((*[0] * (bounds - 1), 1), 0.5)}))
    figures = named(sums)
    assert figures["drumroll_request_duration_seconds_count"] == {WHERE: 5}
    assert figures["drumroll_request_duration_seconds_sum"] == {WHERE: 2.5}
    buckets = {
        dict(labels)["le"]: value for labels, value in figures["drumroll_request_duration_seconds_bucket"].items()
    }
    assert (buckets["0.001"], buckets["60"], buckets["+Inf"]) == (1, 1, 5)


def test_requests_of_nobody_and_of_our_own_service_are_left_out():
    sums = Sums("drumroll-system")
    ours = Target("drumroll-system/prometheus/http", "")
    sums.fold(Reading(answered("404", 1, target=Target("", "")) | answered("200", 9, target=ours)))
    assert named(sums) == {}


def connected(opened, target=FRONT, **ends):
    return Reading(opened={target: opened}, ended={End(target, flags): count for flags, count in ends.items()})


def connections(sums):
    figures = named(sums)
    names = ("drumroll_tcp_connections_total", "drumroll_tcp_connection_errors_total")
    return tuple(figures.get(name, {}).get(WHERE) for name in names)


def test_connections_are_counted_when_they_reach_a_pod_and_when_they_reach_none():
    sums = Sums()
    sums.fold(connected(3))
    assert connections(sums) == (3, 0)
    sums.fold(connected(4, UF=1))  # the second pod that was tried took it
    assert connections(sums) == (4, 0)
    sums.fold(Reading(opened={FRONT: 4}, ended={End(FRONT, "UF,URX"): 2, End(FRONT, "-"): 3, End(FRONT, "UF"): 1}))
    assert connections(sums) == (6, 2)
    sums.fold(connected(1, UH=1))  # Envoy has begun anew
    assert connections(sums) == (8, 3)
    assert sums.clusters() == {"shop/front/http": "drumroll_tcp_connections_active"}
    sums.fold(Reading())
    sums.forget()
    assert connections(sums) == (None, None)
    assert sums.clusters() == {"shop/front/http": "drumroll_tcp_connections_active"}  # some may be open still
    sums.fold(Reading(answered("200", 1)))
    assert sums.clusters() == {"shop/front/http": "drumroll_requests_active"}


def test_what_envoy_forgot_is_forgotten_and_nothing_else():
    sums = Sums()
    old = Target("shop/front/http", "old")
    sums.fold(Reading(answered("200", 4, target=old) | answered("200", 1), goals={Goal(old, "bought"): 2}))
    sums.fold(Reading(answered("200", 2)))
    sums.forget()
    assert {dict(labels)["revision"] for series in named(sums).values() for labels in series} == {"abc"}
    assert total(sums) == 2


def test_the_text_is_what_prometheus_reads():
    sums = Sums()
    sums.fold(Reading(answered("200", 5)))
    text = exposition([*sums.figures()], HELP)
    assert (
        'drumroll_requests_total{code="200",code_class="2xx",'
        'namespace="shop",port="http",revision="abc",service="front"} 5'
    ) in text.splitlines()
    assert "# TYPE drumroll_requests_total counter" in text
