"""The node against the real API server, with real programs in loopback isolation."""

import asyncio
import os
from pathlib import Path

import pytest

from drumroll.objects.kinds import CONFIG_MAP, POD
from drumroll.objects.wire import STRATEGIC_MERGE_PATCH
from tests.node.cluster import READINESS, condition, is_ready, waiting_reason
from tests.node.conftest import eventually

pytestmark = pytest.mark.asyncio


def answer(cluster, pod, path, status, attempt=0):
    folder = cluster.home / "pods" / pod["metadata"]["uid"] / "containers" / "web" / str(attempt) / "root" / "answers"
    folder.mkdir(exist_ok=True)
    (folder / path).write_text(str(status))


async def test_a_pod_is_bound_started_and_becomes_ready(cluster):
    await cluster.create_pod(readinessProbe=READINESS, ports=[{"containerPort": 8080}])
    pod = await cluster.pod_when(is_ready)
    status = pod["status"]
    assert pod["spec"]["nodeName"] == "node"
    assert (status["phase"], status["podIP"], status["hostIP"]) == ("Running", status["podIPs"][0]["ip"], "127.0.0.1")
    (container,) = status["containerStatuses"]
    assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)
    assert container["containerID"].startswith("drumroll://")
    assert [c["type"] for c in status["conditions"]] == [
        "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled",
    ]  # fmt: skip
    await cluster.event_when("Started")
    assert [event for event in await cluster.events() if event[1] != "Unhealthy"] == [
        ("Normal", "Scheduled", "Successfully assigned default/web to node"),
        ("Normal", "Pulled", 'Container image "server:1" already present on machine'),
        ("Normal", "Created", "Container created"),
        ("Normal", "Started", "Container started"),
    ]


async def test_readiness_follows_the_program_at_once(cluster):
    await cluster.create_pod(readinessProbe={**READINESS, "failureThreshold": 1})
    pod = await cluster.pod_when(is_ready)
    answer(cluster, pod, "ready", 503)
    await cluster.pod_when(lambda p: not is_ready(p))
    assert "statuscode: 503" in await cluster.event_when("Unhealthy", "503")
    answer(cluster, pod, "ready", 200)
    await cluster.pod_when(is_ready)


async def test_a_crashing_program_backs_off(cluster):
    cluster.images.add("crash:1", "import sys; print('boom'); sys.exit(3)")
    await cluster.create_pod(image="crash:1", terminationMessagePolicy="FallbackToLogsOnError")
    pod = await cluster.pod_when(lambda p: waiting_reason(p) == "CrashLoopBackOff")
    (container,) = pod["status"]["containerStatuses"]
    uid = pod["metadata"]["uid"]
    assert (
        container["state"]["waiting"]["message"]
        == f"back-off 10s restarting failed container=web pod=web_default({uid})"
    )
    assert container["lastState"]["terminated"]["exitCode"] == 3
    assert container["lastState"]["terminated"]["message"] == "boom\n"
    assert (container["restartCount"], pod["status"]["phase"]) == (1, "Running")
    assert await cluster.event_when("BackOff") == f"Back-off restarting failed container web in pod web_default({uid})"
    await cluster.client.delete(POD, "default", "web")
    await cluster.gone()


async def test_a_missing_image_says_what_to_do_and_is_found_once_built(cluster):
    await cluster.create_pod(image="absent:1")
    pod = await cluster.pod_when(lambda p: waiting_reason(p) == "ErrImagePull")
    assert pod["status"]["phase"] == "Pending"
    assert "drumroll image build" in await cluster.event_when("Failed", "Failed to pull image")
    await cluster.pod_when(lambda p: waiting_reason(p) == "ImagePullBackOff")
    assert await cluster.event_when("BackOff") == 'Back-off pulling image "absent:1"'
    cluster.images.add("absent:1", "import time; time.sleep(600)")
    await cluster.pod_when(is_ready)


async def test_a_failed_liveness_probe_restarts_the_container(cluster):
    probe = {
        "httpGet": {"path": "/live", "port": 8080},
        "periodSeconds": 1,
        "failureThreshold": 1,
        "initialDelaySeconds": 1,
    }
    await cluster.create_pod(livenessProbe=probe, readinessProbe=READINESS)
    pod = await cluster.pod_when(is_ready)
    answer(cluster, pod, "live", 500)
    pod = await cluster.pod_when(lambda p: p["status"]["containerStatuses"][0]["restartCount"] == 1)
    assert await cluster.event_when("Killing") == "Container web failed liveness probe, will be restarted"
    assert "Liveness probe failed: HTTP probe failed with statuscode: 500" in await cluster.event_when(
        "Unhealthy", "500"
    )
    await cluster.pod_when(is_ready)


async def test_restart_policy_never_ends_the_pod(cluster):
    cluster.images.add("once:1", "print('done')")
    await cluster.create_pod(image="once:1", spec={"restartPolicy": "Never"})
    pod = await cluster.pod_when(lambda p: p["status"].get("phase") == "Succeeded")
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    ready = next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "PodCompleted")


async def test_init_containers_run_first_and_in_order(cluster):
    cluster.images.add("init:1", "import sys; open(sys.argv[1], 'a').write(sys.argv[2])")
    out = cluster.home / "order"
    init = [{"name": n, "image": "init:1", "args": [str(out), n]} for n in ("one", "two")]
    await cluster.create_pod(spec={"initContainers": init})
    pod = await cluster.pod_when(is_ready)
    assert out.read_text() == "onetwo"
    assert [c["state"]["terminated"]["exitCode"] for c in pod["status"]["initContainerStatuses"]] == [0, 0]


async def test_a_new_node_process_finds_the_same_programs(cluster):
    await cluster.create_pod(readinessProbe={**READINESS, "periodSeconds": 2})
    pod = await cluster.pod_when(is_ready)
    pid, before = await cluster.pid(pod), pod["status"]["conditions"]
    await cluster.restart_node()
    await asyncio.sleep(1)
    pod = await cluster.pod()
    assert await cluster.pid(pod) == pid
    assert pod["status"]["conditions"] == before
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    os.kill(pid, 9)
    await cluster.pod_when(lambda p: p["status"]["containerStatuses"][0]["restartCount"] == 1)


async def test_a_crash_and_a_deletion_while_no_node_looks_are_caught_up(cluster):
    for name in ("crash", "force", "drop"):
        await cluster.create_pod(name, env=[{"name": "PORT", "value": "8080"}])
    pods = {name: await cluster.pod_when(is_ready, name) for name in ("crash", "force", "drop")}
    pids = {name: await cluster.pid(pod) for name, pod in pods.items()}
    await cluster.stop_node()
    os.kill(pids["crash"], 9)
    await cluster.client.delete(POD, "default", "force", grace_period_seconds=0)
    await cluster.client.delete(POD, "default", "drop")
    await cluster.start_node()
    await cluster.gone("drop")
    await eventually(lambda: not Path(f"/proc/{pids['force']}").exists())
    pod = await cluster.pod_when(lambda p: p["status"]["containerStatuses"][0]["restartCount"] == 1, "crash")
    assert condition(pod, "PodScheduled") == "True"


async def test_configuration_reaches_the_program_and_follows_changes(cluster):
    meta = {"name": "conf", "namespace": "default"}
    await cluster.client.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"name": "My Shop"}}
    )
    cluster.images.add(
        "env:1", "import os, time\nprint(os.environ['GREETING'], os.environ['POD'], flush=True)\ntime.sleep(600)"
    )
    volumes = [{"name": "conf", "configMap": {"name": "conf"}}, {"name": "tmp", "emptyDir": {}}]
    await cluster.create_pod(
        image="env:1",
        env=[
            {"name": "SHOP", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "name"}}},
            {"name": "GREETING", "value": "$(SHOP)!"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        volumeMounts=[{"name": "conf", "mountPath": "/conf"}, {"name": "tmp", "mountPath": "/tmp/x"}],
        spec={"volumes": volumes},
    )
    pod = await cluster.pod_when(is_ready)
    await eventually(lambda: "My Shop! web" in cluster.log_text(pod))
    shown = cluster.home / "pods" / pod["metadata"]["uid"] / "containers" / "web" / "0" / "root" / "conf" / "name"
    assert shown.read_text() == "My Shop"
    await cluster.client.patch(CONFIG_MAP, "default", "conf", {"data": {"name": "Your Shop"}})
    await eventually(lambda: shown.read_text() == "Your Shop")


async def test_a_missing_config_map_is_told_and_waited_for(cluster):
    await cluster.create_pod(spec={"volumes": [{"name": "conf", "configMap": {"name": "late"}}]})
    assert await cluster.event_when("FailedMount") == (
        'MountVolume.SetUp failed for volume "conf" : configmap "late" not found'
    )
    assert waiting_reason(await cluster.pod()) == "ContainerCreating"
    meta = {"name": "late", "namespace": "default"}
    await cluster.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}})
    await cluster.pod_when(is_ready)


async def test_a_size_limit_that_is_not_enforced_is_told(cluster):
    await cluster.create_pod(spec={"volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Mi"}}]})
    assert await cluster.event_when("SizeLimitNotEnforced") == (
        "sizeLimit of emptyDir volumes is not enforced here: data"
    )
    await cluster.pod_when(is_ready)


async def test_a_missing_key_in_the_environment_is_a_configuration_error(cluster):
    reference = {"configMapKeyRef": {"name": "none", "key": "a"}}
    await cluster.create_pod(env=[{"name": "A", "valueFrom": reference}])
    pod = await cluster.pod_when(lambda p: waiting_reason(p) == "CreateContainerConfigError")
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"] == 'configmap "none" not found'
    assert await cluster.event_when("Failed") == 'Error: configmap "none" not found'


async def test_a_pod_that_does_not_fit_waits_for_room(cluster):
    cores = os.cpu_count() or 1
    big = {"requests": {"cpu": str(cores)}}
    await cluster.create_pod("first", resources=big)
    await cluster.pod_when(is_ready, "first")
    await cluster.create_pod("second", resources=big)
    assert (await cluster.event_when("FailedScheduling", name="second")).startswith(
        "0/1 nodes are available: 1 Insufficient cpu."
    )
    assert condition(await cluster.pod("second"), "PodScheduled") == "False"
    await cluster.client.delete(POD, "default", "first")
    await cluster.pod_when(is_ready, "second")


async def test_exec_probes_of_the_lab_work_on_localhost(cluster):
    command = ["/bin/bash", "-c", "curl -s http://localhost:8080/ | grep hello"]
    await cluster.create_pod(readinessProbe={"exec": {"command": command}, "timeoutSeconds": 5})
    await cluster.pod_when(is_ready)


async def test_a_program_on_a_taken_address_is_told_to_bind_its_host(cluster):
    cluster.images.add(
        "rude:1",
        "import os, socket\nbusy = socket.create_server((os.environ['HOST'], 8080))\n"
        "socket.create_server((os.environ['HOST'], 8080))",
    )
    await cluster.create_pod(image="rude:1")
    assert "must listen on $HOST" in await cluster.event_when("AddressInUse")


async def test_the_node_object_tells_what_it_is(cluster):
    node = await cluster.node_object()
    assert node["metadata"]["annotations"]["drumroll.dev/node-socket"] == str(cluster.socket)
    ready = next(c for c in node["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "KubeletReady")


async def test_logs_come_through_the_api(cluster):
    cluster.images.add("talk:1", "import time\nfor n in range(5): print('line', n, flush=True)\ntime.sleep(600)")
    await cluster.create_pod(image="talk:1")
    pod = await cluster.pod_when(is_ready)
    await eventually(lambda: "line 4" in cluster.log_text(pod))
    path = "/api/v1/namespaces/default/pods/web/log"
    assert await cluster.client.raw(path, {"tailLines": "2"}) == b"line 3\nline 4\n"
    assert (await cluster.client.raw(path, {"limitBytes": "6"})) == b"line 0"


async def test_a_failed_post_start_hook_restarts_the_container(cluster):
    hook = {"postStart": {"exec": {"command": ["false"]}}}
    await cluster.create_pod(lifecycle=hook)
    await cluster.event_when("FailedPostStartHook")
    await cluster.pod_when(lambda p: p["status"]["containerStatuses"][0]["restartCount"] >= 1)


async def test_a_container_counts_as_running_when_its_post_start_hook_has_ended(cluster):
    gate = cluster.home / "gate"
    wait = f"until [ -e {gate} ]; do sleep 0.05; done"
    await cluster.create_pod(lifecycle={"postStart": {"exec": {"command": ["sh", "-c", wait]}}})
    await cluster.event_when("Started")
    pod = await cluster.pod()
    (container,) = pod["status"]["containerStatuses"]
    assert (pod["status"]["phase"], container["ready"]) == ("Pending", False)
    assert container["state"] == {"waiting": {"reason": "ContainerCreating"}}
    gate.touch()
    assert (await cluster.pod_when(is_ready))["status"]["phase"] == "Running"


async def test_a_pod_that_is_deleted_during_its_post_start_hook_is_not_over_before_it_is(cluster):
    hook = {"postStart": {"exec": {"command": ["sleep", "60"]}}}
    spec = {"terminationGracePeriodSeconds": 60}
    await cluster.create_pod(lifecycle=hook, env=[{"name": "LINGER", "value": "60"}], spec=spec)
    await cluster.event_when("Started")
    pod = await cluster.pod()
    await eventually(lambda: "listening" in cluster.log_text(pod))
    await cluster.client.delete(POD, "default", "web")
    await eventually(lambda: "SIGTERM" in cluster.log_text(pod))
    assert (await cluster.pod_when(lambda p: p["status"]["phase"] != "Pending"))["status"]["phase"] == "Running"


async def test_a_program_that_is_not_there_is_never_ready(cluster):
    await cluster.create_pod(command=["/not-there"])
    await cluster.pod_when(lambda p: waiting_reason(p) == "RunContainerError")
    await cluster.event_when("Failed", 'Error: exec: "/not-there": no such file that can be run')
    assert (await cluster.pod())["status"]["phase"] == "Pending"


async def test_a_slow_starter_is_ready_only_after_its_startup_probe(cluster):
    startup = {"httpGet": {"path": "/up", "port": 8080}, "periodSeconds": 1, "failureThreshold": 30}
    command = ["sh", "-c", "mkdir -p $DRUMROLL_ROOT/answers; echo 500 > $DRUMROLL_ROOT/answers/up; exec python3 $0"]
    await cluster.create_pod(startupProbe=startup, command=command, args=["/app/main.py"])
    pod = await cluster.pod_when(lambda p: p["status"].get("phase") == "Running")
    await cluster.event_when("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 500")
    assert pod["status"]["containerStatuses"][0]["started"] is False
    assert not is_ready(await cluster.pod())
    answer(cluster, pod, "up", 200)
    assert is_ready(await cluster.pod_when(lambda p: p["status"]["containerStatuses"][0]["started"]))


async def test_a_container_added_to_a_running_pod_runs_once_beside_it(cluster):
    cluster.images.add("look:1", "import os\nprint('seen', flush=True)\nos._exit(3)\n")
    await cluster.create_pod()
    await cluster.pod_when(is_ready)
    added = {"spec": {"ephemeralContainers": [{"name": "look", "image": "look:1"}]}}
    await cluster.client.patch(
        POD, "default", "web", added, subresource="ephemeralcontainers", content_type=STRATEGIC_MERGE_PATCH
    )
    pod = await cluster.pod_when(lambda p: "terminated" in p["status"]["ephemeralContainerStatuses"][0]["state"])
    (status,) = pod["status"]["ephemeralContainerStatuses"]
    assert (status["state"]["terminated"]["exitCode"], status["restartCount"], status["ready"]) == (3, 0, False)
    assert is_ready(pod)
    assert "seen" in cluster.log_text(pod, container="look")
    await cluster.restart_node()
    await asyncio.sleep(0.5)
    assert (await cluster.pod())["status"]["ephemeralContainerStatuses"] == [status]
    await cluster.client.delete(POD, "default", "web")
    await cluster.gone()
