"""Reads and writes kubeconfig files: ours whole, the user's only our own entries in it."""

import base64
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drumroll.client.exec_credential import Credential, NoCredential, credential_from
from drumroll.objects.meta import Obj

LOCK_SECONDS = 5.0


class KubeconfigError(Exception):
    """The file cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach an API server and as whom. `authority`, `certificate` and `key` are PEM.

    `token_file` holds a token that changes from time to time: it is read again and again.
    """

    server: str
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    insecure: bool = False
    token_file: Path | None = None


def load_kubeconfig(path: Path, context: str = "") -> Connection:
    """The connection of `context`, or of the file's current one. Raises KubeconfigError."""
    config = _read(path)
    name = context or config.get("current-context") or ""
    chosen = _named(config, "contexts", name, path).get("context") or {}
    cluster = _named(config, "clusters", chosen.get("cluster", ""), path).get("cluster") or {}
    user = _named(config, "users", chosen.get("user", ""), path).get("user") or {}
    return _connection(path, cluster, path, user)


def load_user_config(paths: Sequence[Path], context: str = "") -> tuple[Connection, str]:
    """The connection and the namespace (or empty) of `context`, or of the current one, as kubectl finds them.

    Of several files the first that has an entry counts; files that are not there do not. Raises KubeconfigError.
    """
    found = [path for path in paths if path.exists()]
    if not found:
        raise KubeconfigError(f"there is no kubeconfig: {' nor '.join(map(str, paths))} does not exist")
    loaded = [(path, _read(path)) for path in found]
    name = context or next((config["current-context"] for _, config in loaded if config.get("current-context")), "")
    if not name:
        raise KubeconfigError(f"{found[0]}: no context is current; choose one with --context")
    path, chosen = _first(loaded, "contexts", name)
    inner: Obj = _inside(chosen, "context", path)
    where, cluster = _first(loaded, "clusters", inner.get("cluster", ""))
    whose, user = _first(loaded, "users", inner["user"]) if inner.get("user") else (path, {})
    connection = _connection(where, _inside(cluster, "cluster", where), whose, _inside(user, "user", whose))
    return connection, inner.get("namespace") or ""


def _inside(entry: Obj, field: str, path: Path) -> Obj:
    found = entry.get(field) or {}
    if not isinstance(found, dict):
        raise KubeconfigError(f"{path} is not a kubeconfig: {field} of {entry.get('name')!r} is no object")
    return found


def _first(loaded: list[tuple[Path, Obj]], section: str, name: str) -> tuple[Path, Obj]:
    for path, config in loaded:
        entries = config.get(section) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise KubeconfigError(f"{path} is not a kubeconfig: {section} is no list of entries")
        for entry in entries:
            if entry.get("name") == name:
                return path, entry
    raise KubeconfigError(f"{', '.join(str(path) for path, _ in loaded)}: no entry {name!r} in {section}")


def _connection(where: Path, cluster: Obj, whose: Path, user: Obj) -> Connection:
    if not isinstance(cluster.get("server"), str):
        raise KubeconfigError(f"{where}: the cluster names no server")
    if user.get("auth-provider"):
        raise KubeconfigError(f"{whose}: auth-provider is a thing of the past; let your cloud write the user anew")
    given = _from_program(user["exec"], cluster, whose) if user.get("exec") else Credential()
    return Connection(
        server=cluster["server"].rstrip("/"),
        authority=_material(cluster, "certificate-authority", where),
        certificate=_material(user, "client-certificate", whose) or given.certificate,
        key=_material(user, "client-key", whose) or given.key,
        token=user.get("token") or _material(user, "tokenFile", whose).decode().strip() or given.token,
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        token_file=_token_file(user, whose),
    )


def _from_program(settings: Obj, cluster: Obj, whose: Path) -> Credential:
    try:
        return credential_from(settings, cluster)
    except NoCredential as error:
        raise KubeconfigError(f"{whose}: {error}") from error


def _token_file(user: Obj, whose: Path) -> Path | None:
    """The file of a token that counts: Kubernetes puts another one there from time to time."""
    return whose.parent.joinpath(user["tokenFile"]) if user.get("tokenFile") and not user.get("token") else None


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
        try:
            return base64.b64decode(data)
        except (ValueError, TypeError) as error:
            raise KubeconfigError(f"{path}: {field}-data is no base64") from error
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
