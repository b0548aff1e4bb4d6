"""Host names of listeners and routes: which of them meet, and which listener a request belongs to.

`*.example.com` stands for any number of labels before `.example.com`, and not for `example.com`. The empty name of a
listener, `*` here, stands for every host.
"""

from collections.abc import Iterable

EVERYBODY = "*"


def is_covered(host: str, by: str) -> bool:
    """True when every request for `host` (which may be a wildcard) is one for `by`, too."""
    if by in {EVERYBODY, host}:
        return True
    return by.startswith("*.") and host != EVERYBODY and host.lstrip("*").endswith(by[1:]) and host != by[2:]


def meeting(listener: str, route: str) -> str:
    """The requests that both names stand for, as a name; empty when there are none."""
    if is_covered(route, listener):
        return route
    return listener if is_covered(listener, route) else ""


def meetings(listener: str, routes: Iterable[str]) -> list[str]:
    """The names under which a route is served by a listener; a route without names is served under the listener's."""
    named = [name.lower() for name in routes]
    found = (meeting(listener, name) for name in named or [listener])
    return sorted({name for name in found if name})


def narrowest(host: str, listeners: Iterable[str]) -> str:
    """The most specific of the `listeners` that requests for `host` belong to; empty when none does."""
    return max((name for name in listeners if is_covered(host, name)), key=_specificity, default="")


def _specificity(name: str) -> tuple[bool, int]:
    return not name.startswith("*"), len(name)
