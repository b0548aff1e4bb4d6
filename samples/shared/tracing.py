"""Spans in Zipkin's JSON, passed on by B3 and traceparent headers, reported without ever delaying a request."""

import json
import os
import threading
import time
from collections import deque

from serving import Upstream

QUEUE = 2000  # spans waiting to be reported; beyond that the oldest are dropped
SECONDS_BETWEEN_TRACES = 0.2  # new traces begun here; those that a caller has begun are always continued


class Span:
    """One unit of work. `headers()` pass its context on; `finish` reports it."""

    def __init__(self, tracer, name, kind, trace_id, parent_id, *, sampled=True):
        self._tracer, self.name, self.kind = tracer, name, kind
        self.trace_id, self.parent_id, self.sampled = trace_id, parent_id, sampled
        self.span_id = os.urandom(8).hex()
        self._began = time.time()

    def headers(self):
        """What to add to a request so that its receiver continues this trace."""
        flag = "1" if self.sampled else "0"
        return [
            ("x-b3-traceid", self.trace_id),
            ("x-b3-spanid", self.span_id),
            ("x-b3-sampled", flag),
            ("traceparent", f"00-{self.trace_id:0>32}-{self.span_id}-0{flag}"),
        ]

    def child(self, name):
        """A client span below this one."""
        return Span(self._tracer, name, "CLIENT", self.trace_id, self.span_id, sampled=self.sampled)

    def finish(self, status):
        """Queue the span for the collector."""
        if not self.sampled:
            return
        span = {
            "traceId": self.trace_id,
            "id": self.span_id,
            "name": self.name,
            "kind": self.kind,
            "timestamp": int(self._began * 1e6),
            "duration": max(1, int((time.time() - self._began) * 1e6)),
            "localEndpoint": {"serviceName": self._tracer.service},
            "tags": {"http.status_code": str(status), "pod": self._tracer.pod},
        }
        if self.parent_id:
            span["parentId"] = self.parent_id
        self._tracer.report(span)


class Tracer:
    """The spans of one service. Reports in batches from a thread of its own; what cannot be sent is dropped."""

    def __init__(self, service, pod, collector):
        self.service, self.pod = service, pod
        self._collector = Upstream(*collector, timeout=2.0)
        self._spans = deque(maxlen=QUEUE)
        self._next_trace = 0.0
        threading.Thread(target=self._send, daemon=True).start()

    def server_span(self, request):
        """The span of a request: the caller's trace continued, or a new one."""
        headers = request.headers
        name = f"{request.method.lower()} {request.path.split('?')[0]}"
        trace_id, parent_id = headers.get("x-b3-traceid"), headers.get("x-b3-spanid")
        sampled = headers.get("x-b3-sampled", "1") != "0"
        parts = headers.get("traceparent", "").split("-")
        if not trace_id and len(parts) == 4:
            trace_id, parent_id, sampled = parts[1], parts[2], parts[3] == "01"
        if not trace_id:
            trace_id, parent_id, sampled = os.urandom(16).hex(), None, self._may_begin()
        return Span(self, name, "SERVER", trace_id, parent_id, sampled=sampled)

    def _may_begin(self):
        now = time.monotonic()
        if now < self._next_trace:
            return False
        self._next_trace = now + SECONDS_BETWEEN_TRACES
        return True

    def report(self, span):
        """Never blocks."""
        self._spans.append(span)

    def _send(self):
        while True:
            time.sleep(0.5)
            batch = []
            while self._spans and len(batch) < 200:
                batch.append(self._spans.popleft())
            if not batch:
                continue
            try:
                body = json.dumps(batch).encode()
                self._collector.fetch("POST", "/api/v2/spans", [("Content-Type", "application/json")], body)
            except Exception as error:
                print(f"spans_dropped count={len(batch)} error={error!r}")
