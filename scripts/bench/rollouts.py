"""Create and rolling update of a Deployment with a simulated node, and how long the event loop was held up in it."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.cluster import ROOT, Measured, cluster

TOOLS = ROOT.parent / "shared" / "tools"
WORST = 'drumroll_event_loop_lag_worst_seconds{{window="10s",of="{}"}}'
CPU = "process_cpu_seconds_total"
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "big", "namespace": "default"},
    "spec": {"selector": {"app": "big"}, "ports": [{"port": 80}]},
}
"""In front of the pods of `bench_rollout.py`."""


@contextmanager
def simulated_node(measured: Measured) -> Iterator[None]:
    """Marks pods ready through the API, as a node would, at once."""
    node = subprocess.Popen([sys.executable, str(TOOLS / "bench_fake_node.py"), str(measured.kubeconfig), "-"])
    try:
        time.sleep(1)
        yield
    finally:
        node.terminate()
        node.wait()


class Watcher(threading.Thread):
    """Asks the control plane now and then for its worst hold-up."""

    def __init__(self, measured: Measured) -> None:
        super().__init__(daemon=True)
        self._measured, self._over = measured, threading.Event()
        self.worst = {"all": 0.0, "cpu": 0.0}

    def run(self) -> None:
        while not self._over.wait(4):
            self._look()

    def _look(self) -> None:
        figures = self._measured.figures()
        for of, known in self.worst.items():
            self.worst[of] = max(known, figures[WORST.format(of)])

    def end(self) -> dict[str, float]:
        self._over.set()
        self.join()
        self._look()
        return self.worst


def rollout(
    base: Path, isolation: str, pods: int, parts: str = "apiserver,controllers", *, service: bool = False
) -> dict[str, float]:
    """Seconds of create and update, and milliseconds of the worst hold-up meanwhile. Empty without the tools.

    With `service`, the pods are behind a Service, whose endpoints follow them.
    """
    if not (TOOLS / "bench_rollout.py").exists():
        return {}
    with cluster(base, isolation, parts) as measured, simulated_node(measured):
        if service:
            measured.create(SERVICE)
        time.sleep(11)  # the start's own hold-ups are not meant
        watcher, computed = Watcher(measured), measured.figures()[CPU]
        watcher.start()
        done = subprocess.run(
            [sys.executable, str(TOOLS / "bench_rollout.py"), str(measured.kubeconfig), "-", str(pods)],
            capture_output=True, text=True, check=True, timeout=600,
        )  # fmt: skip
        worst = watcher.end()
        answer = json.loads(done.stdout)
        return {
            "create (s)": answer["create_s"],
            "update (s)": answer["update_s"],
            "control plane's CPU for both (s)": measured.figures()[CPU] - computed,
            "worst hold-up of the event loop (ms)": worst["all"] * 1e3,
            "… of it computing (ms)": worst["cpu"] * 1e3,
        }
