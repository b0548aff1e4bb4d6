"""What stands before every request: who asks, how much they may ask at a time, and whether they may."""

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from drumroll.apiserver.accounts import Unauthenticated, bearer
from drumroll.apiserver.authentication import AUTHENTICATED, MASTERS, is_open
from drumroll.apiserver.authorization import Asker, Authorizer, asking, attributes, needs_create
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.routing import Target
from drumroll.apiserver.tokens import Signer
from drumroll.domain.rbac import Attributes, account_groups, account_of
from drumroll.objects.errors import BadRequest, TooManyRequests, Unauthorized
from drumroll.objects.wire import ANONYMOUS, Request, User

LISTED = "\n"
"""Between the values of a header that a client sent several times; no header can hold it."""
_WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_IMPERSONATE = "impersonate-"
_EXTRA = "impersonate-extra-"
_STRANGERS = "\0strangers"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one cluster takes from its clients; `system:masters` and open streams are exempt.

    `in_flight` counts requests that are being answered, `rate` and `burst` those of one user (per second, at once),
    `seconds` is how long an answer may take.
    """

    in_flight: int = 600
    rate: float = 400.0
    burst: int = 800
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Security:
    """What a cluster may keep and ask beyond the defaults.

    `account_key` is the file of the key that signs ServiceAccounts' tokens (None: one in memory, so that tokens end
    with the process); `audit` is the file of the audit log (None: no log).
    """

    account_key: Path | None = None
    audit: Path | None = None
    limits: Limits = Limits()


DEFAULT_SECURITY = Security()


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Gate:
    """Call `identify`, then `admit` around the work."""

    def __init__(
        self,
        cluster: Cluster,
        signer: Signer,
        authorizer: Authorizer,
        tokens: Mapping[str, User],
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._signer, self._authorizer = cluster, signer, authorizer
        self._tokens, self._limits, self._clock = tokens, limits, clock
        self._in_flight = 0
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def identify(self, request: Request) -> Request:
        """The request in the name of its user: a bearer token's, or the one impersonated. Raises Unauthorized."""
        headers, user = request.headers, request.user
        if user is ANONYMOUS and "authorization" in headers:
            user = self.token_user(headers["authorization"]) or ANONYMOUS
        if any(name.startswith(_IMPERSONATE) for name in headers):
            user = self._impersonated(user, headers)
        return request if user is request.user else replace(request, user=user)

    def token_user(self, header: str) -> User | None:
        """The user of an Authorization header; None when it holds no bearer token. Raises Unauthorized."""
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return None
        known = self._tokens.get(token)
        if known is not None:
            return replace(known, groups=(*known.groups, AUTHENTICATED))
        try:
            return bearer(self._cluster, self._signer, token).user
        except Unauthenticated as error:
            self._spend(_STRANGERS)
            raise Unauthorized("Unauthorized") from error

    @contextlib.contextmanager
    def admit(self, request: Request, target: Target | None) -> Iterator[None]:
        """Let the request in for as long as the block runs. Raises TooManyRequests, Forbidden."""
        user = request.user
        if MASTERS in user.groups:
            yield
            return
        self._spend(user.name)
        if self._in_flight >= self._limits.in_flight:
            raise _too_many()
        if not is_open(request.path):
            self._authorize(request, target)
        self._in_flight += 1
        is_write = target is not None and request.method in _WRITES
        token = asking.set(Asker(user, _WRITES[request.method])) if is_write else None
        try:
            yield
        finally:
            self._in_flight -= 1
            if token is not None:
                asking.reset(token)

    def _authorize(self, request: Request, target: Target | None) -> None:
        asked = attributes(request, target)
        self._authorizer.check(request.user, asked)
        if asked.verb == "get" and needs_create(target):
            self._authorizer.check(request.user, replace(asked, verb="create"))

    def _spend(self, name: str) -> None:
        """Take one from the user's bucket. Raises TooManyRequests when it is empty."""
        now, limits = self._clock(), self._limits
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(float(limits.burst), now)
            if len(self._buckets) > 10_000:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
        bucket.left = min(float(limits.burst), bucket.left + (now - bucket.at) * limits.rate)
        bucket.at = now
        if bucket.left < 1:
            raise _too_many()
        bucket.left -= 1

    def _impersonated(self, user: User, headers: Mapping[str, str]) -> User:
        """Whom the user wants to be. Source: apiserver pkg/endpoints/filters/impersonation."""
        name = headers.get("impersonate-user", "")
        if not name:
            raise BadRequest("requested impersonation without a user: the header Impersonate-User is missing")
        groups = tuple(filter(None, headers.get("impersonate-group", "").split(LISTED)))
        uid = headers.get("impersonate-uid", "")
        extra = tuple(
            (unquote(header.removeprefix(_EXTRA)), tuple(value.split(LISTED)))
            for header, value in sorted(headers.items())
            if header.startswith(_EXTRA)
        )
        for asked in _impersonations(name, groups, uid, extra):
            self._authorizer.check(user, asked)
        account = account_of(name)
        if account is not None and not groups:
            groups = account_groups(account[0])
        common = "system:unauthenticated" if name == ANONYMOUS.name else AUTHENTICATED
        return User(name, groups if common in groups else (*groups, common), uid, extra)


def _impersonations(
    name: str, groups: tuple[str, ...], uid: str, extra: tuple[tuple[str, tuple[str, ...]], ...]
) -> Iterator[Attributes]:
    """What somebody must be allowed to do to be that user."""
    account = account_of(name)
    if account is not None:
        yield Attributes("impersonate", "", "serviceaccounts", "", *account)
    else:
        yield Attributes("impersonate", "", "users", name=name)
    for group in groups:
        yield Attributes("impersonate", "", "groups", name=group)
    if uid:
        yield Attributes("impersonate", "authentication.k8s.io", "uids", name=uid)
    for key, values in extra:
        for value in values:
            yield Attributes("impersonate", "authentication.k8s.io", "userextras", key, name=value)


def _too_many() -> TooManyRequests:
    return TooManyRequests("too many requests, please try again later", {"retryAfterSeconds": 1})
