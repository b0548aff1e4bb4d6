"""A whole cluster for a test: its own home, free ports, its own kubeconfig; gone afterwards, whatever happened."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.commands import run

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = shutil.which("kubectl")


@dataclass
class Cluster:
    """Drives `drumroll` and `kubectl` as a person would, with explicit homes instead of the user's own."""

    home: Path
    isolation: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    def drumroll(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "drumroll.cli.main", *arguments, "--home", str(self.home)]
        return run(command, environment=self.environment, check=check, cwd=ROOT)

    def up(self, *arguments: str) -> None:
        self.drumroll(
            "up", "--isolation", self.isolation, "--api-port", "0", "--http-port", "0", "--https-port", "0",
            "--no-context", *arguments,
        )  # fmt: skip

    def up_again(self) -> None:
        """As a person would after a crash: no options, the stored ones hold."""
        self.drumroll("up", "--no-context")

    def down(self) -> None:
        self.drumroll("down", "--delete", "--kubeconfig", str(self.home / "user-kubeconfig"), check=False)
        logs = self.home / "logs"
        shutil.rmtree(logs, ignore_errors=True)

    def status(self) -> dict[str, Any]:
        answer = self.drumroll("status", "-o", "json", check=False).stdout
        decoded: dict[str, Any] = json.loads(answer)
        return decoded

    def part(self, name: str) -> dict[str, Any]:
        return next(part for part in self.status()["parts"] if part["name"] == name)

    def kill_control_plane(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.part("apiserver")["pid"], number)
        self.until(
            lambda: not any(part["name"] == "apiserver" for part in self.status()["parts"]), "control plane dead"
        )

    def kubectl(self, *arguments: str, check: bool = True, timeout: float = 120, stdin: str = "") -> str:
        return self.try_kubectl(*arguments, check=check, timeout=timeout, stdin=stdin).stdout

    def try_kubectl(
        self, *arguments: str, check: bool = False, timeout: float = 120, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        assert KUBECTL, "kubectl is missing"
        command = [KUBECTL, "--kubeconfig", str(self.kubeconfig), *arguments]
        environment = {"HOME": str(self.home), "KUBECACHEDIR": str(self.home / "kubecache"), **self.environment}
        return run(command, environment=environment, check=check, timeout=timeout, stdin=stdin, cwd=ROOT)

    def get(self, kind: str, name: str = "", namespace: str = "default", selector: str = "") -> Any:
        arguments = ["get", kind, *([name] if name else []), "-n", namespace, "-o", "json"]
        arguments += ["-l", selector] if selector else []
        return json.loads(self.kubectl(*arguments))

    def until(self, condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        """The condition's first true value. Fails with `what` when it stays false."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if value := condition():
                return value
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {what}\n{self.log_tail()}")

    def log_tail(self) -> str:
        log = self.home / "logs" / "control-plane.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""
