"""A route's rules, read: what is served, which Service ports it needs, and what is wrong with the rest."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from drumroll.domain.gateway.durations import seconds_of
from drumroll.domain.gateway.filters import Filters, read_filters
from drumroll.domain.gateway.matches import grpc_match, http_match
from drumroll.domain.gateway.model import Action, Backend, Match, Retry, RouteId, Rule
from drumroll.domain.gateway.persistence import session_of
from drumroll.domain.gateway.references import Fault, References, Referrer, Target
from drumroll.objects.meta import Obj, key_of, uid_of

HIGHEST_WEIGHT = 1_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """One route. `dropped` are the rules that have no effect and why; `faults` are references that lead nowhere."""

    owner: RouteId
    rules: tuple[Rule, ...] = ()
    targets: frozenset[Target] = frozenset()
    dropped: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


def route_id(route: Obj) -> RouteId:
    """Who a route is."""
    meta = route["metadata"]
    created = meta.get("creationTimestamp") or ""
    return RouteId(route["kind"], key_of(route), uid_of(route), meta.get("generation") or 0, created)


def read_route(route: Obj, references: References) -> Reading:
    """The rules of an HTTPRoute or GRPCRoute."""
    reader = _Reader(route, references)
    rules: list[Rule] = []
    for index, spec in enumerate((route.get("spec") or {}).get("rules") or ({},)):
        rules.extend(reader.rule(index, spec))
    faults = tuple(dict.fromkeys(reader.faults))
    return Reading(reader.owner, tuple(rules), frozenset(reader.targets), tuple(reader.dropped), faults)


class _Reader:
    """Gathers what the rules of one route need and lack."""

    def __init__(self, route: Obj, references: References) -> None:
        self.owner = route_id(route)
        self.targets: set[Target] = set()
        self.dropped: list[str] = []
        self.faults: list[Fault] = []
        self._is_grpc = route["kind"] == "GRPCRoute"
        self._who = Referrer(route["kind"], self.owner.key.namespace)
        self._references = references

    def rule(self, index: int, spec: Obj) -> list[Rule]:
        filters = self._filters(spec.get("filters") or ())
        read: Callable[[Obj], Match | str] = grpc_match if self._is_grpc else http_match
        asked: list[Obj] = spec.get("matches") or [{}]
        matches = [read(match) for match in asked]
        action = self._action(spec, filters, [match for match in matches if isinstance(match, Match)])
        wrong = [found for found in (*matches, action) if isinstance(found, str)]
        if wrong or isinstance(action, str):
            self.dropped.append(f"rule {spec.get('name') or index}: {wrong[0]}")
            return []
        return [
            Rule(self.owner, match, action, (index, place))
            for place, match in enumerate(matches)
            if isinstance(match, Match)
        ]

    def _filters(self, filters: Iterable[Obj]) -> Filters:
        found = read_filters(filters, self._who, self._references, http2=self._is_grpc)
        self.faults.extend(found.faults)
        self.targets.update(found.targets)
        return found

    def _action(self, spec: Obj, filters: Filters, matches: list[Match]) -> Action | str:
        """What the rule does, or why it cannot be done."""
        if filters.refused:
            return filters.refused
        changes = [change for change in (filters.path, filters.redirect and filters.redirect.path) if change]
        if any(change.type == "Prefix" for change in changes) and any(m.path.type != "Prefix" for m in matches):
            return "ReplacePrefixMatch needs matches of type PathPrefix"
        backends = [self._backend(reference) for reference in spec.get("backendRefs") or ()]
        for backend in backends:
            if isinstance(backend, str):
                return backend
        try:
            timed = _timing(spec)
            session = session_of(spec.get("sessionPersistence"), self.owner.key, spec.get("name") or "")
        except ValueError as error:
            return str(error)
        if session and (sticky := [b.name for b in backends if isinstance(b, Backend) and b.sticky]):
            return f"sessionPersistence and Service {sticky[0]!r} with sessionAffinity ClientIP exclude each other"
        return replace(
            timed,
            backends=() if filters.is_broken else tuple(b for b in backends if isinstance(b, Backend)),
            mirrors=filters.mirrors,
            request=filters.request,
            response=filters.response,
            redirect=None if filters.is_broken else filters.redirect,
            host=filters.host,
            path=filters.path,
            session=session,
            cors=filters.cors,
            lacking=503 if self._is_grpc else 500,
        )

    def _backend(self, reference: Obj) -> Backend | str:
        weight = reference.get("weight", 1)
        if weight is None:
            weight = 1
        if not 0 <= weight <= HIGHEST_WEIGHT:
            return f"weight {weight} is not between 0 and {HIGHEST_WEIGHT}"
        target = self._references.find(self._who, reference, http2=self._is_grpc)
        name = str(reference.get("name") or "")
        if isinstance(target, Fault):
            self.faults.append(target)
            return Backend(None, weight, name=name)
        self.targets.add(target)
        filters = self._filters(reference.get("filters") or ())
        if filters.refused:
            return filters.refused
        if filters.redirect or filters.path or filters.mirrors or filters.cors:
            return "a backend's filters may change headers and the host name; anything else belongs to the rule"
        cluster = None if filters.is_broken else target.cluster
        return Backend(cluster, weight, filters.request, filters.response, filters.host, target.sticky, name)


def _timing(spec: Obj) -> Action:
    timeouts, retry = spec.get("timeouts") or {}, spec.get("retry")
    whole = seconds_of(timeouts["request"]) if timeouts.get("request") else None
    each = seconds_of(timeouts["backendRequest"]) if timeouts.get("backendRequest") else None
    if whole and each and each > whole:
        raise ValueError("timeouts.backendRequest is longer than timeouts.request")
    if retry is None:
        return Action(timeout=whole, attempt_timeout=each)
    codes = tuple(sorted({int(code) for code in retry.get("codes") or ()}))
    if any(not 400 <= code <= 599 for code in codes):
        raise ValueError("retry.codes are between 400 and 599")
    attempts = retry["attempts"] if retry.get("attempts") is not None else 1
    pause = seconds_of(retry["backoff"]) if retry.get("backoff") else 0.0
    return Action(timeout=whole, attempt_timeout=each, retry=Retry(codes, int(attempts), pause))
