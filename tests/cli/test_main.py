"""What a person sees when a command cannot be: one sentence, exit status 1, never a traceback."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drumroll.assembly.home import Home
from drumroll.assembly.outliving import outliving_processes
from drumroll.assembly.registry import claim, running_parts
from drumroll.assembly.settings import first_settings, is_damaged, load_settings
from drumroll.cli.main import main
from tests.commands import run


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home that leaves nothing behind."""
    found = Home(tmp_path / "home")
    yield found
    shutil.rmtree(found.run, ignore_errors=True)


def drumroll(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "drumroll.cli.main", *arguments], check=False, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["up", "--api-port", "70000"], "is not a port", id="a port out of range"),
        pytest.param(["up", "--parts", "apiserver,nonsense"], "nonsense", id="an unknown part"),
        pytest.param(["up", "--isolation", "vm"], "invalid choice", id="an unknown isolation"),
        pytest.param(["up", "--listen", "localhost"], "is not an IPv4 address", id="a name to listen on"),
        pytest.param(["up", "--home", ""], "name a folder", id="an empty home"),
        pytest.param(["frobnicate"], "invalid choice", id="an unknown command"),
        pytest.param([], "required", id="no command at all"),
    ],
)
def test_wrong_words_are_explained(arguments: list[str], words: str) -> None:
    answer = drumroll(*arguments)
    assert answer.returncode == 2
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def test_no_command_at_all_shows_which_there_are() -> None:
    answer = drumroll()
    assert "start the cluster" in answer.stderr
    assert "drumroll demo" in answer.stderr


def test_a_folder_without_a_dockerfile_is_explained(tmp_path: Path) -> None:
    answer = drumroll("image", "build", str(tmp_path), "-t", "x:1", "--home", str(tmp_path / "home"))
    assert answer.returncode == 1
    assert "Dockerfile" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_missing_image_is_explained(tmp_path: Path) -> None:
    answer = drumroll("image", "tag", "nothing:1", "other:1", "--home", str(tmp_path / "home"))
    assert answer.returncode == 1
    assert "there is no image 'nothing:1'" in answer.stderr


def test_a_taken_port_is_explained_and_nothing_runs_afterwards(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        answer = drumroll(
            "up", "--home", str(home.folder), "--isolation", "loopback", "--api-port", port, "--no-context",
            "--http-port", "0", "--https-port", "0",
        )  # fmt: skip
    assert answer.returncode == 1
    assert f"127.0.0.1:{port}" in answer.stderr
    assert "--api-port" in answer.stderr
    assert running_parts(home) == []
    assert not home.settings.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            ["--api-port", "45001", "--http-port", "45001", "--https-port", "0"], "named twice", id="one port for two"
        ),
        pytest.param(
            ["--listen", "203.0.113.7", "--api-port", "0", "--http-port", "0", "--https-port", "0"],
            "no interface of this machine has the address",
            id="somebody else's address",
        ),
    ],
)
def test_what_cannot_be_listened_on_is_explained(home: Home, arguments: list[str], words: str) -> None:
    answer = drumroll("up", "--home", str(home.folder), "--isolation", "loopback", "--no-context", *arguments)
    assert answer.returncode == 1
    assert words in answer.stderr
    assert running_parts(home) == []


def test_damaged_settings_do_not_hide_what_runs(home: Home, tmp_path: Path) -> None:
    start = ("up", "--home", str(home.folder), "--isolation", "loopback", "--no-context")
    ports = ("--api-port", "0", "--http-port", "0", "--https-port", "0")
    assert drumroll(*start, *ports).returncode == 0
    try:
        envoy = wait_for_envoy(home)
        home.settings.write_text("{")
        os.kill(running_parts(home)[0].pid, signal.SIGKILL)
        answer = drumroll(*start, *ports)
        assert answer.returncode == 1
        assert "`drumroll down`" in answer.stderr
        assert drumroll("down", "--home", str(home.folder)).returncode == 0
        assert not is_running(envoy)
        assert drumroll(*start, *ports).returncode == 0
    finally:
        drumroll("down", "--delete", "--home", str(home.folder), "--kubeconfig", str(tmp_path / "none"))


def wait_for_envoy(home: Home) -> int:
    deadline = time.monotonic() + 20
    while (envoy := outliving_processes(home).get("envoy")) is None:
        assert time.monotonic() < deadline, "no Envoy"
        time.sleep(0.02)
    return envoy


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and ") Z " not in status.read_text()  # a zombie is only waiting for its parent


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("{", id="no JSON"),
        pytest.param('{"parts": ["apiserver"], "api_port": "abc"}', id="a port that is no number"),
        pytest.param('{"parts": ["apiserver"], "isolation": "vm"}', id="an unknown isolation"),
        pytest.param('{"parts": 3}', id="parts that are none"),
    ],
)
def test_settings_that_make_no_sense_are_damaged(tmp_path: Path, content: str) -> None:
    home = Home(tmp_path)
    assert not is_damaged(home)
    home.settings.write_text(content)
    assert is_damaged(home)
    assert load_settings(home) == first_settings()


def test_settings_of_a_later_release_are_kept_as_far_as_they_are_known(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.settings.write_text('{"parts": ["apiserver"], "api_port": 7443, "something_new": 1}')
    assert not is_damaged(home)
    assert load_settings(home).api_port == 7443


def test_a_damaged_store_is_explained(home: Home) -> None:
    home.create()
    home.store.write_bytes(b"this is not a database" * 400)
    answer = drumroll(
        "up", "--home", str(home.folder), "--isolation", "loopback", "--api-port", "0", "--no-context",
        "--parts", "apiserver",
    )  # fmt: skip
    assert answer.returncode == 1
    assert "`drumroll down --delete` begins anew" in answer.stderr


def test_a_second_up_is_refused_with_the_owner(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.create()
    with claim(home, ("apiserver",)):
        assert main(["up", "--home", str(home.folder), "--no-context"]) == 1
    assert "already up" in capsys.readouterr().err


def test_a_lock_file_left_by_a_killed_process_does_not_count(home: Home) -> None:
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
