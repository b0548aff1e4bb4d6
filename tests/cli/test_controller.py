"""`drumroll controller` against API servers that lack what it needs, and the files to install it from."""

import asyncio
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from scripts.update_deploy import TARGET, crds_text

from drumroll.apiserver import ApiServer
from drumroll.assembly.controller import check_kinds
from drumroll.assembly.home import Refusal
from drumroll.cli.main import main
from drumroll.client.client import Client
from drumroll.client.inprocess import InProcessTransport
from drumroll.objects.clock import now
from drumroll.store.memory import MemoryStore
from tests.controllers.simulation import ADMIN


def test_missing_definitions_are_named_with_what_to_do() -> None:
    async def check() -> str:
        api = ApiServer(MemoryStore(), service_cidr=IPv4Network("10.96.0.0/16"), now=now)
        await api.prepare()
        with pytest.raises(Refusal) as refused:
            await check_kinds(Client(InProcessTransport(api.handle, ADMIN)), "https://cluster:6443")
        return str(refused.value)

    told = asyncio.run(check())
    assert "https://cluster:6443 does not know rollouts.argoproj.io" in told
    assert "kubectl apply --server-side -f deploy/crds.yaml" in told


def test_a_missing_kubeconfig_and_times_that_cannot_work_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none")
    assert main(["controller", "--kubeconfig", missing]) == 1
    assert f"{missing} does not exist. Name one with --kubeconfig FILE." in capsys.readouterr().err
    assert main(["controller", "--kubeconfig", missing, "--leader-elect-lease-duration", "5"]) == 1
    assert "must be longer than" in capsys.readouterr().err


def test_the_definitions_to_install_are_those_of_our_own_clusters() -> None:
    assert TARGET.read_text() == crds_text(), "run python scripts/update_deploy.py"
