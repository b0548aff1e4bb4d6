"""The first canary of docs/rollouts.md, typed as it stands there."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.cluster import ROOT, Cluster

PAGE = (ROOT / "docs" / "rollouts.md").read_text()


def commands() -> list[list[str]]:
    """The commands of each shell block, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [[line.split("#")[0].strip() for line in block.splitlines() if line.strip()] for block in blocks]


class Shell:
    """Types in a folder of its own, with `drumroll` being the one under test."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.folder = folder
        (folder / "samples").symlink_to(ROOT / "samples")
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {
            **os.environ, "KUBECONFIG": str(cluster.kubeconfig), "DRUMROLL_HOME": str(cluster.home), "PATH": binaries,
        }  # fmt: skip

    def types(self, command: str, code: int = 0) -> str:
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=self.environment, text=True, timeout=120, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == code, f"{command}\n{done.stdout}"
        return done.stdout


@pytest.mark.e2e
def test_the_first_canary_goes_as_the_page_tells(new_cluster: Callable[[str], Cluster], tmp_path: Path) -> None:
    cluster = new_cluster("loopback")
    cluster.up()
    shell = Shell(cluster, tmp_path)
    (tmp_path / "shop.yaml").write_text(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])  # type: ignore[index]
    begin, update, good, bad = commands()[:4]
    for command in (*begin[1:], *update[:-1]):
        shell.types(command)

    def shown(*words: str) -> str:
        cluster.until(lambda: all(word in shell.types("drumroll rollout get shop") for word in words), str(words))
        return shell.types("drumroll rollout get shop")

    assert "  ActualWeight:  25\n" in shown("॥ Paused", "Step:          1/4 (until promoted)", "Available:     4")
    shell.types(bad[0])
    assert "RolloutAborted" in shown("✖ Degraded", "SetWeight:     0")
    assert "degraded state" in shell.types("drumroll rollout status shop", code=1)
    shell.types(bad[1])
    assert shell.types("drumroll rollout status shop").endswith("Healthy\n")
    shell.types("drumroll rollout set image shop shop=shop:2")
    shown("॥ Paused")
    shell.types(f"{good[0]} --full")
    assert shell.types(good[1]).endswith("Healthy\n")
    assert "shop:2 (stable)" in shown("✔ Healthy")
