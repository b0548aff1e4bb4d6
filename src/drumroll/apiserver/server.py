"""The whole API behind one function: a request in, an answer out, whatever carries them."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from ipaddress import IPv4Network

import orjson

from drumroll.apiserver import codec, discovery
from drumroll.apiserver.accounts import request_token
from drumroll.apiserver.allocation import Allocator
from drumroll.apiserver.answering import document, failure, text
from drumroll.apiserver.audit import AuditLog
from drumroll.apiserver.authentication import OPEN_PATHS
from drumroll.apiserver.authorization import Authorizer
from drumroll.apiserver.bootstrap import bootstrap, publish
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.definitions import Definitions
from drumroll.apiserver.deleting import delete, delete_collection, remove
from drumroll.apiserver.eviction import evict
from drumroll.apiserver.failures import no_method
from drumroll.apiserver.gate import DEFAULT_SECURITY, Gate, Security
from drumroll.apiserver.logs import logs
from drumroll.apiserver.meters import Meters
from drumroll.apiserver.options import DeleteOptions, list_options
from drumroll.apiserver.pods import bind
from drumroll.apiserver.reading import get, list_objects
from drumroll.apiserver.reviews import Reviewer
from drumroll.apiserver.routing import Target, parse
from drumroll.apiserver.scaling import change_scale, get_scale
from drumroll.apiserver.stages import Stages
from drumroll.apiserver.streams import open_stream
from drumroll.apiserver.tagging import openapi_answer, tagged_discovery
from drumroll.apiserver.tokens import OPENID_CONFIGURATION, OPENID_KEYS, Signer
from drumroll.apiserver.watching import watch
from drumroll.apiserver.writing import create, patch, update
from drumroll.objects.errors import ApiError, InternalError, NotFound, Timeout
from drumroll.objects.kinds import CUSTOM_RESOURCE_DEFINITION, EVENT
from drumroll.objects.meta import parse_timestamp
from drumroll.objects.metrics import CONTENT_TYPE, Metrics
from drumroll.objects.wire import Request, Response, User
from drumroll.store.interface import Store

log = logging.getLogger("drumroll.apiserver")

EVENT_LIFE = timedelta(hours=1)
_SWEEP_SECONDS = 60.0
LASTING = ("log", "exec", "attach", "portforward", "proxy")
"""Subresources whose answers may take as long as they like."""


class ApiServer:
    """Call `prepare` once before the first request; `run` does the housekeeping.

    One that `installs` has the definitions of progressive delivery from the start.
    """

    def __init__(
        self,
        store: Store,
        *,
        service_cidr: IPv4Network,
        now: Callable[[], datetime],
        tokens: Mapping[str, User] | None = None,
        address: str = "127.0.0.1:6443",
        metrics: Metrics | None = None,
        security: Security = DEFAULT_SECURITY,
        installs: bool = False,
    ) -> None:
        authorizer = Authorizer(store)
        self._cluster = Cluster(store, Allocator(service_cidr), Stages(), now, check_grant=authorizer.check_grant)
        self._definitions = Definitions(self._cluster)
        self._service_cidr = service_cidr
        self._installs = installs
        self._signer = Signer(security.account_key)
        self._limits = security.limits
        self._gate = Gate(self._cluster, self._signer, authorizer, dict(tokens or {}), self._limits)
        self._reviewer = Reviewer(self._cluster, authorizer, self._signer)
        self._audit = AuditLog(security.audit, now, self._cluster.registry) if security.audit is not None else None
        self._address = address
        self._metrics = metrics or Metrics()
        self._meters = Meters(self._metrics, self._cluster.stages, store, self._cluster.watches)

    @property
    def stages(self) -> dict[str, tuple[int, int]]:
        """Per stage of a write: how often it ran, and the nanoseconds that it took in all."""
        return self._cluster.stages.read()

    async def prepare(self) -> None:
        """Create what every cluster has. Idempotent. Raises ServiceUnavailable when the store cannot be written."""
        self._definitions.load()
        await bootstrap(self._cluster, self._service_cidr)
        if self._installs:
            from drumroll.apiserver.installing import install

            await install(self._cluster)

    async def run(self) -> None:
        """Forget events after an hour, establish and clean up definitions, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._definitions.run(), name="definitions")
            group.create_task(self._sweep(), name="events")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.forget_events()
            except ApiError as error:
                log.warning("event_sweep_failed reason=%s message=%s", error.reason, error.message)

    async def forget_events(self) -> None:
        """Remove events that nobody repeated for an hour."""
        oldest = self._cluster.now() - EVENT_LIFE
        for record in self._cluster.store.select(EVENT.resource):
            event = codec.decode(record)
            seen = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
            newest = max(parse_timestamp(seen), parse_timestamp(event["metadata"]["creationTimestamp"]))
            if newest < oldest:
                namespace, _, name = record.key.rpartition("/")
                try:
                    await remove(self._cluster, Target(EVENT, namespace, name), DeleteOptions())
                except NotFound:
                    continue

    async def publish(self, address: str, port: int) -> None:
        """Let the Service `kubernetes` lead to where this server listens for pods."""
        await publish(self._cluster, address, port)

    async def handle(self, request: Request) -> Response:
        """The answer. Never raises for what a client can do; a fault of ours is logged and answered with 500."""
        started, response, identified = self._meters.begin(), None, request
        try:
            identified = self._gate.identify(request)
            response = await self._answer(identified)
        except ApiError as error:
            response = failure(error)
        except Exception:
            log.exception("request_failed method=%s path=%s", request.method, request.path)
            response = failure(InternalError("Internal error occurred: see the control plane's log"))
        finally:
            self._meters.end(started, request, response)
            if self._audit is not None:
                self._audit.write(request, identified, response, started)
        return response

    async def _answer(self, request: Request) -> Response:
        path = request.path
        target = parse(path, self._cluster.registry) if path.startswith(("/api/", "/apis/")) else None
        with self._gate.admit(request, target):
            if target is None:
                return self._outside(request)
            if target.subresource in LASTING:
                return await self._subresource(target, request)
            return await self._in_time(target, request)

    async def _in_time(self, target: Target, request: Request) -> Response:
        try:
            async with asyncio.timeout(self._limits.seconds) as limit:
                return await self._resource(target, request)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Timeout("request did not complete within the allotted timeout") from error

    async def _resource(self, target: Target, request: Request) -> Response:
        if "get" not in target.kind.verbs:
            return self._review(target, request)
        if target.subresource:
            response = await self._subresource(target, request)
        else:
            response = await (self._object(target, request) if target.name else self._collection(target, request))
        if target.kind is CUSTOM_RESOURCE_DEFINITION and request.method not in ("GET", "HEAD"):
            await self._definitions.settle()
        return response

    def _review(self, target: Target, request: Request) -> Response:
        if request.method != "POST" or target.name or (target.kind.namespaced and not target.namespace):
            raise no_method()
        return self._reviewer.review(target, request)

    async def _collection(self, target: Target, request: Request) -> Response:
        method = request.method
        if method in ("GET", "HEAD"):
            options = list_options(request)
            serve = watch if options.watch else list_objects
            return serve(self._cluster, target, request, options)
        is_addressed = bool(target.namespace) or not target.kind.namespaced
        if method == "POST" and is_addressed:
            return await create(self._cluster, target, request)
        if method == "DELETE" and is_addressed and "deletecollection" in discovery.verbs(target.kind):
            return await delete_collection(self._cluster, target, request)
        raise no_method()

    async def _object(self, target: Target, request: Request) -> Response:
        match request.method:
            case "GET" | "HEAD":
                return self._get(target, request)
            case "PUT":
                return await update(self._cluster, target, request)
            case "PATCH":
                return await patch(self._cluster, target, request)
            case "DELETE":
                return await delete(self._cluster, target, request)
            case _:
                raise no_method()

    def _get(self, target: Target, request: Request) -> Response:
        if request.flag("watch"):
            return watch(self._cluster, target, request, list_options(request))
        return get(self._cluster, target, request)

    async def _subresource(self, target: Target, request: Request) -> Response:
        cluster, method = self._cluster, request.method
        match (target.subresource, method):
            case ("status" | "ephemeralcontainers" | "resize", "GET"):
                return get(cluster, target, request)
            case ("status" | "finalize" | "ephemeralcontainers" | "resize", "PUT"):
                return await update(cluster, target, request)
            case ("status" | "ephemeralcontainers" | "resize", "PATCH"):
                return await patch(cluster, target, request)
            case ("scale", "GET"):
                return get_scale(cluster, target)
            case ("scale", "PUT" | "PATCH"):
                return await change_scale(cluster, target, request)
            case ("binding", "POST"):
                return await bind(cluster, target, request)
            case ("eviction", "POST"):
                return await evict(cluster, target, request)
            case ("token", "POST"):
                return await request_token(cluster, self._signer, target, request)
            case ("log", "GET"):
                return await logs(cluster, target, request)
            case ("exec" | "attach" | "portforward", "GET" | "POST"):
                return await open_stream(cluster, target, request)
            case _:
                raise no_method()

    def _outside(self, request: Request) -> Response:
        path = request.path
        if request.method not in ("GET", "HEAD"):
            if (
                path in OPEN_PATHS
                or discovery.answer(path, "", self._address, self._cluster.registry.kinds) is not None
            ):
                raise no_method()
            return text(404, "404 page not found\n")
        if path.startswith(("/healthz", "/livez", "/readyz")):
            return self._health(path, request)
        found = discovery.answer(path, request.headers.get("accept", ""), self._address, self._cluster.registry.kinds)
        return self._document(path, request) if found is None else tagged_discovery(request, found)

    def _health(self, path: str, request: Request) -> Response:
        name = path.strip("/")
        if "/" in name:
            return text(200, "ok") if name.endswith(("/ping", "/log", "/etcd")) else text(404, "404 page not found\n")
        if any(key == "verbose" for key, _ in request.query):
            return text(200, f"[+]ping ok\n[+]log ok\n[+]etcd ok\n{name} check passed\n")
        return text(200, "ok")

    def _document(self, path: str, request: Request) -> Response:
        if path == "/":
            return document(200, {"paths": sorted(discovery.paths(self._cluster.registry.kinds))})
        if path in ("/version", "/version/"):
            return document(200, discovery.version())
        if path == "/metrics":
            return Response(200, self._metrics.text(), CONTENT_TYPE)
        if path.rstrip("/") == OPENID_CONFIGURATION:
            return document(200, self._signer.configuration())
        if path == OPENID_KEYS:
            return Response(200, orjson.dumps(self._signer.keys()), "application/jwk-set+json")
        if path.startswith("/openapi/"):
            return openapi_answer(self._cluster.registry, request, self._cluster.now())
        return text(404, "404 page not found\n")
