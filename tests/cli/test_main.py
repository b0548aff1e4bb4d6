"""What a person sees when a command cannot be: one sentence, exit status 1, never a traceback."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from drumroll.assembly.home import Home
from drumroll.assembly.registry import claim, running_parts
from drumroll.cli.main import main


def drumroll(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "drumroll.cli.main", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["up", "--api-port", "70000"], "is not a port", id="a port out of range"),
        pytest.param(["up", "--parts", "apiserver,nonsense"], "nonsense", id="an unknown part"),
        pytest.param(["up", "--isolation", "vm"], "invalid choice", id="an unknown isolation"),
        pytest.param(["frobnicate"], "invalid choice", id="an unknown command"),
        pytest.param([], "required", id="no command at all"),
    ],
)
def test_wrong_words_are_explained(arguments: list[str], words: str) -> None:
    answer = drumroll(*arguments)
    assert answer.returncode == 2
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_folder_without_a_dockerfile_is_explained(tmp_path: Path) -> None:
    answer = drumroll("image", "build", str(tmp_path), "-t", "x:1", "--home", str(tmp_path / "home"))
    assert answer.returncode == 1
    assert "Dockerfile" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_missing_image_is_explained(tmp_path: Path) -> None:
    answer = drumroll("image", "tag", "nothing:1", "other:1", "--home", str(tmp_path / "home"))
    assert answer.returncode == 1
    assert "there is no image 'nothing:1'" in answer.stderr


def test_a_taken_port_is_explained_and_nothing_runs_afterwards(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        answer = drumroll(
            "up", "--home", str(tmp_path / "home"), "--isolation", "loopback", "--api-port", port, "--no-context",
            "--http-port", "0", "--https-port", "0",
        )  # fmt: skip
    assert answer.returncode == 1
    assert f"127.0.0.1:{port}" in answer.stderr
    assert "--api-port" in answer.stderr
    assert running_parts(Home(tmp_path / "home")) == []
    assert not (tmp_path / "home" / "cluster.json").exists()


def test_a_second_up_is_refused_with_the_owner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path / "home")
    home.create()
    with claim(home, ("apiserver",)):
        assert main(["up", "--home", str(home.folder), "--no-context"]) == 1
    assert "already up" in capsys.readouterr().err


def test_a_lock_file_left_by_a_killed_process_does_not_count(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    (home.parts / "apiserver.lock").write_text("999999")
    assert running_parts(home) == []
    with claim(home, ("apiserver",)):
        assert [part.name for part in running_parts(home)] == ["apiserver"]


def test_a_home_that_cannot_be_made_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["up", "--home", str(tmp_path / "file" / "home"), "--no-context"]) == 1
    assert "Choose another with --home" in capsys.readouterr().err


def test_status_of_an_empty_home_says_how_to_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--home", str(tmp_path / "none")]) == 1
    assert "drumroll up" in capsys.readouterr().out
