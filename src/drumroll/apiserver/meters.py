"""What the API server counts about itself, under kube-apiserver's names where it has them.

Source: names and labels of kube-apiserver 1.32 (k8s.io/apiserver/pkg/endpoints/metrics).
"""

from collections import Counter
from collections.abc import Iterable
from time import perf_counter

from drumroll.apiserver.stages import Stages
from drumroll.objects.kinds import BY_RESOURCE
from drumroll.objects.metrics import Labels, Metrics
from drumroll.objects.wire import Request, Response
from drumroll.store.interface import Store

_VERBS = {"POST": "POST", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE", "GET": "GET", "HEAD": "GET"}
_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_WHAT = ("verb", "group", "version", "resource", "subresource", "scope")
_NOTHING = ("", "", "", "", "")


class Meters:
    """Counts requests; and tells, when asked, about watches, write stages and the store."""

    def __init__(self, metrics: Metrics, stages: Stages, store: Store, watches: Counter[str]) -> None:
        self._requests = metrics.counter(
            "apiserver_request_total", "Requests, by what they asked for and how they were answered.", *_WHAT, "code"
        )
        self._durations = metrics.histogram(
            "apiserver_request_duration_seconds", "From request to answer, without watches.", *_WHAT, bounds=_BOUNDS
        )
        self._in_flight = 0
        self._stages, self._store = stages, store
        metrics.gauge("apiserver_current_inflight_requests", "Requests that are being answered.", read=self._now)
        metrics.gauge(
            "apiserver_longrunning_requests", "Open watches.", "verb", "resource",
            read=lambda: ((("WATCH", resource), number) for resource, number in watches.items()),
        )  # fmt: skip
        metrics.gauge("apiserver_storage_objects", "Stored objects.", "resource", read=self._objects)
        metrics.gauge("apiserver_storage_size_bytes", "Bytes of the store on disk.", read=self._size)
        metrics.gauge("drumroll_store_revision", "The newest committed revision.", read=self._revision)
        metrics.gauge(
            "drumroll_apiserver_write_stage_seconds_sum", "Time in a stage of writes.", "stage", read=self._sums
        )
        metrics.gauge("drumroll_apiserver_write_stage_seconds_count", "Runs of a stage.", "stage", read=self._counts)

    def begin(self) -> float:
        """A request came in; give the answer to `end`."""
        self._in_flight += 1
        return perf_counter()

    def end(self, started: float, request: Request, response: Response | None) -> None:
        """Count a request and its answer; None when it was cancelled."""
        self._in_flight -= 1
        if response is None:
            return
        is_watch = response.stream is not None
        verb = _VERBS.get(request.method, "OTHER")
        what = _what(request.path, response.status)
        if is_watch:
            verb = "WATCH" if request.parameter("watch") else "CONNECT"
        elif what[4] in ("namespace", "cluster"):
            verb = {"GET": "LIST", "DELETE": "DELETECOLLECTION"}.get(verb, verb)
        labels = (verb, *what)
        self._requests.add((*labels, str(response.status)))
        if not is_watch:
            self._durations.observe(perf_counter() - started, labels)

    def _now(self) -> Iterable[tuple[Labels, float]]:
        return (((), self._in_flight),)

    def _objects(self) -> Iterable[tuple[Labels, float]]:
        return (((collection,), number) for collection, number in self._store.counts().items())

    def _size(self) -> Iterable[tuple[Labels, float]]:
        return (((), self._store.size()),)

    def _revision(self) -> Iterable[tuple[Labels, float]]:
        return (((), self._store.revision),)

    def _sums(self) -> Iterable[tuple[Labels, float]]:
        return (((stage,), total / 1e9) for stage, (_, total) in self._stages.read().items())

    def _counts(self) -> Iterable[tuple[Labels, float]]:
        return (((stage,), count) for stage, (count, _) in self._stages.read().items())


def _what(path: str, status: int) -> tuple[str, str, str, str, str]:
    """Group, version, resource, subresource and scope. Empty for paths that name nothing which is served.

    Names come from clients, so only those that are known or were answered well may become labels.
    """
    parts = path.split("/")
    if len(parts) < 4 or parts[1] not in ("api", "apis"):
        return _NOTHING
    start = 3 if parts[1] == "api" else 4
    group, version, rest = (parts[2] if start == 4 else ""), parts[start - 1], parts[start:]
    is_inside = len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize")
    if is_inside:
        rest = rest[2:]
    if not rest or (status >= 400 and (group, version, rest[0]) not in BY_RESOURCE):
        return _NOTHING
    scope = "resource" if len(rest) > 1 else "namespace" if is_inside else "cluster"
    known = BY_RESOURCE.get((group, version, rest[0]))
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and (known is None or subresource not in known.subresources):
        subresource = subresource if status < 400 else ""
    return group, version, rest[0], subresource, scope
