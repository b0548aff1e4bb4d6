"""What routes ask for, whichever kind of route says it: matches, what happens to a request, virtual hosts.

A cluster is named by its Service port (`domain/envoy/clusters.py`). Weights, percentages and counts are as written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from drumroll.objects.meta import Key

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RouteId:
    """A route object in one of its generations."""

    kind: str
    key: Key
    uid: str = ""
    generation: int = 0
    created: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


@dataclass(frozen=True, slots=True)
class PathMatch:
    """Of a request's path without its query; a Prefix ends at a slash or at the end, a Regex matches it all."""

    type: Literal["Exact", "Prefix", "Regex"] = "Prefix"
    value: str = "/"


@dataclass(frozen=True, slots=True)
class NamedMatch:
    """Of a header (in whatever case) or a query parameter; an expression matches the whole value."""

    name: str
    value: str
    regex: bool = False


Rank = tuple[int, int, int, int, int]
"""Less is asked first: kind of path, then (negated) lengths and counts, as the standard orders them."""


@dataclass(frozen=True, slots=True)
class Match:
    """All of it must be so."""

    path: PathMatch = field(default_factory=PathMatch)
    method: str = ""
    headers: tuple[NamedMatch, ...] = ()
    query: tuple[NamedMatch, ...] = ()
    rank: Rank = (2, -1, 1, 0, 0)


@dataclass(frozen=True, slots=True)
class HeaderChange:
    """Headers to set (replacing), to add (beside those there are) and to remove."""

    set: Pairs = ()
    add: Pairs = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.set or self.add or self.remove)


NO_CHANGE = HeaderChange()


@dataclass(frozen=True, slots=True)
class PathChange:
    """A new path: the `Full` one, or what stands in the place of the matched `Prefix`. The query stays."""

    type: Literal["Full", "Prefix"]
    value: str


@dataclass(frozen=True, slots=True)
class Backend:
    """A share of the requests. `cluster` None answers in its place, with the action's `lacking`."""

    cluster: str | None
    weight: int = 1
    request: HeaderChange = NO_CHANGE
    response: HeaderChange = NO_CHANGE
    host: str = ""
    sticky: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of `numerator` in `denominator` requests goes to the cluster, and its answers nowhere.

    `mark` is what the copy says of itself.
    """

    cluster: str
    numerator: int = 100
    denominator: int = 100
    mark: str = "copy"


@dataclass(frozen=True, slots=True)
class Redirect:
    """An answer with a Location. What is empty or 0 stays as the request has it."""

    scheme: str = ""
    host: str = ""
    port: int = 0
    path: PathChange | None = None
    status: int = 302


@dataclass(frozen=True, slots=True)
class Retry:
    """Which answers are asked for again, how often, and after which pause (seconds)."""

    codes: tuple[int, ...] = ()
    attempts: int = 1
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """Requests of one client stay with one endpoint: by a cookie, or by a header that the client sends back.

    `lifetime` is in seconds; 0 ends with the browser's session.
    """

    type: Literal["Cookie", "Header"]
    name: str
    lifetime: int = 0


@dataclass(frozen=True, slots=True)
class Cors:
    """Which origins may ask from a browser's page, and how."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int = 5
    credentials: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to a request. `timeout` (None: as long as it takes) spans all attempts, `attempt_timeout` one.

    `is_paired` says that its answer is compared with that of its copy. `lacking` is the status where there is no
    backend: 503 for calls, which their clients read as UNAVAILABLE.
    """

    backends: tuple[Backend, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    request: HeaderChange = NO_CHANGE
    response: HeaderChange = NO_CHANGE
    redirect: Redirect | None = None
    host: str = ""
    path: PathChange | None = None
    timeout: float | None = None
    attempt_timeout: float | None = None
    retry: Retry | None = None
    session: Session | None = None
    cors: Cors | None = None
    is_paired: bool = False
    lacking: Literal[500, 503] = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """One match and its action; `order` is the place of rule and match in the route."""

    owner: RouteId
    match: Match
    action: Action
    order: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """A host name (`*.example.com` for any number of labels before, `*` for everybody) and its rules, first wins.

    `is_elsewhere`: it has a TLS listener of its own, so a request for it does not belong on this connection.
    """

    domain: str
    rules: tuple[Rule, ...] = ()
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Consumer:
    """A namespace whose own requests to a Service go by rules of its own, first wins."""

    namespace: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One of Envoy's route configurations: the virtual hosts, and where they are reached (0 for a Service's own).

    `carried` are the headers to note in the baggage of requests that come this way. `consumers` are asked before the
    hosts; a table with nothing else leaves everybody else to the Service's own pods.
    """

    name: str
    hosts: tuple[VirtualHost, ...]
    scheme: str = "http"
    port: int = 0
    carried: tuple[str, ...] = ()
    consumers: tuple[Consumer, ...] = ()

    def rules(self) -> Iterator[Rule]:
        """All rules, whoever they are for."""
        for rules in (*(host.rules for host in self.hosts), *(one.rules for one in self.consumers)):
            yield from rules

    def owners(self) -> Mapping[str, RouteId]:
        """The routes in it by uid."""
        return {rule.owner.uid: rule.owner for rule in self.rules()}


def precedence(rule: Rule) -> tuple[Rank, str, Key, str, tuple[int, int]]:
    """The order in which rules of one host are asked: the match, then the older route, its name, its own order."""
    owner = rule.owner
    return rule.match.rank, owner.created, owner.key, owner.kind, rule.order
