"""Our answers beside those that a stock API server gave, where the recording lies beside the checkout."""

import re
import sys
from collections.abc import Callable

import pytest

from tests.commands import run
from tests.e2e.cluster import ROOT, Cluster

RECORDING = ROOT.parent / "shared" / "golden" / "api.jsonl"
REPLAY = ROOT.parent / "shared" / "tools" / "replay_golden.py"

STATUSES, BODIES = 199, 196
"""Answers equal, of 199; what differs is in docs/differences.md. Raise them, never lower them."""


@pytest.mark.e2e
@pytest.mark.skipif(not RECORDING.exists(), reason="the recorded answers are not beside this checkout")
def test_as_many_recorded_answers_are_equal_as_before(new_cluster: Callable[[str], Cluster]) -> None:
    cluster = new_cluster("loopback")
    cluster.up("--parts", "apiserver", "--bare")
    pki = cluster.home / "pki"
    done = run(
        [
            sys.executable, str(REPLAY), "--server", cluster.status()["api"], "--ca", str(pki / "ca.crt"),
            "--cert", str(pki / "admin.crt"), "--key", str(pki / "admin.key"), "--show", str(RECORDING),
        ],
        check=False, timeout=120,
    )  # fmt: skip
    found = re.search(r"status equal (\d+)/199, body equal (\d+)/199", done.stdout)
    assert found, done.stdout + done.stderr
    assert int(found[1]) >= STATUSES, done.stdout
    assert int(found[2]) >= BODIES, done.stdout
