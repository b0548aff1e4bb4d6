"""The lab, typed command by command with real kubectl, against what a stock cluster printed."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.cluster import ROOT, Cluster
from tests.e2e.conftest import container_refusal
from tests.e2e.samples import build_samples, create_tls_secret
from tests.e2e.transcript import progress, read_transcript, settle, table

TRANSCRIPT = Path(__file__).with_name("lab_transcript.txt")
RECORDED = {"7954bc6d6c": "RSone", "67ccd655bb": "RStwo", "55c5d6bc58": "RSthree"}
STATUS_LINE = re.compile(
    r'(Waiting for deployment "storefront" rollout to finish: '
    r"(\d out of 4 new replicas have been updated|\d old replicas are pending termination|"
    r"\d of 4 updated replicas are available)\.\.\."
    r"|Waiting for deployment spec update to be observed\.\.\."
    r'|deployment "storefront" successfully rolled out)$'
)
NODE_LINES = (
    "Node:", "Start Time:", "IP:", "Container ID:", "Image ID:", "Started:", "PodReadyToStartContainers",
    "Service Account:", "Port:", "Ports:", "Host Port",
)  # fmt: skip


ACCOUNT_LINES = 7
ACCOUNT_VOLUME = re.compile(
    r"/var/run/secrets/kubernetes\.io/serviceaccount from kube-api-access-\w{5} \(ro\)|kube-api-access-\w{5}:"
    r"|Type: Projected .*|TokenExpirationSeconds: 3607|ConfigMapName: kube-root-ca\.crt|ConfigMapOptional: <nil>"
    r"|DownwardAPI: true"
)
"""What a pod of a stock cluster has, and a pod of the recording, made without ServiceAccounts, has not."""


class Terminal:
    """Types commands in the folder with the manifests, as the learner does."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(folder)}

    def types(self, command: str) -> tuple[str, ...]:
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=self.environment, text=True, timeout=240,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        return tuple(done.stdout.rstrip("\n").splitlines())

    def hashes(self) -> dict[str, str]:
        """Our pod-template-hashes by the order in which their ReplicaSets were made."""
        listed = json.loads("\n".join(self.types("kubectl get rs -l app=storefront -o json")))
        made = sorted(
            listed["items"], key=lambda rs: int(rs["metadata"]["uid"] == "") or rs["metadata"]["creationTimestamp"]
        )
        names = ("RSone", "RStwo", "RSthree")
        return {rs["metadata"]["labels"]["pod-template-hash"]: name for rs, name in zip(made, names, strict=False)}


@pytest.fixture
def terminal(new_cluster: Callable[[str], Cluster], tmp_path: Path) -> Terminal:
    if why := container_refusal():
        pytest.skip(f"the lab as written needs container isolation: {why}")
    cluster = new_cluster("container")
    build_samples(cluster)
    cluster.up()
    folder = tmp_path / "helidon-kubernetes"
    shutil.copytree(ROOT / "samples" / "manifests", folder)
    terminal = Terminal(cluster, folder)
    terminal.types("kubectl create namespace tg-helidon")
    terminal.types("kubectl config set-context --current --namespace=tg-helidon")
    create_tls_secret(cluster, "tg-helidon")
    for name in ("config", "secrets", "stockmanager", "zipkin", "services", "ingress"):
        for manifest in sorted(folder.glob(f"*{name}*.yaml")):
            if "storefront-deployment" not in manifest.name:
                said = terminal.types(f"kubectl apply -f {manifest.name}")
                assert all("created" in line or "configured" in line or "unchanged" in line for line in said), said
    return terminal


@pytest.mark.e2e
@pytest.mark.container
@pytest.mark.slow
@pytest.mark.timeout(600)  # sixty commands of a person, most of which wait for something
def test_every_command_of_the_lab_prints_what_a_stock_cluster_prints(terminal: Terminal) -> None:
    for step in read_transcript(TRANSCRIPT):
        if step.command.startswith("kubectl describe pod/"):
            name = terminal.types("kubectl get pods -l app=storefront -o name")[0]
            check(step.lines, terminal.types(f"kubectl describe {name}"), f"kubectl describe {name}", terminal)
            continue
        command = step.command
        for ours, name in terminal.hashes().items():
            for theirs, same in RECORDED.items():
                command = command.replace(theirs, ours) if name == same else command
        said = terminal.types(command)
        check(step.lines, said, command, terminal)
        after(command, terminal)


def after(command: str, terminal: Terminal) -> None:
    """What the lab does beside typing: it looks at the service from outside."""
    if command.startswith("kubectl rollout status"):
        assert_serves(terminal)


def assert_serves(terminal: Terminal) -> None:
    image = terminal.types("kubectl get deployment storefront -o jsonpath='{.spec.template.spec.containers[0].image}'")[
        0
    ]
    version = image.rsplit(":", 1)[1]
    port = terminal.cluster.status()["https"].rsplit(":", 1)[1]
    curl = f"curl -s -k --resolve store.drumroll.test:{port}:127.0.0.1"
    said = terminal.types(f"{curl} https://store.drumroll.test:{port}/sf/status")
    assert said == ('{"name":"My Shop","alive":true,"version":"' + version + '"}',)
    said = terminal.types(f"{curl} -u jack:password https://store.drumroll.test:{port}/store/stocklevel")
    stock = {row["itemName"]: row["itemCount"] for row in json.loads("".join(said))}
    assert stock["rivet"] == 4980
    head = terminal.types(f"{curl} -i https://store.drumroll.test:{port}/store/stocklevel")[0]
    assert head.strip() == "HTTP/2 401"


def check(want: tuple[str, ...], got: tuple[str, ...], command: str, terminal: Terminal) -> None:
    hashes = terminal.hashes()
    if "rollout status" in command:
        assert all(STATUS_LINE.match(line) for line in got), f"$ {command}\n" + "\n".join(got)
        assert progress(got)[-1] == want[-1]
    elif "get all" in command or "get replicaset" in command or "get pods" in command:
        check_table(want, got, command, hashes)
    elif "get events" in command:
        check_events(want, got, hashes)
    elif "describe" in command:
        check_description(want, got, command, hashes)
    else:
        assert [settle(line, hashes) for line in got if line.strip()] == [
            settle(line, RECORDED) for line in want if line.strip()
        ], f"$ {command}"


def check_table(want: tuple[str, ...], got: tuple[str, ...], command: str, hashes: dict[str, str]) -> None:
    def rows(lines: tuple[str, ...], names: dict[str, str]) -> list[str]:
        staying = [row for row in table(lines, names) if not re.search(r" (Terminating|Completed|Error) ", row)]
        kept = [re.sub(r" 0/1 \w+ ", " 0/1 STARTING ", row) for row in staying]
        kept = [re.sub(r"RESTARTS AGE IP.*|(?<=AGE) \d+\.\d+\.\d+\.\d+ .*", "", row).strip() for row in kept]
        return sorted({row for row in kept if not row.startswith("NAME TYPE")})

    assert rows(got, hashes) == rows(want, RECORDED), f"$ {command}\n" + "\n".join(got)


def check_events(want: tuple[str, ...], got: tuple[str, ...], hashes: dict[str, str]) -> None:
    """The same kinds of events about the Deployment and its ReplicaSets; their number depends on the pods' timing."""

    def shapes(lines: tuple[str, ...], names: dict[str, str]) -> set[str]:
        settled = (settle(line, names) for line in lines[1:])
        rows = (row for row in settled if " deployment/storefront" in row or " replicaset/storefront" in row)
        return {re.sub(r"\(combined from similar events\): |from \d to \d|^\S+ ", "", row) for row in rows}

    missing = {row for row in shapes(want, RECORDED) - shapes(got, hashes) if "RSthree" not in row}
    assert not missing, f"missing {missing}\n" + "\n".join(got)


def check_description(want: tuple[str, ...], got: tuple[str, ...], command: str, hashes: dict[str, str]) -> None:
    def parts(lines: tuple[str, ...], names: dict[str, str]) -> tuple[list[str], list[str]]:
        settled = [settle(line, names) for line in lines]
        start = next(i for i, line in enumerate(settled) if line.startswith("Events:"))
        body = [line for line in settled[:start] if not ("pod" in command and line.startswith(NODE_LINES))]
        return body, settled[start + 3 :]

    body, events = parts(got, hashes)
    wanted, wanted_events = parts(want, RECORDED)
    if "pod" in command:
        token = [line for line in body if ACCOUNT_VOLUME.fullmatch(line) and line not in wanted]
        assert len(token) == ACCOUNT_LINES, f"$ {command}\n" + "\n".join(got)
        body = [line for line in body if line not in token]
    if "pod" in command:  # a kubelet writes conditions in another order than the recording's simulated node
        body, wanted = sorted(body), sorted(wanted)
    assert body == wanted, f"$ {command}\n" + "\n".join(got)
    if "describe deployment" in command:
        assert events[:5] == wanted_events[:5], "\n".join(events)
        assert "Scaled down replica set storefront-RSone from 1 to 0" in events[-1], "\n".join(events)
    elif "describe replicaset" in command:
        assert sorted(events) == sorted(wanted_events)
