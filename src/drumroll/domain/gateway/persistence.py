"""Session persistence as far as Envoy has it: what a rule asks for, or why it cannot be done.

Envoy keeps no list of sessions: where one leads is in the client's cookie or header. Of a permanent cookie Envoy writes
the end into the cookie and looks at it. It writes none into what ends with the browser's session or into headers, and
notes no moment of last use, so a time-out of those could only be ignored; a rule that asks for one is left out instead.
Source: gateway-api geps/gep-1619, envoy extensions/http/stateful_session.
"""

from drumroll.domain.gateway.durations import seconds_of
from drumroll.domain.gateway.matches import HEADER_NAME
from drumroll.domain.gateway.model import Session
from drumroll.objects.meta import Key, Obj

_WHERE = "sessionPersistence"


def session_of(spec: Obj | None, route: Key, rule: str) -> Session | None:
    """The persistence that a rule of that name asks for. Raises ValueError when Envoy does not have it."""
    if spec is None:
        return None
    kind = spec.get("type") or "Cookie"
    if kind not in {"Cookie", "Header"}:
        raise ValueError(f"{_WHERE}.type {kind!r} is neither Cookie nor Header")
    name = spec.get("sessionName") or "-".join(one for one in ("drumroll", route.namespace, route.name, rule) if one)
    if not HEADER_NAME.fullmatch(name):
        raise ValueError(f"{_WHERE}.sessionName {name!r} is no name of a cookie or header")
    return Session("Cookie" if kind == "Cookie" else "Header", name, _lifetime(spec, kind))


def _lifetime(spec: Obj, kind: str) -> int:
    """Seconds until a permanent cookie ends; 0 for what ends with the client's own session."""
    if spec.get("idleTimeout"):
        raise ValueError(f"{_WHERE}.idleTimeout is not supported: Envoy notes no moment of last use")
    absolute = spec.get("absoluteTimeout")
    is_permanent = (spec.get("cookieConfig") or {}).get("lifetimeType") == "Permanent"
    if kind == "Cookie" and is_permanent:
        if not absolute:
            raise ValueError(f"a Permanent cookie needs {_WHERE}.absoluteTimeout")
        return max(1, round(seconds_of(absolute)))
    if absolute:
        what = "a header" if kind == "Header" else "a session cookie; make it cookieConfig.lifetimeType Permanent"
        raise ValueError(f"{_WHERE}.absoluteTimeout is not supported for {what}")
    return 0
