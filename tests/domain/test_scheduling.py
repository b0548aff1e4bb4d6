"""Room on the one node, and the scheduler's words when there is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.scheduling import Resources, refusals, requests_of, unschedulable_message, used_by

NODE = {
    "metadata": {"name": "node", "labels": {"kubernetes.io/os": "linux"}},
    "spec": {},
    "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "10"}},
}


def container(cpu=None, memory=None, limit=None):
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"resources": {"requests": requests, "limits": {"cpu": limit} if limit else {}}}


def pod(*containers, init=(), phase="Running", **spec):
    body = {"containers": list(containers), "initContainers": list(init), "nodeName": "node", **spec}
    return {"metadata": {"name": "web"}, "spec": body, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(pod(container()), Resources(0, 0, 1), id="no requests"),
        pytest.param(pod(container("250m"), container("1", "64Mi")), Resources(1250, 64 << 20, 1), id="they add up"),
        pytest.param(pod(container(limit="250m")), Resources(250, 0, 1), id="a limit is a request where none is given"),
        pytest.param(pod(container("1"), init=[container("3")]), Resources(3000, 0, 1), id="a larger init container"),
        pytest.param(
            pod(container(memory="2Mi"), init=[container(memory="3Mi"), container(memory="1Mi")]),
            Resources(0, 3 << 20, 1),
            id="the largest of several",
        ),
        pytest.param(pod(container("1"), init=[container("500m")]), Resources(1000, 0, 1), id="a smaller one"),
    ],
)
def test_requests(subject, expected):
    assert requests_of(subject) == expected


@pytest.mark.parametrize(
    ("subject", "used", "expected"),
    [
        pytest.param(pod(container("2")), Resources(), [], id="it fits exactly"),
        pytest.param(pod(container("2")), Resources(cpu=1), ["Insufficient cpu"], id="a thousandth too much"),
        pytest.param(pod(container()), Resources(cpu=9999), [], id="without requests cpu does not matter"),
        pytest.param(pod(container()), Resources(memory=9 << 30), [], id="nor does memory"),
        pytest.param(pod(container(memory="1Gi")), Resources(), [], id="memory fits exactly"),
        pytest.param(pod(container(memory="1Gi")), Resources(memory=1), ["Insufficient memory"], id="a byte too much"),
        pytest.param(pod(container()), Resources(pods=9), [], id="the last place"),
        pytest.param(
            pod(container("3", "2Gi")), Resources(), ["Insufficient cpu", "Insufficient memory"], id="both are missing"
        ),
        pytest.param(pod(container()), Resources(pods=10), ["Too many pods"], id="the node is full"),
        pytest.param(
            pod(container(), nodeSelector={"disk": "ssd"}), Resources(),
            ["node(s) didn't match Pod's node affinity/selector"], id="another node is asked for",
        ),
        pytest.param(
            pod(container(), nodeSelector={"kubernetes.io/os": "linux"}), Resources(), [], id="this one is asked for"
        ),
    ],
)  # fmt: skip
def test_refusals(subject, used, expected):
    assert refusals(subject, NODE, used) == expected


def test_a_cordoned_node_takes_nothing():
    node = {**NODE, "spec": {"unschedulable": True}}
    assert refusals(pod(container()), node, Resources()) == ["node(s) were unschedulable"]


def test_ended_pods_and_pods_of_other_nodes_take_no_room():
    ended = [pod(container("2"), phase=phase) for phase in ("Failed", "Succeeded")]
    others = [pod(container("4"), nodeName="other"), pod(container("4"), nodeName="")]
    here = [pod(container("1")), pod(container("1", "1Mi"), phase="Pending")]
    assert used_by([*ended, *others, *here], "node") == Resources(2000, 1 << 20, 2)


def test_message():
    assert unschedulable_message(["Insufficient memory", "Insufficient cpu"]) == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. no new claims to deallocate, "
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )


def test_message_when_no_victim_could_help():
    assert "Preemption is not helpful for scheduling" in unschedulable_message(["node(s) were unschedulable"])


@given(st.lists(st.integers(1, 2500), max_size=30))
def test_admission_never_takes_more_than_there_is(requests):
    used = Resources()
    for cpu in requests:
        subject = pod(container(f"{cpu}m"))
        if not refusals(subject, NODE, used):
            used += requests_of(subject)
    assert used.cpu <= 2000
    assert used.pods <= 10
