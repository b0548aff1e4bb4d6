"""Kubeconfig files: read, written, merged into the user's own and taken out again."""

import stat
from pathlib import Path

import pytest
import yaml

from drumroll.client.kubeconfig import (
    Connection,
    KubeconfigError,
    load_kubeconfig,
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
