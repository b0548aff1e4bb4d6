"""What Envoy counts for us: each request once, under its cluster, its pod's revision and how it was answered; each TCP
connection when it reaches a pod and when it ends.

Envoy's own statistics do the counting, tagged from what an access log would say. Nothing is written and nothing is
read per request, so no slow reader can hold traffic up. `domain/mesh/reading.py` reads the figures back.
"""

from drumroll.domain.envoy import types
from drumroll.objects.meta import Obj

PREFIX = "mesh"
METADATA = "drumroll"
"""Under it an endpoint carries the revision of its pod."""

BOUNDS_MS = (
    *(1, 2, 3, 5, 7.5, 10, 15, 20, 25, 35, 50, 75, 100, 150, 200, 250, 300, 350, 400, 450, 500, 600, 750),
    *(1000, 1500, 2000, 2500, 5000, 7500, 10000, 30000, 60000),
)
"""Upper ends of the buckets of durations. Two digits at most: there Envoy's own bins end, so counts are exact."""

GOAL_HEADER = "x-drumroll-goal"
"""A program answers with it when a visitor did what an A/B test hopes for."""

MOST_COUNTERS, MOST_HISTOGRAMS, MOST_GOALS = 20_000, 2_000, 2_000
MERGED = "2s"
"""How often Envoy brings histograms up to date. It looks at all of its figures then: 4 ms with 1,000 Services."""

EVICTION = "3600s"
"""What was not counted for so long is forgotten: the revisions of long ago."""

_SCOPE = {
    "prefix": PREFIX,
    "sharing_name": "drumroll-mesh",
    "max_counters": MOST_COUNTERS,
    "max_histograms": MOST_HISTOGRAMS,
    "enable_eviction": True,
}
# A scope of their own: a program that invents ever new goals uses up nobody else's counters.
_GOALS = {"prefix": PREFIX, "sharing_name": "drumroll-goals", "max_counters": MOST_GOALS, "enable_eviction": True}
_TARGET = [
    {"name": "c", "value_format": "%UPSTREAM_CLUSTER_RAW%"},
    {"name": "r", "value_format": f"%UPSTREAM_METADATA({METADATA}:revision)%"},
]
_ANSWER = [
    {"name": "s", "value_format": "%RESPONSE_CODE%"},
    {"name": "f", "value_format": "%RESPONSE_FLAGS%"},
    {"name": "g", "value_format": "%GRPC_STATUS_NUMBER%"},
]


def access_logs() -> list[Obj]:
    """For an HTTP connection manager: count every request, and time those that were answered.

    A WebSocket (101) and a client that went away before the answer (0) have a duration that tells nothing.
    """
    requests = {"stat": {"name": "rq", "tags": [*_TARGET, *_ANSWER]}, "value_fixed": 1}
    goal = {"name": "t", "value_format": f"%RESP({GOAL_HEADER})%"}
    goals = {"stat": {"name": "goal", "tags": [*_TARGET, goal]}, "value_fixed": 1}
    duration = {
        "stat": {"name": "us", "tags": _TARGET},
        "unit": "Microseconds",
        "value_format": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
    }
    answered = {"comparison": {"op": "GE", "value": {"default_value": 200, "runtime_key": "drumroll.unused"}}}
    return [
        _logger({"stats_scope": _SCOPE, "counters": [requests]}),
        _logger({"stats_scope": _GOALS, "counters": [goals]}),
        {"filter": {"status_code_filter": answered}, **_logger({"stats_scope": _SCOPE, "histograms": [duration]})},
    ]


def tcp_access_log() -> Obj:
    """For a TCP proxy, its `access_log` and when it is written: count every connection to a pod, and every end.

    Two moments, since a connection may last for days. Whether one failed, the flags of its end say.
    """
    opened = {"stat": {"name": "cx", "tags": _TARGET}, "value_fixed": 1}
    ended = {"stat": {"name": "cxend", "tags": [*_TARGET, _ANSWER[1]]}, "value_fixed": 1}
    logs = [
        {"filter": {"log_type_filter": {"types": [moment]}}, **_logger({"stats_scope": _SCOPE, "counters": [counter]})}
        for moment, counter in (("TcpUpstreamConnected", opened), ("TcpConnectionEnd", ended))
    ]
    return {"access_log": logs, "access_log_options": {"flush_access_log_on_connected": True}}


def stats_config() -> Obj:
    """For the bootstrap: our buckets, how fresh histograms are, and when Envoy forgets."""
    bounds = [bound * 1000 for bound in BOUNDS_MS]
    return {
        "stats_config": {"histogram_bucket_settings": [{"match": {"prefix": PREFIX + "."}, "buckets": bounds}]},
        "stats_flush_interval": MERGED,
        "stats_eviction_interval": EVICTION,
    }


def _logger(value: Obj) -> Obj:
    # A TypedStruct, since the messages that we have know the logger without `stats_scope` yet.
    config = {"@type": types.TYPED_STRUCT, "type_url": types.STATS_LOGGER, "value": value}
    return {"name": "envoy.access_loggers.stats", "typed_config": config}
