"""Debian's own kubectl (1.20), which speaks SPDY only: fetched once into the cache folder, else the test is skipped."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drumroll-tests"
PACKAGE = "kubernetes-client"


def elder_kubectl() -> str:
    """The path of a kubectl 1.20."""
    found = CACHE / "kubectl-1.20"
    if not found.exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            pytest.skip("Debian's kubectl 1.20 cannot be fetched: this is no Debian")
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            _fetch(Path(folder), found)
    return str(found)


def _fetch(folder: Path, target: Path) -> None:
    done = subprocess.run(
        ["apt-get", "download", PACKAGE], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    packages = list(folder.glob(f"{PACKAGE}_1.20*.deb"))
    if done.returncode != 0 or not packages:
        pytest.skip(f"Debian's kubectl 1.20 cannot be fetched: {done.stderr.strip()[-200:] or 'another version'}")
    subprocess.run(["dpkg", "-x", str(packages[0]), str(folder / "root")], check=True, timeout=60)
    (folder / "root/usr/bin/kubectl").rename(target)
