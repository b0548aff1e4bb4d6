"""A small collector that speaks Zipkin's API: keeps the latest traces in memory and draws a request's way."""

import html
import json
import threading
from collections import OrderedDict
from urllib.parse import parse_qs, urlsplit

from service import IDENTITY, NOT_FOUND, POD, UP, VERSION
from serving import Response, Server

TRACES = 2000
SPANS_PER_TRACE = 200
STYLE = (
    "body{font:15px sans-serif;margin:2em}table{border-collapse:collapse;width:100%}td,th{padding:.3em .8em;"
    "text-align:left;border-bottom:1px solid #ddd}.bar{background:#d0e4ff;height:1em;border-left:3px solid #36c}"
)


class Traces:
    """The latest traces, each a list of spans as they were reported."""

    def __init__(self):
        self._lock = threading.Lock()
        self._traces = OrderedDict()

    def add(self, spans):
        """Keep spans; raises TypeError or KeyError when they are none."""
        with self._lock:
            for span in spans:
                trace = self._traces.setdefault(str(span["traceId"]), [])
                if len(trace) < SPANS_PER_TRACE:
                    trace.append({"timestamp": 0, "duration": 0, "name": "", **span})
            while len(self._traces) > TRACES:
                self._traces.popitem(last=False)

    def get(self, trace_id):
        """The spans of a trace, by beginning; empty for none."""
        with self._lock:
            return sorted(self._traces.get(trace_id, ()), key=lambda span: span["timestamp"])

    def latest(self, limit, service=None):
        """Traces, the newest first, of those that cross `service`."""
        with self._lock:
            every = [sorted(spans, key=lambda span: span["timestamp"]) for spans in reversed(self._traces.values())]
        return [spans for spans in every if not service or service in services_of(spans)][:limit]


def services_of(spans):
    """The names of the services that a trace crosses."""
    return {(span.get("localEndpoint") or {}).get("serviceName", "") for span in spans}


def page(title, rows):
    """An HTML page with one table."""
    text = f"<!doctype html><title>{title}</title><style>{STYLE}</style><h1>{title}</h1><table>{''.join(rows)}</table>"
    return Response(200, text.encode(), "text/html; charset=utf-8")


def list_page(traces):
    """The latest traces: when, which services, how long."""
    rows = ["<tr><th>trace<th>services<th>first span<th>spans<th>milliseconds</tr>"]
    for spans in traces:
        first = spans[0]
        took = max(span["duration"] for span in spans) / 1000
        names = dict.fromkeys((span.get("localEndpoint") or {}).get("serviceName", "?") for span in spans)
        crossed = html.escape(" → ".join(names))
        trace_id = html.escape(str(first["traceId"]), quote=True)
        rows.append(
            f'<tr><td><a href="/zipkin/traces/{trace_id}">{trace_id}</a><td>{crossed}'
            f"<td>{html.escape(str(first['name']))}<td>{len(spans)}<td>{took:.1f}</tr>"
        )
    return page("Traces", rows)


def trace_page(spans):
    """One request's way: a bar per span, indented by time."""
    begin = spans[0]["timestamp"]
    whole = max(1, max(span["timestamp"] + span["duration"] for span in spans) - begin)
    rows = ["<tr><th>service<th>span<th>pod<th>milliseconds<th style='width:50%'>time</tr>"]
    for span in spans:
        left = 100 * (span["timestamp"] - begin) / whole
        width = 100 * span["duration"] / whole
        cells = (
            (span.get("localEndpoint") or {}).get("serviceName", "?"),
            f"{span.get('kind', '')} {span['name']}",
            (span.get("tags") or {}).get("pod", ""),
            f"{span['duration'] / 1000:.2f}",
        )
        shown = "".join(f"<td>{html.escape(str(cell))}" for cell in cells)
        bar = f"<div class=bar style='margin-left:{left:.1f}%;width:{width:.1f}%'></div>"
        rows.append(f"<tr>{shown}<td>{bar}</tr>")
    return page(f"Trace {html.escape(str(spans[0]['traceId']))}", rows)


def handler(traces):
    """The handler of the collector's port."""

    def handle(request):
        parts = urlsplit(request.path)
        path, query = parts.path.removeprefix("/zipkin").rstrip("/"), parse_qs(parts.query)
        if path == "/api/v2/spans" and request.method == "POST":
            try:
                traces.add(json.loads(request.body))
            except (ValueError, TypeError, KeyError, AttributeError):
                return Response(400, b'{"error":"want a list of spans in Zipkin\'s v2 JSON"}')
            return Response(202)
        return read(path, query)

    def read(path, query):
        last = path.rsplit("/", 1)[-1]
        if path in {"/health", "/health/live", "/health/ready"}:
            return UP
        if path == "/api/v2/services":
            names = set().union(*map(services_of, traces.latest(TRACES)))
            return Response(200, json.dumps(sorted(names)).encode())
        if path == "/api/v2/traces":
            limit = query.get("limit", ["10"])[0]
            found = traces.latest(int(limit) if limit.isdigit() else 10, query.get("serviceName", [None])[0])
            return Response(200, json.dumps(found).encode())
        if path.startswith("/api/v2/trace/"):
            spans = traces.get(last)
            return Response(200, json.dumps(spans).encode()) if spans else NOT_FOUND
        if path == "":
            return list_page(traces.latest(100))
        if path.startswith("/traces/"):
            spans = traces.get(last)
            return trace_page(spans) if spans else NOT_FOUND
        return NOT_FOUND

    return handle


def main():
    """Serve until SIGTERM."""
    server = Server(IDENTITY)
    server.listen(9411, handler(Traces()))
    print(f"zipkin_started version={VERSION} pod={POD}")
    server.run()


if __name__ == "__main__":
    main()
