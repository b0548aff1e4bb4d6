"""Kubeconfig files: read, written, merged into the user's own and taken out again."""

import stat
import sys
from pathlib import Path

import pytest
import yaml

from drumroll.client.kubeconfig import (
    Connection,
    KubeconfigError,
    load_kubeconfig,
    load_user_config,
    merge_context,
    remove_context,
    write_kubeconfig,
)

OURS = Connection("https://127.0.0.1:6443", b"CA", b"CERT", b"KEY")
THEIRS = {
    "apiVersion": "v1",
    "kind": "Config",
    "preferences": {"colors": True},
    "clusters": [{"name": "work", "cluster": {"server": "https://work:443/", "certificate-authority": "ca.pem"}}],
    "users": [{"name": "me", "user": {"token": "secret"}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me", "namespace": "team"}}],
    "current-context": "work",
}


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(THEIRS))
    tmp_path.joinpath("ca.pem").write_bytes(b"THEIR CA")
    return path


def test_what_is_written_is_read_back_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kubeconfig"
    write_kubeconfig(path, "drumroll", OURS)
    assert load_kubeconfig(path) == OURS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_files_named_in_it_are_found_beside_it(user_file: Path) -> None:
    assert load_kubeconfig(user_file) == Connection("https://work:443", b"THEIR CA", token="secret")


def test_merging_keeps_everything_else_and_makes_ours_current(user_file: Path) -> None:
    merge_context(user_file, "drumroll", OURS)
    merge_context(user_file, "drumroll", OURS)
    assert load_kubeconfig(user_file) == OURS
    assert load_kubeconfig(user_file, "work").token == "secret"
    merged = yaml.safe_load(user_file.read_text())
    assert merged["preferences"] == {"colors": True}
    assert [one["name"] for one in merged["contexts"]] == ["work", "drumroll"]


def test_removing_takes_out_ours_only(user_file: Path) -> None:
    merge_context(user_file, "drumroll", OURS)
    assert remove_context(user_file, "drumroll")
    assert yaml.safe_load(user_file.read_text()) == {**THEIRS, "current-context": ""}
    assert not remove_context(user_file, "drumroll")


def test_a_missing_file_is_made_and_a_link_is_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(target)
    merge_context(link, "drumroll", OURS)
    assert link.is_symlink()
    assert load_kubeconfig(target) == OURS
    assert not remove_context(tmp_path / "none", "drumroll")


@pytest.mark.parametrize("text", ["[", "just text", "- 1"])
def test_a_broken_file_is_refused_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError, match="config"):
        merge_context(path, "drumroll", OURS)
    assert path.read_text() == text
    assert [one.name for one in tmp_path.iterdir()] == ["config"]


def test_a_locked_file_is_refused_with_the_locks_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drumroll.client.kubeconfig.LOCK_SECONDS", 0.0)
    tmp_path.joinpath("config.lock").touch()
    with pytest.raises(KubeconfigError, match=r"config\.lock"):
        merge_context(tmp_path / "config", "drumroll", OURS)


def test_unknown_contexts_are_named(user_file: Path) -> None:
    with pytest.raises(KubeconfigError, match="'nope'"):
        load_kubeconfig(user_file, "nope")


def test_a_folder_that_is_a_file_is_said_to_be_one_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KubeconfigError, match="file is not a folder"):
        merge_context(tmp_path / "file" / "config", "drumroll", OURS)


def test_damaged_yaml_is_told_in_one_line(user_file: Path) -> None:
    user_file.write_text("a: [\n")
    with pytest.raises(KubeconfigError, match=r"is not YAML \(line 2\)$"):
        merge_context(user_file, "drumroll", OURS)


PROGRAM = """\
import json, os, sys
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert info["spec"]["cluster"]["server"] == "https://example.com", info
print(json.dumps({"kind": "ExecCredential", "status": {"token": os.environ["WHO"] + sys.argv[1]}}))
"""


def kubeconfig_with(tmp_path: Path, user: dict) -> Path:
    config = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "shop"}}],
        "clusters": [{"name": "a", "cluster": {"server": "https://example.com"}}],
        "users": [{"name": "a", "user": user}],
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_program_may_log_in(tmp_path: Path):
    program = tmp_path / "login.py"
    program.write_text(PROGRAM)
    user = {
        "exec": {
            "command": sys.executable,
            "args": [str(program), "-1"],
            "env": [{"name": "WHO", "value": "me"}],
            "provideClusterInfo": True,
        }
    }
    connection, namespace = load_user_config([kubeconfig_with(tmp_path, user)])
    assert (connection.token, namespace) == ("me-1", "shop")


@pytest.mark.parametrize(
    ("exec_", "said"),
    [
        ({"command": "no-such-login", "installHint": "Get it there."}, "is not installed. Get it there."),
        ({"command": sys.executable, "args": ["-c", "raise SystemExit('not today')"]}, "status 1: not today"),
        ({"command": sys.executable, "args": ["-c", "print('{}')"]}, "answered with no ExecCredential"),
        ({"command": sys.executable, "args": ["-c", "print('{\"status\": {}}')"]}, "neither a token nor a certificate"),
    ],
)
def test_a_login_that_fails_is_explained(tmp_path: Path, exec_: dict, said: str):
    with pytest.raises(KubeconfigError) as error:
        load_user_config([kubeconfig_with(tmp_path, {"exec": exec_})])
    assert said in str(error.value)


def test_of_several_files_the_first_that_has_an_entry_counts(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(yaml.safe_dump({"users": [{"name": "u", "user": {"token": "one"}}], "current-context": "c"}))
    second.write_text(
        yaml.safe_dump(
            {
                "current-context": "other",
                "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
                "clusters": [{"name": "k", "cluster": {"server": "https://k/"}}],
                "users": [{"name": "u", "user": {"token": "two"}}],
            }
        )
    )
    connection, namespace = load_user_config([tmp_path / "missing", first, second])
    assert (connection.server, connection.token, namespace) == ("https://k", "one", "")
    with pytest.raises(KubeconfigError, match="no entry 'nope' in contexts"):
        load_user_config([first, second], "nope")
    with pytest.raises(KubeconfigError, match="does not exist"):
        load_user_config([tmp_path / "missing"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("contexts: {a: b}\ncurrent-context: a", "contexts is no list of entries"),
        ("contexts: [a]\ncurrent-context: a", "contexts is no list of entries"),
        ("contexts: [{name: a, context: b}]\ncurrent-context: a", "context of 'a' is no object"),
        ("contexts: []", "no context is current"),
        (
            "contexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\n"
            "clusters: [{name: a, cluster: {server: 'https://x', certificate-authority-data: abc}}]",
            "certificate-authority-data is no base64",
        ),
        ("contexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\nclusters: [{name: a}]", "names no server"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_explained(tmp_path: Path, text: str, said: str):
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError, match=said):
        load_user_config([path])
