"""Envoy's resources from plain data to protobuf. Importing the messages takes 50 ms: do it in a thread, and late."""

import hashlib
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

import orjson

from drumroll.domain.envoy import types
from drumroll.domain.envoy.counting import METADATA
from drumroll.objects.meta import Obj

_MESSAGES = (
    "envoy.service.discovery.v3.discovery_pb2",
    "envoy.config.cluster.v3.cluster_pb2",
    "envoy.config.endpoint.v3.endpoint_pb2",
    "envoy.config.listener.v3.listener_pb2",
    "envoy.config.route.v3.route_pb2",
    "envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2",
    "envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2",
    "envoy.extensions.filters.http.router.v3.router_pb2",
    "envoy.extensions.filters.http.cors.v3.cors_pb2",
    "envoy.extensions.filters.http.tap.v3.tap_pb2",
    "envoy.extensions.filters.http.lua.v3.lua_pb2",
    "envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2",
    "envoy.extensions.http.stateful_session.cookie.v3.cookie_pb2",
    "envoy.extensions.http.stateful_session.header.v3.header_pb2",
    "envoy.extensions.filters.listener.http_inspector.v3.http_inspector_pb2",
    "envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2",
    "envoy.extensions.upstreams.http.v3.http_protocol_options_pb2",
    "envoy.extensions.http.header_formatters.preserve_case.v3.preserve_case_pb2",
    "envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2",
    "envoy.extensions.transport_sockets.tls.v3.tls_pb2",
    "envoy.extensions.transport_sockets.tls.v3.secret_pb2",
    "envoy.extensions.filters.network.set_filter_state.v3.set_filter_state_pb2",
    "xds.type.v3.typed_struct_pb2",
)


@cache
def messages() -> None:
    """Load every message that a resource may contain."""
    for name in _MESSAGES:
        import_module(name)


def version_of(resource: Obj) -> str:
    """A digest: equal resources have equal versions, also across restarts of the control plane."""
    return hashlib.blake2b(orjson.dumps(resource, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()


def encode(type_url: str, resource: Obj) -> Any:
    """The resource as google.protobuf.Any. Raises ValueError when it is no such message (our mistake)."""
    from google.protobuf.any_pb2 import Any as AnyMessage

    return AnyMessage(type_url=type_url, value=_body(type_url, resource))


def _body(type_url: str, resource: Obj) -> bytes:
    messages()
    message = _message(type_url)()
    if type_url == types.ENDPOINTS:
        _fill_endpoints(message, resource)
    elif type_url == types.ROUTES:
        return _routes(message, resource)
    else:
        _fill(message, resource, type_url)
    body: bytes = message.SerializeToString()
    return body


def _fill(message: Any, resource: Obj, name: str) -> None:
    from google.protobuf.json_format import ParseDict, ParseError

    try:
        ParseDict(resource, message)
    except ParseError as error:
        raise ValueError(f"{name}: {error}") from error


def _routes(message: Any, resource: Obj) -> bytes:
    """A table of many virtual hosts, of which one has changed, most often: the others' bytes are remembered."""
    _fill(message, {name: value for name, value in resource.items() if name != "virtual_hosts"}, types.ROUTES)
    hosts = b"".join(_host(orjson.dumps(host)) for host in resource["virtual_hosts"])
    body: bytes = message.SerializeToString() + hosts
    return body


@lru_cache(maxsize=512)
def _host(text: bytes) -> bytes:
    """One virtual host, as a part of the message that it is in: messages of the same type are joined by their bytes."""
    from envoy.config.route.v3.route_pb2 import RouteConfiguration

    message = RouteConfiguration()
    _fill(message, {"virtual_hosts": [orjson.loads(text)]}, types.ROUTES)
    body: bytes = message.SerializeToString()
    return body


def _message(type_url: str) -> Any:
    from envoy.config.cluster.v3.cluster_pb2 import Cluster
    from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
    from envoy.config.listener.v3.listener_pb2 import Listener
    from envoy.config.route.v3.route_pb2 import RouteConfiguration
    from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret

    known = {
        types.CLUSTER: Cluster,
        types.ENDPOINTS: ClusterLoadAssignment,
        types.LISTENER: Listener,
        types.ROUTES: RouteConfiguration,
        types.SECRET: Secret,
    }
    return known[type_url]


def _fill_endpoints(message: Any, resource: Obj) -> None:
    """What ParseDict would do, a hundred times as fast: endpoints are what changes in a rollout, a few of many."""
    message.cluster_name = resource["cluster_name"]
    for group in resource["endpoints"]:
        part = message.endpoints.add()
        part.locality.SetInParent()
        part.MergeFromString(b"".join(_endpoint(*_place(host)) for host in group["lb_endpoints"]))


def _place(host: Obj) -> tuple[str, int, str, str]:
    """Address, port, health and revision of an endpoint; no revision is empty."""
    at = host["endpoint"]["address"]["socket_address"]
    revision = host["metadata"]["filter_metadata"][METADATA]["revision"] if "metadata" in host else ""
    return at["address"], at["port_value"], host["health_status"], revision


@lru_cache(maxsize=20_000)
def _endpoint(ip: str, port: int, status: str, revision: str) -> bytes:
    """One endpoint, as a part of the message that it is in: see `_host`."""
    from envoy.config.core.v3.health_check_pb2 import HealthStatus
    from envoy.config.endpoint.v3.endpoint_components_pb2 import LocalityLbEndpoints

    message = LocalityLbEndpoints()
    entry = message.lb_endpoints.add()
    entry.health_status = HealthStatus.Value(status)
    entry.endpoint.address.socket_address.address = ip
    entry.endpoint.address.socket_address.port_value = port
    if revision:
        entry.metadata.MergeFrom(_metadata(revision))
    body: bytes = message.SerializeToString()
    return body


@lru_cache(maxsize=64)
def _metadata(revision: str) -> Any:
    from envoy.config.core.v3.base_pb2 import Metadata

    found = Metadata()
    found.filter_metadata[METADATA]["revision"] = revision
    return found
