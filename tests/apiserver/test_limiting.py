"""What a namespace's limits and quotas and the cluster's priorities allow, over HTTP's own words."""

import asyncio

import pytest

from tests.apiserver.server import CONFIG_MAPS, PODS, config_map

pytestmark = pytest.mark.asyncio
QUOTAS = "/api/v1/namespaces/default/resourcequotas"
LIMITS = "/api/v1/namespaces/default/limitranges"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"


def pod(name, limits=None, requests=None, **spec):
    resources = {part: value for part, value in (("limits", limits), ("requests", requests)) if value}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}], **spec},
    }


def quota(name="q", **spec):
    return {"metadata": {"name": name}, "spec": spec}


async def used(server, name="q"):
    return (await server.made("GET", f"{QUOTAS}/{name}"))["status"].get("used")


async def test_a_quota_is_spent_object_by_object_and_then_refuses(server):
    await server.made("POST", QUOTAS, quota(hard={"count/configmaps": "2", "pods": "1"}))
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    await server.made("POST", CONFIG_MAPS, config_map("b"))
    message = await server.refused(403, "POST", CONFIG_MAPS, config_map("c"))
    assert message == (
        'configmaps "c" is forbidden: exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=2, '
        "limited: count/configmaps=2"
    )
    assert await used(server) == {"count/configmaps": "2", "pods": "0"}
    await server.made("POST", PODS, pod("p"))
    assert (await used(server))["pods"] == "1"


async def test_what_was_there_before_the_quota_counts(server):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    await server.made("POST", QUOTAS, quota(hard={"configmaps": "1"}))
    assert "used: configmaps=1" in await server.refused(403, "POST", CONFIG_MAPS, config_map("b"))


async def test_many_at_once_do_not_get_more_than_there_is(server):
    await server.made("POST", QUOTAS, quota(hard={"count/configmaps": "5"}))
    answers = await asyncio.gather(*(server.call("POST", CONFIG_MAPS, config_map(f"c{n}")) for n in range(20)))
    assert sorted(status for status, _ in answers) == [201] * 5 + [403] * 15
    assert await used(server) == {"count/configmaps": "5"}


async def test_what_is_not_stored_is_given_back(server):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    await server.made("POST", QUOTAS, quota(hard={"count/configmaps": "5"}))
    await server.refused(409, "POST", CONFIG_MAPS, config_map("a"))
    assert await used(server) == {"count/configmaps": "1"}
    await server.made("POST", f"{CONFIG_MAPS}?dryRun=All", config_map("b"))
    assert await used(server) == {"count/configmaps": "1"}


async def test_a_quota_for_cpu_wants_every_container_to_name_it(server):
    await server.made("POST", QUOTAS, quota(hard={"requests.cpu": "1", "limits.memory": "1Gi"}))
    message = await server.refused(403, "POST", PODS, pod("p", requests={"memory": "1Mi"}))
    assert message == 'pods "p" is forbidden: failed quota: q: must specify limits.memory for: c; requests.cpu for: c'
    await server.made("POST", PODS, pod("p", requests={"cpu": "600m"}, limits={"memory": "512Mi"}))
    assert await used(server) == {"requests.cpu": "600m", "limits.memory": "512Mi"}
    message = await server.refused(403, "POST", PODS, pod("r", requests={"cpu": "500m"}, limits={"memory": "1Mi"}))
    assert message.endswith(
        "exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1"
    )


async def test_a_scoped_quota_looks_at_its_own_pods_only(server):
    await server.made("POST", QUOTAS, quota(hard={"pods": "0"}, scopes=["BestEffort"]))
    await server.refused(403, "POST", PODS, pod("p"))
    await server.made("POST", PODS, pod("q", requests={"cpu": "1m"}))


async def test_limits_complete_a_pod_and_say_so(server):
    item = {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m", "memory": "1Mi"}}
    await server.made("POST", LIMITS, {"metadata": {"name": "l"}, "spec": {"limits": [item]}})
    made = await server.made("POST", PODS, pod("p"))
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m"}, "requests": {"cpu": "100m", "memory": "1Mi"},
    }  # fmt: skip
    note = "LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c"
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == note
    assert made["status"]["qosClass"] == "Burstable"
    own = await server.made("POST", PODS, pod("r", limits={"cpu": "1", "memory": "1Gi"}))
    assert own["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}
    assert "annotations" not in own["metadata"]


@pytest.mark.parametrize(
    ("item", "asked", "expected"),
    [
        ({"max": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, "maximum cpu usage per Container is 1, but limit is 2"),
        (
            {"min": {"memory": "1Gi"}}, {"requests": {"memory": "1Mi"}},
            "minimum memory usage per Container is 1Gi, but request is 1Mi",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}}, {"requests": {"cpu": "1"}, "limits": {"cpu": "3"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
    ],
)  # fmt: skip
async def test_limits_refuse_what_is_out_of_bounds(server, item, asked, expected):
    await server.made("POST", LIMITS, {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", **item}]}})
    assert await server.refused(403, "POST", PODS, pod("p", **asked)) == f'pods "p" is forbidden: {expected}'


async def test_a_maximum_alone_is_the_default_too(server):
    item = {"type": "Container", "max": {"cpu": "1"}}
    made = await server.made("POST", LIMITS, {"metadata": {"name": "l"}, "spec": {"limits": [item]}})
    assert made["spec"]["limits"][0]["default"] == made["spec"]["limits"][0]["defaultRequest"] == {"cpu": "1"}


async def test_a_pod_gets_the_priority_of_its_class(server):
    await server.made("POST", CLASSES, {"metadata": {"name": "high"}, "value": 7, "preemptionPolicy": "Never"})
    made = await server.made("POST", PODS, pod("p", priorityClassName="high"))
    assert (made["spec"]["priority"], made["spec"]["preemptionPolicy"]) == (7, "Never")
    system = await server.made("POST", PODS, pod("s", priorityClassName="system-node-critical"))
    assert system["spec"]["priority"] == 2000001000
    message = await server.refused(403, "POST", PODS, pod("n", priorityClassName="none"))
    assert message == 'pods "n" is forbidden: no PriorityClass with name none was found'
    message = await server.refused(403, "POST", PODS, pod("n", priorityClassName="high", priority=8))
    assert "the integer value of priority (8) must not be provided in pod spec" in message


async def test_one_class_is_the_default(server):
    await server.made("POST", CLASSES, {"metadata": {"name": "usual"}, "value": 3, "globalDefault": True})
    message = await server.refused(403, "POST", CLASSES, {"metadata": {"name": "b"}, "value": 4, "globalDefault": True})
    assert message.endswith("PriorityClass usual is already marked as default. Only one default can exist")
    made = await server.made("POST", PODS, pod("p"))
    assert (made["spec"]["priorityClassName"], made["spec"]["priority"]) == ("usual", 3)


async def test_a_class_keeps_its_value(server):
    await server.made("POST", CLASSES, {"metadata": {"name": "a"}, "value": 3})
    message = await server.refused(422, "PATCH", f"{CLASSES}/a", {"value": 4})
    assert "value: Forbidden: may not be changed in an update." in message
    too_high = await server.refused(422, "POST", CLASSES, {"metadata": {"name": "b"}, "value": 1000000001})
    assert "maximum allowed value of a user defined priority is 1000000000" in too_high
