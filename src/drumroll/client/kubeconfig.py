"""Reads and writes kubeconfig files: ours whole, the user's only our own entries in it."""

import base64
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drumroll.objects.meta import Obj

LOCK_SECONDS = 5.0


class KubeconfigError(Exception):
    """The file cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach an API server and as whom. `authority`, `certificate` and `key` are PEM."""

    server: str
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    insecure: bool = False


def load_kubeconfig(path: Path, context: str = "") -> Connection:
    """The connection of `context`, or of the file's current one. Raises KubeconfigError."""
    config = _read(path)
    name = context or config.get("current-context") or ""
    chosen = _named(config, "contexts", name, path).get("context") or {}
    cluster = _named(config, "clusters", chosen.get("cluster", ""), path).get("cluster") or {}
    user = _named(config, "users", chosen.get("user", ""), path).get("user") or {}
    if "server" not in cluster:
        raise KubeconfigError(f"{path}: cluster {chosen.get('cluster')!r} names no server")
    return Connection(
        server=cluster["server"].rstrip("/"),
        authority=_material(cluster, "certificate-authority", path),
        certificate=_material(user, "client-certificate", path),
        key=_material(user, "client-key", path),
        token=user.get("token") or _material(user, "tokenFile", path).decode().strip(),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )


def kubeconfig_of(name: str, connection: Connection) -> Obj:
    """A kubeconfig with one cluster, user and context, all called `name`; certificates are embedded."""
    cluster: Obj = {"server": connection.server}
    user: Obj = {}
    for target, field, pem in (
        (cluster, "certificate-authority-data", connection.authority),
        (user, "client-certificate-data", connection.certificate),
        (user, "client-key-data", connection.key),
    ):
        if pem:
            target[field] = base64.b64encode(pem).decode()
    if connection.insecure:
        cluster["insecure-skip-tls-verify"] = True
    if connection.token:
        user["token"] = connection.token
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def write_kubeconfig(path: Path, name: str, connection: Connection) -> None:
    """Write a file of our own, mode 0600, whole or not at all."""
    _write(path, kubeconfig_of(name, connection))


def merge_context(path: Path, name: str, connection: Connection) -> None:
    """Add or replace our entries in the user's file and make our context the current one, as kind does.

    Everything else in it stays as it is. Raises KubeconfigError, and then nothing was changed.
    """
    ours = kubeconfig_of(name, connection)
    with _locked(path):
        empty: Obj = {"apiVersion": "v1", "kind": "Config"}
        config = _read(path) if path.exists() and path.stat().st_size else empty
        for section in ("clusters", "users", "contexts"):
            others = [entry for entry in config.get(section) or () if entry.get("name") != name]
            config[section] = [*others, *ours[section]]
        config["current-context"] = name
        _write(path, config)


def remove_context(path: Path, name: str) -> bool:
    """Take our entries out of the user's file again; whether there were any.

    The current context is unset when it was ours. Raises KubeconfigError, and then nothing was changed.
    """
    if not path.exists():
        return False
    with _locked(path):
        config = _read(path)
        found = False
        for section in ("clusters", "users", "contexts"):
            entries = config.get(section) or []
            others = [entry for entry in entries if entry.get("name") != name]
            found = found or len(others) != len(entries)
            config[section] = others
        if config.get("current-context") == name:
            config["current-context"] = ""
            found = True
        if found:
            _write(path, config)
    return found


def _read(path: Path) -> Obj:
    import yaml

    try:
        loaded: Any = yaml.safe_load(path.read_text())
    except OSError as error:
        raise KubeconfigError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise KubeconfigError(f"{path} is not YAML{where}") from error
    if not isinstance(loaded, dict):
        raise KubeconfigError(f"{path} is not a kubeconfig")
    return loaded


def _named(config: Obj, section: str, name: str, path: Path) -> Obj:
    entries: list[Obj] = config.get(section) or []
    found = next((entry for entry in entries if entry.get("name") == name), None)
    if found is None:
        raise KubeconfigError(f"{path}: no entry {name!r} in {section}")
    return found


def _material(entry: Obj, field: str, path: Path) -> bytes:
    """Embedded data, or the file named by `field` (relative to the kubeconfig's folder); empty when neither."""
    if data := entry.get(f"{field}-data"):
        return base64.b64decode(data)
    if not entry.get(field):
        return b""
    try:
        return path.parent.joinpath(entry[field]).read_bytes()
    except OSError as error:
        raise KubeconfigError(f"{path}: {field} {entry[field]}: {error.strerror}") from error


def _write(path: Path, config: Obj) -> None:
    import yaml

    target = path.resolve()  # a user's file may be a link: replace what it points to
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=".kubeconfig-")  # mkstemp makes it 0600
    except OSError as error:
        raise KubeconfigError(f"{path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w") as file:
            yaml.safe_dump(config, file, sort_keys=False)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(target)
    except OSError as error:
        Path(draft).unlink(missing_ok=True)
        raise KubeconfigError(f"{path}: {error.strerror}") from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold `<path>.lock`, the lock that kubectl and kind take too."""
    lock = path.with_name(path.name + ".lock")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError as error:
            if not lock.exists():
                raise KubeconfigError(f"{error.filename} is not a folder") from error
            if time.monotonic() > deadline:
                raise KubeconfigError(
                    f"{path} is locked by another program; when none is running, remove {lock}"
                ) from None
            time.sleep(0.05)
        except OSError as error:
            raise KubeconfigError(f"{lock}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
