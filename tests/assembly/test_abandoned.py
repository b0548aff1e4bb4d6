"""What a deleted home left is taken away, and nothing else."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from drumroll.assembly.abandoned import remove_abandoned
from drumroll.assembly.home import Home
from drumroll.assembly.isolation import container_refusal, ground_for
from drumroll.assembly.settings import Settings


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where run folders are: a place of this test's, so that it takes away nothing of others."""
    monkeypatch.setattr(Home, "run", property(lambda home: tmp_path / "runs" / home.identity))
    return tmp_path / "runs"


def made(folder: Path) -> Home:
    home = Home(folder)
    home.create()
    return home


def test_the_folder_of_a_deleted_home_goes_and_that_of_another_stays(runs: Path, tmp_path: Path) -> None:
    gone, kept = made(tmp_path / "gone"), made(tmp_path / "kept")
    (gone.run / "ads.sock").touch()
    shutil.rmtree(gone.folder)
    remove_abandoned(runs)
    assert [kept.run] == list(runs.iterdir())


def test_a_folder_that_is_not_the_homes_that_it_names_stays(runs: Path, tmp_path: Path) -> None:
    for name, note in (("other", str(tmp_path / "none")), ("binary", "\0")):
        (runs / name).mkdir(parents=True)
        (runs / name / "home").write_text(note)
    (runs / "just-made").mkdir()
    remove_abandoned(runs)
    assert {path.name for path in runs.iterdir()} == {"other", "binary", "just-made"}


@pytest.mark.container
@pytest.mark.asyncio
async def test_a_deleted_homes_network_goes_once_nobody_lives_in_it(runs: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0 or container_refusal():
        pytest.skip("no network namespaces here")
    home = made(tmp_path / "gone")
    ground = ground_for(home, Settings(), "container", "")
    namespace = ground.network.namespace
    assert namespace is not None
    await ground.make_network()
    inhabitant = subprocess.Popen(["nsenter", f"--net={namespace}", "sleep", "600"])
    try:
        while Path(f"/proc/{inhabitant.pid}/ns/net").stat().st_ino != namespace.stat().st_ino:
            assert inhabitant.poll() is None
        shutil.rmtree(home.folder)
        remove_abandoned(runs)
        assert namespace.exists()
        assert home.run.exists()
    finally:
        inhabitant.kill()
        inhabitant.wait()
        remove_abandoned(runs)
    assert not namespace.exists()
    assert not home.run.exists()
