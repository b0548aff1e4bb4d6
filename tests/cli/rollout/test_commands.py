"""The commands against a real API server, as a person types them."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from drumroll.cli.main import main
from tests.cli.rollout.worlds import aborted_canary, deployment, paused_canary

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("api")
    argv = [sys.executable, "-m", "drumroll.apiserver", "--folder", str(folder), "--installed"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready ")
        yield folder / "kubeconfig"
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture
def api(kubeconfig) -> Callable[..., dict]:
    """Speaks to the server as anybody would."""
    import asyncio

    from drumroll.client.client import Client
    from drumroll.client.http import HttpTransport
    from drumroll.client.kubeconfig import load_kubeconfig
    from drumroll.objects import kinds

    def call(verb: str, kind: str, *arguments, **more) -> dict:
        async def run() -> dict:
            async with HttpTransport(load_kubeconfig(kubeconfig)) as transport:
                client = Client(transport)
                if verb == "create":
                    return await client.create(*arguments, **more)
                return await getattr(client, verb)(getattr(kinds, kind), *arguments, **more)

        return asyncio.run(run())

    return call


@pytest.fixture
def type_(kubeconfig, monkeypatch, capsys) -> Type:
    """Types a command; the answer is the exit status and what was printed, to stdout and stderr."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))

    def run(*words: str) -> tuple[int, str, str]:
        try:
            code = main(["rollout", *words])
        except SystemExit as error:
            code = int(error.code or 0)
        out = capsys.readouterr()
        assert "Traceback" not in out.err
        return code, out.out, out.err

    return run


@pytest.fixture
def space(api, request) -> str:
    name = re.sub(r"[^a-z]+", "-", request.node.name)[:50].strip("-")
    api("create", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


def put(api, space: str, world) -> dict:
    """Store a world: its owner, and ReplicaSets that belong to it."""
    owner = {**world.owner, "metadata": {"name": "web", "namespace": space}}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "shop:2"}]}}
    owner["spec"] = {**owner["spec"], "selector": {"matchLabels": labels}, "template": template}
    status = owner.pop("status")
    kind = "ROLLOUT" if world.is_rollout else "DEPLOYMENT"
    stored = api("create", "", orjson.loads(orjson.dumps(owner)))
    seen = stored["metadata"]["generation"]
    status["observedGeneration"] = str(seen) if world.is_rollout else seen
    stored = api("patch", kind, space, "web", {"status": status}, subresource="status")
    for one in world.replica_sets:
        metadata = {name: value for name, value in one["metadata"].items() if name in ("name", "annotations")}
        hashes = {**labels, **one["metadata"]["labels"]}
        reference = {
            "apiVersion": stored["apiVersion"], "kind": stored["kind"], "name": "web", "controller": True,
            "uid": stored["metadata"]["uid"], "blockOwnerDeletion": True,
        }  # fmt: skip
        made = one["spec"]["template"]
        api("create", "", {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {**metadata, "namespace": space, "labels": hashes, "ownerReferences": [reference]},
            "spec": {**one["spec"], "selector": {"matchLabels": hashes}, "template": made},
        })  # fmt: skip
    return stored


def test_get_shows_the_header_and_the_tree(api, space, type_):
    put(api, space, paused_canary())
    code, out, err = type_("get", "web", "-n", space)
    assert (code, err) == (0, "")
    assert "Status:          ॥ Paused" in out
    assert "  SetWeight:     20\n" in out
    assert re.search(r"├──# revision:2\n│  └──⧉ web-687d76d795 +ReplicaSet +◌ Progressing +\d+s +canary", out)
    assert type_("get", "rollout", "web", "-n", space)[1].splitlines()[0] == out.splitlines()[0]
    assert json.loads(type_("get", "web", "-n", space, "-o", "json")[1])["metadata"]["name"] == "web"
    assert "kind: Rollout" in type_("get", "web", "-n", space, "-o", "yaml")[1]


def test_promote_pause_abort_and_retry(api, space, type_):
    put(api, space, paused_canary())

    def status() -> dict:
        return api("get", "ROLLOUT", space, "web")["status"]

    assert type_("promote", "web", "-n", space)[1] == "rollout 'web' promoted\n"
    assert "pauseConditions" not in status()
    assert status()["currentStepIndex"] == 1
    assert type_("promote", "web", "-n", space, "--skip-current-step")[0] == 0
    assert status()["currentStepIndex"] == 2
    assert type_("promote", "web", "-n", space, "--full")[1] == "rollout 'web' fully promoted\n"
    assert status()["promoteFull"] is True
    assert type_("abort", "web", "-n", space)[1] == "rollout 'web' aborted\n"
    assert status()["abort"] is True
    assert type_("retry", "rollout", "web", "-n", space)[1] == "rollout 'web' retried\n"
    assert status()["abort"] is False
    assert type_("pause", "web", "-n", space)[1] == "rollout 'web' paused\n"
    assert api("get", "ROLLOUT", space, "web")["spec"]["paused"] is True
    assert type_("restart", "web", "-n", space, "--in", "10m")[1] == "rollout 'web' restarts in 600s\n"
    assert api("get", "ROLLOUT", space, "web")["spec"]["restartAt"].endswith("Z")


def test_set_image_history_and_undo(api, space, type_):
    put(api, space, paused_canary())

    def image() -> str:
        return api("get", "ROLLOUT", space, "web")["spec"]["template"]["spec"]["containers"][0]["image"]

    assert type_("set", "image", "web", "web=shop:3", "-n", space)[1] == "rollout 'web' image updated\n"
    assert image() == "shop:3"
    assert type_("set", "image", "web", "nope=shop:3", "-n", space)[0] == 1
    assert [line.split()[0] for line in type_("history", "web", "-n", space)[1].splitlines()] == ["REVISION", "2", "1"]
    assert "image: shop:1" in type_("history", "web", "-n", space, "--revision", "1")[1]
    assert type_("undo", "web", "-n", space)[1] == "rollout 'web' undo to revision 1\n"
    assert image() == "shop:1"
    assert type_("undo", "web", "-n", space, "--to-revision", "2")[0] == 0
    assert image() == "shop:2"
    assert "no revision 7 (there are: 1, 2)" in type_("undo", "web", "-n", space, "--to-revision", "7")[2]


def test_a_deployment_is_told_from_a_rollout(api, space, type_):
    put(api, space, deployment())
    assert "Strategy:        RollingUpdate" in type_("get", "web", "-n", space)[1]
    assert type_("status", "web", "-n", space, "--no-watch")[1].startswith("Progressing - 1 out of 3 new replicas")
    assert type_("pause", "web", "-n", space)[1] == "deployment 'web' paused\n"
    assert type_("promote", "web", "-n", space)[1] == "deployment 'web' resumed\n"
    assert type_("undo", "web", "-n", space)[1] == "deployment 'web' undo to revision 1\n"
    assert type_("restart", "deployment/web", "-n", space)[0] == 0
    code, _, err = type_("abort", "web", "-n", space)
    assert (code, "`drumroll rollout undo`" in err) == (1, True)
    put(api, space, paused_canary())
    code, _, err = type_("status", "web", "-n", space)
    assert (code, "say rollout/web or deployment/web" in err) == (1, True)
    assert type_("status", "rollout/web", "-n", space, "--no-watch")[1] == "Paused - CanaryPauseStep\n"
    assert type_("get", "deployment", "web", "-n", space)[0] == 0


def test_status_waits_says_each_change_and_ends_with_the_update(api, space, type_):
    put(api, space, paused_canary())

    healthy = {"status": {"phase": "Healthy", "message": None, "controllerPause": None}}

    def finish() -> None:
        api("patch", "ROLLOUT", space, "web", healthy, subresource="status")

    thread = threading.Thread(target=finish)
    thread.start()
    code, out, err = type_("status", "web", "-n", space, "--timeout", "60s")
    thread.join(30)
    assert (code, err) == (0, "")
    assert out.splitlines() in (["Paused - CanaryPauseStep", "Healthy"], ["Healthy"])


def test_status_says_what_an_update_waits_for(api, space, type_):
    put(api, space, paused_canary())
    times = dict.fromkeys(("lastUpdateTime", "lastTransitionTime"), "2026-01-01T00:00:00Z")
    lack = {"type": "drumroll.dev/Blocked", "status": "True", "reason": "Lacking", "message": "HTTPRoute a is missing"}
    lack |= times
    api("patch", "ROLLOUT", space, "web", {"status": {"conditions": [lack]}}, subresource="status")
    told = (0, "Paused - CanaryPauseStep\n", "drumroll: blocked: HTTPRoute a is missing\n")
    assert type_("status", "web", "-n", space, "--no-watch") == told
    code, out, err = type_("status", "web", "-n", space, "-t", "500ms")
    assert (code, out, err.splitlines()[0]) == (3, told[1], told[2].strip())


def test_status_fails_for_what_is_degraded_and_for_what_takes_too_long(api, space, type_):
    put(api, space, aborted_canary())
    code, out, err = type_("status", "web", "-n", space)
    assert code == 1
    assert out.startswith("Degraded - RolloutAborted")
    assert "degraded state with message: RolloutAborted" in err
    api("patch", "ROLLOUT", space, "web", {"status": {"phase": "Progressing"}}, subresource="status")
    code, _, err = type_("status", "web", "-n", space, "-t", "200ms")
    assert (code, "exceeded timeout" in err) == (3, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["get", "nobody"], 1, 'there is no Rollout and no Deployment "nobody" in the namespace "default"'),
        (["get", "pod/web"], 1, "write NAME, rollout/NAME or deployment/NAME"),
        (["get", "web", "--context", "other"], 1, "no entry 'other' in contexts"),
        (
            ["get", "web", "--kubeconfig", "/nowhere"],
            1,
            "there is no kubeconfig: /nowhere does not exist. Start a cluster",
        ),
        (["retry", "pod", "web"], 2, "write NAME, or one of rollout, experiment and NAME"),
        (["set", "image", "web", "shop:2"], 2, "is not CONTAINER=IMAGE"),
        (["status", "web", "-t", "soon"], 2, "is not a duration"),
        (["terminate", "analysisrun", "none"], 1, 'analysisruns.argoproj.io "none" not found'),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(type_, words, code, said):
    found, _, err = type_(*words)
    assert found == code
    assert said in err


def test_a_server_that_is_not_there_is_named(tmp_path, type_):
    config = tmp_path / "config"
    config.write_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: a}}]\n"
        "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]\n"
    )
    code, _, err = type_("get", "web", "--kubeconfig", str(config))
    assert (code, "the API server at 127.0.0.1:9 gave no answer" in err) == (1, True)
    assert err.endswith("`drumroll status` says whether your cluster is up.\n")


def test_a_cluster_without_rollouts_is_told_and_its_deployments_are_shown(tmp_path, monkeypatch, capsys):
    argv = [sys.executable, "-m", "drumroll.apiserver", "--folder", str(tmp_path)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready ")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        assert main(["rollout", "list"]) == 1
        assert "this cluster does not know the kind" in capsys.readouterr().err
        assert main(["rollout", "get", "web"]) == 1
        assert "there is no Rollout and no Deployment" in capsys.readouterr().err
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def test_list_has_a_line_for_each(api, space, type_):
    assert type_("list", "-n", space)[1] == f'No rollouts in the namespace "{space}".\n'
    put(api, space, paused_canary())
    lines = type_("list", "rollouts", "-n", space)[1].splitlines()
    assert lines[1].split() == ["web", "Canary", "Paused", "1/4", "20", "5/5", "5", "1", "5"]
    assert type_("list", "-A")[1].splitlines()[0].split()[0] == "NAMESPACE"
    assert type_("list", "experiments", "-n", space)[0] == 0
