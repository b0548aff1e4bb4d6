"""Events: counted when equal, combined when similar, silenced when too many."""

from datetime import UTC, datetime, timedelta

import pytest

from drumroll.domain.events import About, Correlator, CreateEvent, Occurrence, PatchEvent, Source, is_expired
from drumroll.objects.meta import Obj

NOW = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)
WEB = About("apps/v1", "Deployment", "shop", "web", "uid")


def said(message: str, about: About = WEB, reason: str = "ScalingReplicaSet") -> Occurrence:
    return Occurrence(about, "Normal", reason, message)


def correlator() -> Correlator:
    return Correlator(Source("deployment-controller"))


def test_a_first_event_is_written_whole() -> None:
    found = correlator().correlate(said("up"), NOW)
    assert isinstance(found, CreateEvent)
    event = found.event
    assert event["metadata"]["namespace"] == "shop"
    assert event["metadata"]["name"].startswith("web.")
    assert event["involvedObject"] == {
        "kind": "Deployment", "namespace": "shop", "name": "web", "uid": "uid", "apiVersion": "apps/v1",
    }  # fmt: skip
    assert (event["count"], event["source"], event["type"]) == (1, {"component": "deployment-controller"}, "Normal")


def test_the_same_again_is_counted() -> None:
    events = correlator()
    first = events.correlate(said("up"), NOW)
    again = events.correlate(said("up"), NOW + timedelta(seconds=5))
    assert isinstance(first, CreateEvent)
    assert isinstance(again, PatchEvent)
    assert again.name == first.event["metadata"]["name"]
    assert again.patch == {"count": 2, "lastTimestamp": "2026-11-22T22:00:05Z"}


def test_the_tenth_similar_event_is_combined_and_later_ones_count_on_it() -> None:
    events = correlator()
    found = [events.correlate(said(f"step {n}"), NOW) for n in range(12)]
    assert all(isinstance(one, CreateEvent) for one in found[:10])
    tenth, eleventh = found[9], found[10]
    assert isinstance(tenth, CreateEvent)
    assert tenth.event["message"] == "(combined from similar events): step 9"
    assert isinstance(eleventh, PatchEvent)
    assert eleventh.patch == {"count": 2, "message": "(combined from similar events): step 10"}


def test_after_ten_quiet_minutes_events_stand_alone_again() -> None:
    events = correlator()
    for n in range(12):
        events.correlate(said(f"step {n}"), NOW)
    found = events.correlate(said("step 99"), NOW + timedelta(minutes=10, seconds=1))
    assert isinstance(found, CreateEvent)
    assert found.event["message"] == "step 99"


def test_other_objects_and_reasons_are_not_similar() -> None:
    events = correlator()
    for n in range(9):
        events.correlate(said(f"step {n}"), NOW)
    for other in (said("x", About("apps/v1", "Deployment", "shop", "api")), said("x", reason="Other")):
        found = events.correlate(other, NOW)
        assert isinstance(found, CreateEvent)
        assert found.event["message"] == "x"


def test_a_burst_of_25_per_object_then_one_in_five_minutes() -> None:
    events = correlator()
    written = [events.correlate(said(f"step {n}"), NOW) for n in range(40)]
    assert sum(one is not None for one in written) == 25
    assert events.correlate(said("late"), NOW + timedelta(seconds=299)) is None
    assert events.correlate(said("later"), NOW + timedelta(seconds=301)) is not None
    assert events.correlate(said("other", About("v1", "Pod", "shop", "p")), NOW) is not None


def test_names_grow_with_time_even_within_a_moment() -> None:
    events = correlator()
    found = [events.correlate(said(f"step {n}"), NOW) for n in range(5)]
    names = [one.event["metadata"]["name"] for one in found if isinstance(one, CreateEvent)]
    assert names == sorted(set(names))


@pytest.mark.parametrize(
    ("event", "gone"),
    [
        pytest.param({"lastTimestamp": "2026-11-22T20:59:59Z"}, True, id="more than an hour ago"),
        pytest.param({"lastTimestamp": "2026-11-22T21:00:01Z"}, False, id="less than an hour ago"),
        pytest.param({"eventTime": "2026-11-22T20:00:00.000000Z"}, True, id="in the newer form"),
        pytest.param(
            {"eventTime": "2026-11-22T20:00:00.000000Z", "series": {"lastObservedTime": "2026-11-22T21:30:00.000000Z"}},
            False,
            id="a series that goes on",
        ),
        pytest.param({"lastTimestamp": "yesterday"}, False, id="no time at all"),
        pytest.param({}, True, id="only its creation is known"),
    ],
)
def test_an_event_goes_an_hour_after_its_last_write(event: Obj, gone: bool) -> None:
    created = {"metadata": {"creationTimestamp": "2026-11-22T20:00:00Z"}}
    assert is_expired({**created, **event}, NOW) is gone
