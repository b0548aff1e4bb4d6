"""How a pod ends: drained, then preStop, its stop signal, the rest of its grace; also across a new node process."""

import asyncio
from pathlib import Path

import pytest

from drumroll.objects.kinds import POD
from tests.node.cluster import READINESS, is_ready
from tests.node.conftest import eventually

pytestmark = pytest.mark.asyncio


async def test_deletion_runs_pre_stop_then_sigterm(cluster):
    mark = cluster.home / "mark"
    hook = {"preStop": {"exec": {"command": ["sh", "-c", f"date +%s%N > {mark}"]}}}
    await cluster.create_pod(lifecycle=hook, readinessProbe=READINESS)
    pod = await cluster.pod_when(is_ready)
    pid = await cluster.pid(pod)
    reader = await asyncio.to_thread(open, cluster.home / "pods" / pod["metadata"]["uid"] / "logs" / "web" / "0.log")
    await cluster.client.delete(POD, "default", "web")
    await cluster.gone()
    assert mark.exists()
    assert "SIGTERM" in reader.read()
    reader.close()
    assert not Path(f"/proc/{pid}").exists()
    assert not (cluster.home / "pods" / pod["metadata"]["uid"]).exists()
    assert ("Normal", "Killing", "Stopping container web") in await cluster.events()


async def test_a_program_that_stays_is_killed_when_the_grace_is_over(cluster):
    out = cluster.home / "asked"
    program = f"import pathlib, signal, time\nasked = pathlib.Path({str(out)!r})\n"
    program += "signal.signal(15, lambda *_: asked.write_text('to stop'))\nprint('up', flush=True)\n"
    cluster.images.add("stubborn:1", program + "while True: time.sleep(600)\n")
    await cluster.create_pod(image="stubborn:1", spec={"terminationGracePeriodSeconds": 1})
    pod = await cluster.pod_when(is_ready)
    await eventually(lambda: "up" in cluster.log_text(pod))
    await cluster.client.delete(POD, "default", "web")
    await cluster.gone()
    assert out.read_text() == "to stop"  # and it did not end by itself


async def test_an_images_stop_signal_is_sent_instead_of_sigterm(cluster):
    out = cluster.home / "ended"
    program = f"import os, pathlib, signal, time\nended = pathlib.Path({str(out)!r})\n"
    program += "def end(number, _):\n    ended.write_text(str(number))\n    os._exit(0)\n"
    program += "for number in (3, 15):\n    signal.signal(number, end)\nprint('up', flush=True)\ntime.sleep(600)\n"
    cluster.images.add("graceful:1", program, stop_signal="SIGQUIT")  # as nginx' own image has it
    await cluster.create_pod(image="graceful:1")
    pod = await cluster.pod_when(is_ready)
    await eventually(lambda: "up" in cluster.log_text(pod))
    await cluster.client.delete(POD, "default", "web")
    await cluster.gone()
    assert out.read_text() == "3"


async def test_sigterm_waits_until_the_proxy_has_drained_the_pod(cluster):
    await cluster.hold_proxy_lease()
    await cluster.create_pod(readinessProbe=READINESS, spec={"terminationGracePeriodSeconds": 30})
    pod = await cluster.pod_when(is_ready)
    await cluster.serve_pod(pod)
    await asyncio.sleep(0.2)  # the slice reaches the node's informer
    await cluster.client.delete(POD, "default", "web")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(eventually(lambda: "SIGTERM" in cluster.log_text(pod)), 1)
    assert is_ready(await cluster.pod())
    await cluster.set_drained()
    await cluster.gone()


async def test_the_drain_budget_ends_the_wait(cluster):
    await cluster.hold_proxy_lease()
    linger = [{"name": "LINGER", "value": "0.5"}]
    await cluster.create_pod(readinessProbe=READINESS, env=linger, spec={"terminationGracePeriodSeconds": 4})
    pod = await cluster.pod_when(is_ready)
    await cluster.serve_pod(pod)
    await asyncio.sleep(0.2)
    await cluster.client.delete(POD, "default", "web")
    await eventually(lambda: "SIGTERM" in cluster.log_text(pod))  # which nobody hears whom the end of the grace kills
    await cluster.gone()


async def test_a_lease_that_runs_out_ends_the_wait(cluster):
    await cluster.hold_proxy_lease(seconds=2)
    await cluster.create_pod(spec={"terminationGracePeriodSeconds": 60})
    pod = await cluster.pod_when(is_ready)
    await cluster.serve_pod(pod)
    await asyncio.sleep(0.2)
    await cluster.client.delete(POD, "default", "web")
    await cluster.gone(deadline=8)


async def test_forced_deletion_kills_at_once(cluster):
    await cluster.create_pod(env=[{"name": "LINGER", "value": "60"}])
    pod = await cluster.pod_when(is_ready)
    pid = await cluster.pid(pod)
    await cluster.client.delete(POD, "default", "web", grace_period_seconds=0)
    await eventually(lambda: not Path(f"/proc/{pid}").exists())
    await eventually(lambda: not (cluster.home / "pods" / pod["metadata"]["uid"]).exists())


async def test_a_drain_goes_on_in_a_new_node_process(cluster):
    await cluster.hold_proxy_lease()
    await cluster.create_pod(readinessProbe=READINESS, spec={"terminationGracePeriodSeconds": 60})
    pod = await cluster.pod_when(is_ready)
    await cluster.serve_pod(pod)
    await asyncio.sleep(0.2)
    await cluster.client.delete(POD, "default", "web")
    await cluster.pod_when(lambda p: p["metadata"].get("deletionTimestamp"))
    await cluster.restart_node()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(eventually(lambda: "SIGTERM" in cluster.log_text(pod)), 1)
    await cluster.set_drained()
    await cluster.gone()


async def test_a_new_node_process_does_not_believe_that_nobody_sends_to_a_pod_that_left_its_service_before(cluster):
    await cluster.hold_proxy_lease()
    await cluster.create_pod(readinessProbe=READINESS, spec={"terminationGracePeriodSeconds": 60})
    pod = await cluster.pod_when(is_ready)
    await cluster.restart_node()  # a Service's selector was switched: no slice has the pod, Envoy may have it still
    await cluster.client.delete(POD, "default", "web")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(eventually(lambda: "SIGTERM" in cluster.log_text(pod)), 1)
    await cluster.set_drained()
    await cluster.gone()


async def test_the_grace_counts_on_through_a_new_node_process(cluster):
    hook = {"preStop": {"exec": {"command": ["sh", "-c", f"echo once >> {cluster.home / 'hooks'}"]}}}
    await cluster.create_pod(
        lifecycle=hook, env=[{"name": "LINGER", "value": "60"}], spec={"terminationGracePeriodSeconds": 3}
    )
    pod = await cluster.pod_when(is_ready)
    await eventually(lambda: "listening" in cluster.log_text(pod))
    await cluster.client.delete(POD, "default", "web")
    await eventually(lambda: "SIGTERM" in cluster.log_text(pod))
    await cluster.restart_node()
    await cluster.gone()
    assert (cluster.home / "hooks").read_text() == "once\n"


async def test_a_sidecar_starts_before_and_ends_after_the_program(cluster):
    cluster.images.add(
        "side:1",
        "import os, signal, sys, time\n"
        "def end(*_):\n    open(sys.argv[1], 'a').write(sys.argv[2]); os._exit(0)\n"
        "signal.signal(15, end)\nprint('up', flush=True)\ntime.sleep(600)\n",
    )
    out = str(cluster.home / "ends")
    sidecar = {"name": "side", "image": "side:1", "args": [out, "side"], "restartPolicy": "Always"}
    await cluster.create_pod(image="side:1", args=[out, "web "], spec={"initContainers": [sidecar]})
    pod = await cluster.pod_when(is_ready)
    for name in ("web", "side"):
        await eventually(lambda name=name: "up" in cluster.log_text(pod, container=name))
    await cluster.client.delete(POD, "default", "web")
    await cluster.gone()
    assert Path(out).read_text() == "web side"
