"""The parts of a pod that change by a way of their own: containers added to debug it, and resources."""

import pytest

from drumroll.objects.wire import STRATEGIC_MERGE_PATCH
from tests.apiserver.server import PODS, pod

pytestmark = pytest.mark.asyncio
ADDED = f"{PODS}/web/ephemeralcontainers"
RESIZED = f"{PODS}/web/resize"


def debugger(name="debugger", **more):
    return {"name": name, "image": "tools:1", **more}


async def add(server, *containers):
    patch = {"spec": {"ephemeralContainers": list(containers)}}
    return await server.call("PATCH", ADDED, patch, content_type=STRATEGIC_MERGE_PATCH)


async def test_a_container_is_added_to_a_pod_with_defaults(server):
    await server.made("POST", PODS, pod("web"))
    status, found = await add(server, debugger(targetContainerName="c"))
    (container,) = found["spec"]["ephemeralContainers"]
    assert (status, found["metadata"]["generation"]) == (200, 2)
    assert container == {
        "name": "debugger",
        "image": "tools:1",
        "targetContainerName": "c",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    _, found = await add(server, debugger("second"))
    assert {one["name"] for one in found["spec"]["ephemeralContainers"]} == {"debugger", "second"}
    assert await server.made("GET", ADDED) == found == await server.made("GET", f"{PODS}/web")


async def test_nothing_else_changes_with_it(server):
    before = await server.made("POST", PODS, pod("web"))
    changed = {**before, "spec": {**before["spec"], "ephemeralContainers": [debugger()], "nodeName": "elsewhere"}}
    changed["metadata"] = {**before["metadata"], "labels": {"x": "y"}}
    after = await server.made("PUT", ADDED, changed)
    assert "labels" not in after["metadata"]
    assert "nodeName" not in after["spec"]
    assert {**after["spec"], "ephemeralContainers": []} == {**before["spec"], "ephemeralContainers": []}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (debugger("c"), 'spec.ephemeralContainers[0].name: Duplicate value: "c"'),
        (
            debugger(ports=[{"containerPort": 80}]),
            "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
        ),
        (
            debugger(targetContainerName="nobody"),
            'spec.ephemeralContainers[0].targetContainerName: Not found: "nobody"',
        ),
    ],
)
async def test_what_may_not_be_added(server, container, message):
    await server.made("POST", PODS, pod("web"))
    status, answer = await add(server, container)
    assert (status, answer["message"]) == (422, f'Pod "web" is invalid: {message}')


async def test_what_was_added_stays_as_it_is(server):
    await server.made("POST", PODS, pod("web"))
    _, found = await add(server, debugger())
    found["spec"]["ephemeralContainers"] = []
    message = await server.refused(422, "PUT", ADDED, found)
    assert 'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debugger" may not be removed' in message
    status, answer = await add(server, debugger(image="tools:2"))
    assert status == 422
    assert 'existing ephemeral containers "debugger" may not be changed' in answer["message"]
    assert '- "image": "tools:1"' in answer["message"]
    assert '+ "image": "tools:2"' in answer["message"]


async def test_a_pod_is_neither_made_with_such_containers_nor_changed_to_have_them(server):
    message = await server.refused(422, "POST", PODS, pod("web", ephemeralContainers=[debugger()]))
    assert message == 'Pod "web" is invalid: spec.ephemeralContainers: Forbidden: cannot be set on create'
    found = await server.made("POST", PODS, pod("web"))
    found["spec"]["ephemeralContainers"] = [debugger()]
    assert "may not change fields other than" in await server.refused(422, "PUT", f"{PODS}/web", found)


def sized(cpu, memory="64Mi"):
    return {"name": "c", "image": "i:1", "resources": {"requests": {"cpu": cpu, "memory": memory}}}


async def resize(server, container):
    patch = {"spec": {"containers": [container]}}
    return await server.call("PATCH", RESIZED, patch, content_type=STRATEGIC_MERGE_PATCH)


async def test_a_pod_that_does_not_run_yet_is_resized(server):
    before = await server.made("POST", PODS, pod("web", containers=[sized("100m")]))
    status, found = await resize(server, sized("200m"))
    assert status == 200, found
    assert found["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "200m", "memory": "64Mi"}
    assert found["metadata"]["generation"] == before["metadata"]["generation"] + 1
    found["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "300m"
    assert "pod updates may not change fields" in await server.refused(422, "PUT", f"{PODS}/web", found)


async def test_a_resize_changes_nothing_but_resources(server):
    await server.made("POST", PODS, pod("web", containers=[sized("100m")]))
    status, found = await resize(server, {**sized("200m"), "image": "i:2"})
    assert (status, found["spec"]["containers"][0]["image"]) == (200, "i:1")


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (
            {"name": "c", "resources": {"requests": None}},
            'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
        ),
        (
            {"name": "c", "resources": {"requests": {"memory": None}}},
            "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
        ),
        (
            {"name": "c", "resources": {"limits": {"memory": "70Mi"}}},
            "spec.containers[0].resources.limits[memory]: Forbidden: memory limits cannot be added unless resizePolicy"
            " is RestartContainer",
        ),
        ({"name": "new", "image": "i:1"}, "spec: Forbidden: only cpu and memory resources are mutable"),
    ],
)
async def test_what_a_resize_may_not_do(server, container, message):
    await server.made("POST", PODS, pod("web", containers=[sized("100m")]))
    status, answer = await resize(server, container)
    assert status == 422
    assert message in answer["message"]


async def test_a_pod_that_runs_here_is_not_resized(server):
    """No node of this cluster changes the limits of what runs; the answer is the original's for such a node."""
    await server.made("POST", PODS, pod("web", containers=[sized("100m")]))
    running = {"name": "c", "image": "i:1", "imageID": "", "ready": True, "restartCount": 0, "state": {"running": {}}}
    await server.made("PATCH", f"{PODS}/web/status", {"status": {"containerStatuses": [running]}})
    status, answer = await resize(server, sized("200m"))
    assert (status, answer["message"]) == (
        422, 'Pod "web" is invalid: spec: Forbidden: Pod running on node without support for resize',
    )  # fmt: skip


async def test_clients_find_both_by_discovery(server):
    resources = (await server.made("GET", "/api/v1"))["resources"]
    found = {one["name"]: (one["kind"], one["verbs"]) for one in resources if one["name"].startswith("pods/")}
    for name in ("pods/ephemeralcontainers", "pods/resize"):
        assert found[name] == ("Pod", ["get", "patch", "update"])
