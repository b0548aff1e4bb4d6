"""What to send next on one delta ADS stream: additions in order of dependence, then removals in reverse.

No I/O here. One response of a type is in flight at a time, so an acknowledgement always means the latest one sent.
Endpoints are sent while clusters are in flight, nothing else is: Envoy holds back its acknowledgement of clusters until
they are warm, and they get warm by their endpoints.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drumroll.domain.envoy.types import CLUSTER, ENDPOINTS, LISTENER, PUSH_ORDER, ROUTES, SECRET

Versions = Mapping[str, str]

KEEP = "keep"
"""The version of a resource that stays as Envoy has it, whatever that is."""

SEND_AGAIN = ""
"""The version of a resource that Envoy has, and has to be sent again if it is wanted.

Not forgotten: a draining listener stays subscribed to what nobody wants any more, and does not ask when it is back.
"""

_EVERYTHING = frozenset({CLUSTER, LISTENER})
"""Types that Envoy subscribes to as a whole; the others by name."""


@dataclass(frozen=True, slots=True)
class Push:
    """One response: resources to send by name with their versions, and names to remove."""

    type_url: str
    nonce: str
    versions: Mapping[str, str]
    removed: tuple[str, ...] = ()


@dataclass
class _Held:
    versions: dict[str, str] = field(default_factory=dict)
    subscribed: set[str] = field(default_factory=set)
    is_asked_for: bool = False  # before, we do not know what Envoy holds
    refused: dict[str, str] = field(default_factory=dict)
    single: set[str] = field(default_factory=set)  # to be sent alone, to learn which one of a batch is bad


class Session:
    """The state of one stream. `held` is what Envoy has accepted, as far as it has told us."""

    def __init__(self) -> None:
        self._held = {type_url: _Held() for type_url in PUSH_ORDER}
        self._flights: dict[str, Push] = {}
        self._count = 0

    def held(self, type_url: str) -> Versions:
        """What Envoy has accepted, by name."""
        return self._held[type_url].versions

    def subscribe(
        self, type_url: str, names: Iterable[str], gone: Iterable[str] = (), initial: Versions | None = None
    ) -> None:
        """Envoy asks for `names`, no more for `gone`, and (after a reconnect) tells what it holds already."""
        held = self._held.get(type_url)
        if held is None:
            return
        held.is_asked_for = True
        held.versions.update(initial or {})
        held.subscribed.update(initial or {})
        for name in names:
            if name in held.subscribed and name not in (initial or {}):
                held.versions.pop(name, None)  # asked again: it was warmed anew
            held.subscribed.add(name)
        for name in gone:
            held.subscribed.discard(name)
            held.versions.pop(name, None)
            held.refused.pop(name, None)

    def accept(self, nonce: str) -> Push | None:
        """What Envoy took with the response of that nonce; None for nonces that are not in flight."""
        push = self._land(nonce)
        if push is None:
            return None
        held = self._held[push.type_url]
        for name in push.removed:
            held.versions.pop(name, None)
        for name, version in push.versions.items():
            held.versions[name] = version
            held.refused.pop(name, None)
            held.single.discard(name)
        if push.type_url == LISTENER and push.versions:
            for named in (SECRET, ROUTES):  # an updated listener warms until what it names arrives once more
                known = self._held[named]
                known.versions = dict.fromkeys(known.versions, SEND_AGAIN)
        return push

    def refuse(self, nonce: str) -> tuple[str, str] | None:
        """The (type, name) that Envoy refused; None while it is not yet known which one of a batch it was."""
        push = self._land(nonce)
        if push is None:
            return None
        held = self._held[push.type_url]
        if len(push.versions) > 1:
            held.single.update(push.versions)
            return None
        for name, version in push.versions.items():
            held.refused[name] = version
            held.single.discard(name)
            return push.type_url, name
        for name in push.removed:
            held.versions.pop(name, None)
        return None

    def in_flight(self, nonce: str) -> Push | None:
        """The response of that nonce, if Envoy has not answered it yet."""
        return next((push for push in self._flights.values() if push.nonce == nonce), None)

    def refused_version(self, type_url: str, name: str) -> str:
        """The version of a resource that Envoy refused last; empty when it has refused none."""
        return self._held[type_url].refused.get(name, "")

    def retry_refused(self, type_url: str) -> bool:
        """Send refused resources of a type once more (a port may be free by now); False when there are none."""
        held = self._held[type_url]
        again = bool(held.refused)
        held.single.update(held.refused)
        held.refused.clear()
        return again

    def next_push(self, desired: Mapping[str, Versions]) -> Push | None:
        """The next response towards `desired` (versions by name and type); None when there is nothing to send now."""
        if self._flights and set(self._flights) != {CLUSTER}:
            return None
        for type_url in (ENDPOINTS,) if self._flights else PUSH_ORDER:
            if not self._held[type_url].is_asked_for:
                continue
            changed = self._changed(type_url, desired.get(type_url, {}))
            if changed:
                return self._send(type_url, changed)
            missing = self._missing(type_url, desired.get(type_url, {}))
            if missing:
                return self._send(type_url, {}, missing)
        if self._flights or not self._held[LISTENER].is_asked_for:
            return None
        for type_url in (LISTENER, CLUSTER):
            wanted = desired.get(type_url, {})
            removed = tuple(sorted(name for name in self._held[type_url].versions if name not in wanted))
            if removed and not (type_url == CLUSTER and self._held[ROUTES].refused):
                return self._send(type_url, {}, removed)
        return None

    def _changed(self, type_url: str, wanted: Versions) -> dict[str, str]:
        held = self._held[type_url]
        changed = {
            name: version
            for name, version in wanted.items()
            if version not in (KEEP, held.versions.get(name), held.refused.get(name))
            and (type_url in _EVERYTHING or name in held.subscribed)
        }
        alone = sorted(held.single & changed.keys())
        together = {name: version for name, version in changed.items() if name not in held.single}
        return together or ({alone[0]: changed[alone[0]]} if alone else {})

    def _missing(self, type_url: str, wanted: Versions) -> tuple[str, ...]:
        """Names that Envoy asks for and that do not exist: it waits for an answer before it goes on.

        What it has had once is left alone: it goes with the cluster or listener that needs it.
        """
        if type_url in _EVERYTHING:
            return ()
        held = self._held[type_url]
        unknown = sorted(held.subscribed - wanted.keys() - held.versions.keys() - {"*"})
        held.subscribed.difference_update(unknown)
        return tuple(unknown)

    def _send(self, type_url: str, versions: Mapping[str, str], removed: tuple[str, ...] = ()) -> Push:
        self._count += 1
        push = self._flights[type_url] = Push(type_url, str(self._count), versions, removed)
        if type_url == CLUSTER:
            for name in versions:  # an updated cluster warms until its endpoints arrive once more, changed or not
                self._held[ENDPOINTS].versions.pop(name, None)
        return push

    def _land(self, nonce: str) -> Push | None:
        push = self.in_flight(nonce)
        if push is not None:
            del self._flights[push.type_url]
        return push
