"""Credentials from a program, as clouds hand them out: a kubeconfig's `user.exec`.

Source: client-go plugin/pkg/client/auth/exec.
"""

import os
import subprocess
from dataclasses import dataclass

import orjson

from drumroll.objects.meta import Obj

_SECONDS = 60
_INFO = "KUBERNETES_EXEC_INFO"


class NoCredential(Exception):
    """The program gave none; the message says why."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What the program answered."""

    token: str = ""
    certificate: bytes = b""
    key: bytes = b""


def credential_from(settings: Obj, cluster: Obj) -> Credential:
    """Run the program that `user.exec` names and take its answer. Raises NoCredential."""
    command = settings.get("command") or ""
    argv = [command, *(settings.get("args") or ())]
    added = {one["name"]: one["value"] for one in settings.get("env") or ()}
    environment = {**os.environ, **added, _INFO: orjson.dumps(_info(settings, cluster)).decode()}
    try:
        done = subprocess.run(argv, env=environment, capture_output=True, timeout=_SECONDS, check=False)
    except FileNotFoundError as error:
        hint = f" {settings['installHint'].strip()}" if settings.get("installHint") else ""
        raise NoCredential(f"the program {command!r}, which logs in, is not installed.{hint}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoCredential(f"{command!r}, which logs in, did not end well: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-300:]
        raise NoCredential(f"{command!r}, which logs in, failed with status {done.returncode}: {said or 'no reason'}")
    return _read(command, done.stdout)


def _info(settings: Obj, cluster: Obj) -> Obj:
    spec: Obj = {"interactive": False}
    if settings.get("provideClusterInfo"):
        names = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data")
        spec["cluster"] = {name: cluster[name] for name in names if name in cluster}
    return {"apiVersion": settings.get("apiVersion"), "kind": "ExecCredential", "spec": spec}


def _read(command: str, answer: bytes) -> Credential:
    try:
        status = orjson.loads(answer)["status"]
        certificate, key = (str(status.get(f"client{name}Data") or "") for name in ("Certificate", "Key"))
        found = Credential(str(status.get("token") or ""), certificate.encode(), key.encode())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoCredential(f"{command!r}, which logs in, answered with no ExecCredential") from error
    if not found.token and not (found.certificate and found.key):
        raise NoCredential(f"{command!r}, which logs in, gave neither a token nor a certificate")
    return found
