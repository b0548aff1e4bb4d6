"""`./dev soak`: updates and kills of control plane and Envoy under load, over and over; exit 1 when a request failed.

Three things are promised, and all are counted here round by round:
- an update loses no request, also when the control plane is killed in the middle of it;
- neither does a canary that people update, promote, abort and scale at any moment;
- `kill -9` of the control plane loses no acknowledged write.
A kill of Envoy cuts the connections that it holds. What that costs is told; only what fails after it is back counts.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

# the cluster, the shop and the load are the tests' own
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.e2e import shop
from tests.e2e.cluster import ROOT, Cluster
from tests.e2e.killing import kill_in_a_loop
from tests.e2e.traffic import Load, targets

from drumroll.load.ledger import Outcome, summarize
from drumroll.load.plan import LoadPlan

REPLICAS = 4
EVENTS = 60  # of one history of a canary


@dataclass(frozen=True)
class Round:
    """What one round came to; `failed` must be 0."""

    number: int
    kind: str
    sent: int = 0
    failed: int = 0
    excused: int = 0
    p99_ms: float = 0.0
    trouble: str = ""


class Soak:
    """The shop of the end-to-end tests, updated again and again."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._version = 1

    def update(self, number: int) -> Round:
        """One update under load."""
        return self._measured(number, "update", self._next_version)

    def kill_control_plane(self, number: int) -> Round:
        """One update, in the middle of which the control plane is killed and started again."""

        def killed() -> None:
            self._set_image()
            self._cluster.until(lambda: self._updated() >= 2, "the update is under way")
            self._cluster.kill_control_plane()
            time.sleep(1)
            self._cluster.up_again()
            self._finished()

        return self._measured(number, "update, control plane killed", killed)

    def kill_envoy(self, number: int) -> Round:
        """Envoy is killed; what fails before it serves again is excused."""
        back = 0.0

        def killed() -> None:
            nonlocal back
            old = self._cluster.part("envoy")["pid"]
            os.kill(old, 9)
            self._cluster.until(lambda: self._envoy() not in (0, old), "a new Envoy")
            shop.wait_serving(self._cluster)
            back = time.time()
            time.sleep(2)

        return self._measured(number, "Envoy killed", killed, lambda: back)

    def _measured(
        self, number: int, kind: str, act: Callable[[], None], excused_until: Callable[[], float] = lambda: 0.0
    ) -> Round:
        return measured(self._cluster, number, kind, act, excused_until)

    def _next_version(self) -> None:
        self._set_image()
        self._finished()

    def _set_image(self) -> None:
        self._version = self._version % 3 + 1
        self._cluster.kubectl("set", "image", "deployment/shop", f"shop=rude:0.0.{self._version}")

    def _finished(self) -> None:
        shop.rolled_out(self._cluster)
        gone = lambda: len(self._cluster.get("pods", selector="app=shop")["items"]) == REPLICAS  # noqa: E731
        self._cluster.until(gone, "the old pods are gone")

    def _updated(self) -> int:
        return int(self._cluster.get("deployment", "shop")["status"].get("updatedReplicas", 0))

    def _envoy(self) -> int:
        return next((part["pid"] for part in self._cluster.status()["parts"] if part["name"] == "envoy"), 0)


def measured(
    cluster: Cluster,
    number: int,
    kind: str,
    act: Callable[[], None],
    excused_until: Callable[[], float] = lambda: 0.0,
    *,
    tls: bool = True,
) -> Round:
    """What a load that runs meanwhile makes of it."""
    chosen = tuple(target for target in targets(cluster, websockets=False) if tls or not target.tls)
    try:
        with Load(LoadPlan(chosen, seconds=1800), cluster.home) as running:
            act()
    except AssertionError as error:
        return Round(number, kind, failed=1, trouble=str(error)[:2000])
    ledger = running.ledger
    failed = ledger.with_outcome(Outcome.FAILED)
    counted = [entry for entry in failed if ledger.started + entry.at > excused_until()]
    summary = summarize(ledger)
    excused = len(failed) - len(counted)
    trouble = str(summary.failures) if counted else ""
    return Round(number, kind, summary.sent, len(counted), excused, round(summary.p99 * 1e3, 1), trouble)


def soak_updates(base: Path, isolation: str, rounds: int) -> list[Round]:
    """Rounds of updates; in turn nothing, the control plane and Envoy is killed."""
    cluster = Cluster(base / "shop", isolation)
    cluster.up()
    try:
        shop.open_shop(cluster, "rude", REPLICAS)
        soak, found = Soak(cluster), []
        for number in range(1, rounds + 1):
            act = (soak.update, soak.kill_control_plane, soak.kill_envoy)[(number - 1) % 3]
            found.append(act(number))
            _tell(found[-1])
        return found
    finally:
        cluster.down()


def soak_canaries(base: Path, isolation: str, histories: int) -> list[Round]:
    """Histories of a canary: people do anything at any moment, and the control plane is killed now and then."""
    from scripts.soak_rollouts import History

    cluster = Cluster(base / "canary", isolation)
    cluster.up()
    try:
        found = []
        for seed in range(histories):
            history = History(cluster, seed, EVENTS)
            history.begin()
            found.append(measured(cluster, seed, "history of a canary", history.happen, tls=False))
            _tell(found[-1])
        return found
    finally:
        cluster.down()


def soak_kills(base: Path, kills: int) -> Round:
    """Kills while writers write."""
    cluster = Cluster(base / "writes", "loopback")
    cluster.up("--parts", "apiserver")
    try:
        told = asyncio.run(kill_in_a_loop(cluster, kills))
        done = Round(kills, f"kills while writers write: {told}", sent=told["acknowledged writes"])
    except AssertionError as error:
        done = Round(kills, "kills while writers write", failed=1, trouble=str(error)[:2000])
    finally:
        cluster.down()
    _tell(done)
    return done


def soak_search(times: int) -> Round:
    """The property tests with so many times as many examples, all of them new."""
    found = subprocess.run(
        ["grep", "-rlw", "--include=test_*.py", "hypothesis", "tests"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--timeout", "0", *found.stdout.split()]
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "DRUMROLL_SEARCH": str(times)},
        capture_output=True,
        text=True,
        check=False,
    )
    trouble = "" if ran.returncode == 0 else ran.stdout[-6000:]
    done = Round(
        times, f"property tests: {ran.stdout.splitlines()[-1]}", failed=int(ran.returncode != 0), trouble=trouble
    )
    _tell(done)
    return done


def _tell(done: Round) -> None:
    verdict = "FAILED" if done.failed else "ok"
    excused = f", {done.excused} cut with Envoy" if done.excused else ""
    figures = f"{done.sent} sent, {done.failed} failed{excused}, p99 {done.p99_ms} ms"
    print(f"{verdict:>6}  {done.number:>4}  {done.kind}: {figures} {done.trouble}".rstrip(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, help="updates under load (default 30)")
    parser.add_argument("--kills", type=int, default=200, help="kills while writers write (default 200)")
    parser.add_argument("--histories", type=int, default=5, help="histories of a canary (default 5)")
    parser.add_argument("--search", type=int, default=20, help="times as many examples of property tests (default 20)")
    parser.add_argument("--isolation", choices=("auto", "container", "loopback"), default="auto")
    parser.add_argument("--json", type=Path, help="also write the report to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drumroll-soak-") as folder:
        base = Path(folder)
        report = soak_updates(base, options.isolation, options.rounds) if options.rounds else []
        if options.histories:
            report += soak_canaries(base, options.isolation, options.histories)
        if options.kills:
            report.append(soak_kills(base, options.kills))
        if options.search:
            report.append(soak_search(options.search))
    failed = sum(done.failed for done in report)
    sent = sum(done.sent for done in report)
    print(f"{len(report)} rounds, {sent} requests and writes, {failed} failed", flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(done) for done in report], indent=2))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
