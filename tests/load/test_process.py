"""The generator as a process of its own, against real sample programs."""

import json
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest

from drumroll.load.ledger import read_lines, summarize
from drumroll.load.plan import LoadPlan, Target
from tests.samples.programs import program, unique_address


@pytest.fixture
def address():
    with ExitStack() as stack:
        host = unique_address()
        stack.enter_context(program("rude", host, 8080, VERSION="0.0.1"))
        yield host


def generator(tmp_path, plan):
    (tmp_path / "plan.json").write_bytes(plan.to_json())
    arguments = ["--plan", str(tmp_path / "plan.json"), "--out", str(tmp_path / "ledger.jsonl")]
    return subprocess.Popen([sys.executable, "-m", "drumroll.load", *arguments], stdout=subprocess.PIPE)


def test_a_healthy_server_fails_nothing_at_500_a_second(tmp_path, address):
    targets = (
        Target("new", "new", address, 8080, "/status", rate=220),
        Target("kept-alive", "kept-alive", address, 8080, "/status", rate=220),
        Target("sockets", "websocket", address, 8080, "/ws", rate=60, connections=6),
    )
    with generator(tmp_path, LoadPlan(targets, seconds=3)) as process:
        lines = [json.loads(line) for line in process.stdout]
        assert process.wait(timeout=30) == 0
    with (tmp_path / "ledger.jsonl").open("rb") as file:
        summary = summarize(read_lines(file))
    assert summary.failures == {}
    assert summary.cut == 0
    assert summary.sent >= 1450
    assert summary.versions == {"0.0.1": summary.sent}
    assert lines[-1]["sent"] == summary.sent


def test_sigterm_ends_a_run_early_and_keeps_the_ledger(tmp_path, address):
    plan = LoadPlan((Target("new", "new", address, 8080, "/status", rate=50),), seconds=600)
    with generator(tmp_path, plan) as process:
        assert json.loads(process.stdout.readline())["sent"] > 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    with (tmp_path / "ledger.jsonl").open("rb") as file:
        assert summarize(read_lines(file)).failed == 0


def test_a_program_that_dies_is_booked(tmp_path, address):
    """The rude program is killed without any drain: this is what a lost request looks like in a ledger."""
    with program("rude", unique_address(1), 8080) as victim:
        plan = LoadPlan((Target("new", "new", unique_address(1), 8080, "/status", rate=100),), seconds=2)
        with generator(tmp_path, plan) as process:
            assert json.loads(process.stdout.readline())["failed"] == 0
            victim.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
    with (tmp_path / "ledger.jsonl").open("rb") as file:
        summary = summarize(read_lines(file))
    assert summary.failures["new refused"] > 20
    assert summary.longest_gap > 0.3


def test_a_broken_plan_is_a_sentence(tmp_path):
    (tmp_path / "plan.json").write_text("{")
    arguments = ["--plan", str(tmp_path / "plan.json"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "drumroll.load", *arguments], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"cannot read the plan")
    assert b"Traceback" not in done.stderr
