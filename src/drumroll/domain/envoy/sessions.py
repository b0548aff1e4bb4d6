"""What keeps a client with its endpoint, and browsers' cross-origin questions: per-route filter configurations."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from drumroll.domain.envoy import types
from drumroll.domain.envoy.carrying import carrying_filter
from drumroll.domain.envoy.taps import tap_filter
from drumroll.domain.gateway.model import Backend, Cors, HeaderChange, Session
from drumroll.objects.meta import Obj

STATEFUL_SESSION, CORS_FILTER = "envoy.filters.http.stateful_session", "envoy.filters.http.cors"


def filters() -> list[Obj]:
    """The filters in the listeners: asleep until a route wakes them, so that a route never changes a listener."""
    return [
        {"name": CORS_FILTER, "typed_config": {"@type": types.CORS}, "disabled": True},
        {"name": STATEFUL_SESSION, "typed_config": {"@type": types.STATEFUL_SESSION}, "disabled": True},
        tap_filter(),
        carrying_filter(),
    ]


def affinity(session: Session | None) -> Obj:
    """The route's part that keeps a client with one endpoint of a cluster."""
    if session is None:
        return {}
    state: Obj
    if session.type == "Cookie":
        cookie: Obj = {"name": session.name, "path": "/"}
        if session.lifetime:
            cookie["ttl"] = f"{session.lifetime}s"
        config: Obj = {"@type": types.SESSION_COOKIE, "cookie": cookie}
        state = {"name": "envoy.http.stateful_session.cookie", "typed_config": config}
    else:
        config = {"@type": types.SESSION_HEADER, "name": session.name}
        state = {"name": "envoy.http.stateful_session.header", "typed_config": config}
    per_route = {"@type": types.STATEFUL_SESSION_PER_ROUTE, "stateful_session": {"session_state": state}}
    return {STATEFUL_SESSION: per_route}


def pins(session: Session | None, backends: Sequence[Backend]) -> Iterable[tuple[Obj, Backend]]:
    """Header matches that send a client back to the backend whose answer it had first, before weights are asked.

    One cluster alone needs none: its endpoint is found in Envoy's own cookie.
    """
    if session is None or len(backends) < 2:
        return
    for backend in backends:
        if backend.cluster and backend.weight:
            token = re.escape(_token(backend))
            if session.type == "Cookie":
                pattern = rf"(?:.*;\s*)?{re.escape(_name(session))}={token}(?:\s*;.*)?"
                header = {"name": "cookie", "string_match": {"safe_regex": {"regex": pattern}}}
            else:
                header = {"name": _name(session), "string_match": {"exact": _token(backend)}}
            yield header, backend


def remembered(session: Session | None, backends: Sequence[Backend]) -> tuple[Backend, ...]:
    """The backends with answers that tell the client which of them it has met."""
    if session is None or len(backends) < 2:
        return tuple(backends)
    return tuple(_telling(session, backend) if backend.cluster else backend for backend in backends)


def _telling(session: Session, backend: Backend) -> Backend:
    told = backend.response
    if session.type == "Header":
        change = HeaderChange((*told.set, (_name(session), _token(backend))), told.add, told.remove)
    else:
        age = f"; Max-Age={session.lifetime}" if session.lifetime else ""
        cookie = f"{_name(session)}={_token(backend)}; Path=/{age}; HttpOnly"
        change = HeaderChange(told.set, (*told.add, ("set-cookie", cookie)), told.remove)
    return replace(backend, response=change)


def _name(session: Session) -> str:
    return f"{session.name}-backend"


def _token(backend: Backend) -> str:
    return (backend.cluster or "").replace("/", ".")


def cors(policy: Cors | None) -> Obj:
    """The route's answer to browsers that ask whether a page of another origin may use it."""
    if policy is None:
        return {}
    origins = policy.origins or ("*",)
    found: Obj = {
        "@type": types.CORS_POLICY,
        "allow_origin_string_match": [_origin(origin) for origin in origins],
        "allow_methods": ", ".join(policy.methods),
        "allow_headers": ", ".join(policy.headers),
        "expose_headers": ", ".join(policy.exposed),
        "max_age": str(policy.max_age),
        "allow_credentials": policy.credentials,
    }
    return {CORS_FILTER: {name: value for name, value in found.items() if value != ""}}


def _origin(origin: str) -> Obj:
    if "*" not in origin:
        return {"exact": origin}
    return {"safe_regex": {"regex": ".*".join(re.escape(part) for part in origin.split("*"))}}
