"""The audit log, when asked for: one line of JSON for every answer. Level Metadata: who, what, when, never a body."""

import logging
import os
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

import orjson

from drumroll.apiserver.authorization import verb_of
from drumroll.apiserver.registry import Registry
from drumroll.apiserver.routing import Target, parse
from drumroll.objects.errors import NotFound
from drumroll.objects.meta import Obj, micro_timestamp
from drumroll.objects.wire import Request, Response, User

log = logging.getLogger("drumroll.apiserver")


class AuditLog:
    """Appends to one file (mode 0600). What our own parts read is left out; what they write is in."""

    def __init__(self, path: Path, now: Callable[[], datetime], registry: Registry) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._now, self._registry = now, registry

    def close(self) -> None:
        """Release the file."""
        os.close(self._descriptor)

    def write(self, received: Request, answered: Request, response: Response | None, started: float) -> None:
        """Append the event of one request: as it was received, as it was answered (whom it impersonated)."""
        is_own = not received.source
        if is_own and received.method in ("GET", "HEAD"):
            return
        event = self._event(received, answered, response, perf_counter() - started)
        try:
            os.write(self._descriptor, orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:  # a full disk must not take the API down
            log.warning("audit_write_failed error=%s", error)

    def _event(self, received: Request, answered: Request, response: Response | None, took: float) -> Obj:
        now = self._now()
        target = _target(received.path, self._registry)
        user, verb = received.user, received.method.lower() if target is None else verb_of(received, target)
        is_impersonated = answered.user is not received.user and bool(answered.headers.get("impersonate-user"))
        event: Obj = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": str(uuid.uuid4()),
            "stage": "ResponseComplete",
            "requestURI": _uri(received),
            "verb": verb,
            "user": _user(user if is_impersonated else answered.user),
            "sourceIPs": [received.source] if received.source else [],
            "userAgent": received.headers.get("user-agent", ""),
            "responseStatus": {"metadata": {}, "code": 499 if response is None else response.status},
            "requestReceivedTimestamp": micro_timestamp(now - timedelta(seconds=took)),
            "stageTimestamp": micro_timestamp(now),
        }
        if is_impersonated:
            event["impersonatedUser"] = _user(answered.user)
        if target is not None:
            event["objectRef"] = _reference(target)
        if response is not None:
            refused = response.status in (401, 403)
            event["annotations"] = {"authorization.k8s.io/decision": "forbid" if refused else "allow"}
        return event


def _target(path: str, registry: Registry) -> Target | None:
    try:
        return parse(path, registry) if path.startswith(("/api/", "/apis/")) else None
    except NotFound:
        return None


def _uri(request: Request) -> str:
    from urllib.parse import urlencode

    return f"{request.path}?{urlencode(request.query)}" if request.query else request.path


def _user(user: User) -> Obj:
    shown: Obj = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        shown["uid"] = user.uid
    if user.extra:
        shown["extra"] = {key: list(values) for key, values in user.extra}
    return shown


def _reference(target: Target) -> Obj:
    shown = {
        "resource": target.kind.plural,
        "namespace": target.namespace,
        "name": target.name,
        "apiGroup": target.kind.group,
        "apiVersion": target.kind.version,
        "subresource": target.subresource,
    }
    return {key: value for key, value in shown.items() if value}
