"""Envoy clusters and their endpoints, one cluster per Service port: `<namespace>/<service>/<port name or number>`."""

from collections.abc import Mapping
from functools import lru_cache

from drumroll.domain.endpoint_life import Address, Entry
from drumroll.domain.envoy import types
from drumroll.domain.envoy.counting import METADATA
from drumroll.domain.protocol import Protocol
from drumroll.objects.meta import Obj

_REMEMBERED = 20_000
_UNBOUNDED = 1_000_000
_RETRY_BUDGET = {"budget_percent": {"value": 20}, "min_retry_concurrency": 100}
"""The minimum counts at low load, where 20 % of a handful of requests would allow none."""


def cluster_name(namespace: str, service: str, port: Obj, *, tls: bool = False) -> str:
    """The name of a Service port's cluster; `tls` is the variant that an Ingress with an HTTPS backend uses."""
    name = f"{namespace}/{service}/{port.get('name') or port['port']}"
    return f"{name}/tls" if tls else name


def cluster(name: str, protocol: Protocol, *, tls: bool = False, sticky: bool = False) -> Obj:
    """The cluster, with the settings of the traffic rules; `sticky` keeps a client's address on one pod."""
    found: Obj = {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": types.ADS},
        "connect_timeout": "3s",
        # Not LEAST_REQUEST: a pod that has crashed refuses at once, is idle therefore, and would be asked first.
        "lb_policy": "MAGLEV" if sticky else "ROUND_ROBIN",
        "ignore_health_on_host_removal": True,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "circuit_breakers": {"thresholds": [_thresholds()]},
        "typed_extension_protocol_options": {types.HTTP_OPTIONS_KEY: _http_options(protocol)},
    }
    if tls:
        context: Obj = {"@type": types.UPSTREAM_TLS}
        if protocol == "http2":
            context["common_tls_context"] = {"alpn_protocols": ["h2"]}
        found["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return found


def load_assignment(name: str, entries: Mapping[Address, Entry], revisions: Mapping[str, str]) -> Obj:
    """A cluster's endpoints in the order of their addresses, each HEALTHY or DRAINING, with its pod's revision."""
    hosts = [_host(at.ip, at.port, entries[at].phase.value, revisions.get(at.ip, "")) for at in sorted(entries)]
    return {"cluster_name": name, "endpoints": [{"locality": {}, "lb_endpoints": hosts}] if hosts else []}


@lru_cache(maxsize=_REMEMBERED)
def _host(ip: str, port: int, status: str, revision: str) -> Obj:
    """One endpoint. Of thousands, a few change at a time: what is made once is used again, and never changed."""
    found: Obj = {
        "endpoint": {"address": {"socket_address": {"address": ip, "port_value": port}}},
        "health_status": status,
    }
    if revision:
        found["metadata"] = {"filter_metadata": {METADATA: {"revision": revision}}}
    return found


def _thresholds() -> Obj:
    return {
        "priority": "DEFAULT",
        "max_connections": _UNBOUNDED,
        "max_pending_requests": _UNBOUNDED,
        "max_requests": _UNBOUNDED,
        "retry_budget": _RETRY_BUDGET,
    }


def _http_options(protocol: Protocol) -> Obj:
    first: Obj = {"header_key_format": types.HEADER_CASE}
    shape: Obj
    if protocol == "http2":
        shape = {"explicit_http_config": {"http2_protocol_options": {}}}
    elif protocol == "detect":
        shape = {"use_downstream_protocol_config": {"http_protocol_options": first, "http2_protocol_options": {}}}
    else:
        shape = {"explicit_http_config": {"http_protocol_options": first}}
    # Below gunicorn's 2 s and Node's and uvicorn's 5 s, so that Envoy closes an idle connection first.
    return {"@type": types.HTTP_OPTIONS, "common_http_protocol_options": {"idle_timeout": "1s"}, **shape}
