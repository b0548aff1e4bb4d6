"""Envoy listeners: a Service's address and port, a port of the host, the Ingress's two ports."""

from collections.abc import Sequence
from dataclasses import dataclass

from drumroll.domain.envoy import types
from drumroll.domain.envoy.counting import access_logs, tcp_access_log
from drumroll.domain.envoy.sessions import filters
from drumroll.domain.protocol import Protocol
from drumroll.objects.meta import Obj

DETECTION_TIMEOUT = "0.5s"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a listener's socket is bound; `namespace` is the network namespace's path when it is not Envoy's own."""

    address: str
    port: int
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an HTTPS host presents, both in PEM. `host` is empty for the certificate of last resort.

    `secret` names it for Envoy: a renewed certificate under the same name leaves the listener and every open
    connection alone, while one inside the listener would have Envoy say goodbye to all of the host's connections.
    """

    host: str
    chain: str
    key: str
    secret: str = "default"


def service_listener(name: str, place: Place, protocol: Protocol, cluster: str, routes: str) -> Obj:
    """A Service port's listener: HTTP by `routes`, TCP straight to `cluster`, or whichever the first bytes show."""
    if protocol == "tcp":
        return _listener(name, place, [{"filters": [_tcp_proxy(cluster)]}])
    http = {"filters": [_source(), connection_manager(name, routes, edge=False)]}
    if protocol != "detect":
        return _listener(name, place, [http])
    http["filter_chain_match"] = {"application_protocols": ["http/1.0", "http/1.1", "h2c"]}  # type: ignore[assignment]
    found = _listener(name, place, [{"name": "http", **http}, {"name": "tcp", "filters": [_tcp_proxy(cluster)]}])
    found["listener_filters"] = [
        {"name": "envoy.filters.listener.http_inspector", "typed_config": {"@type": types.HTTP_INSPECTOR}}
    ]
    found["listener_filters_timeout"] = DETECTION_TIMEOUT
    found["continue_on_listener_filters_timeout"] = True
    return found


def ingress_http_listener(name: str, place: Place, routes: str) -> Obj:
    """The Ingress's plain port."""
    return _listener(name, place, [{"filters": [connection_manager(name, routes, edge=True)]}])


@dataclass(frozen=True, slots=True)
class TlsHost:
    """What a TLS listener does for a host, empty for everybody else: presents certificates, asks a route table."""

    host: str
    secrets: tuple[str, ...]
    routes: str


def https_listener(name: str, place: Place, hosts: Sequence[TlsHost]) -> Obj:
    """A TLS port of the host: one chain per host by SNI."""
    chains = [_tls_chain(name, host) for host in sorted(hosts, key=lambda h: h.host)]
    found = _listener(name, place, chains)
    found["listener_filters"] = [
        {"name": "envoy.filters.listener.tls_inspector", "typed_config": {"@type": types.TLS_INSPECTOR}}
    ]
    return found


def tls_secret(certificate: Certificate) -> Obj:
    """The certificate itself, which the listener only names."""
    return {
        "name": certificate.secret,
        "tls_certificate": {
            "certificate_chain": {"inline_string": certificate.chain},
            "private_key": {"inline_string": certificate.key},
        },
    }


def connection_manager(stat_prefix: str, routes: str, *, edge: bool) -> Obj:
    """The HTTP filter. At the `edge` it speaks for the client (x-forwarded-*, x-request-id), inside it stays silent."""
    config: Obj = {
        "@type": types.HTTP_CONNECTION_MANAGER,
        "stat_prefix": stat_prefix,
        "rds": {"route_config_name": routes, "config_source": types.ADS},
        "http_filters": [
            *filters(),
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": types.ROUTER, "suppress_envoy_headers": True},
            },
        ],
        "access_log": access_logs(),
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "stream_idle_timeout": "3600s",
        "request_timeout": "0s",
        "common_http_protocol_options": {"idle_timeout": "3600s"},
        "http_protocol_options": {"accept_http_10": True, "header_key_format": types.HEADER_CASE},
        "http2_protocol_options": {"allow_connect": True},
        "server_header_transformation": "PASS_THROUGH",
        "use_remote_address": edge,
        "skip_xff_append": not edge,
        "generate_request_id": edge,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": False,
        "normalize_path": edge,
    }
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


def _source() -> Obj:
    """What notes the connection's own client address, for routes of callers; always there, so that no such route has
    to change a listener."""
    address = {"text_format_source": {"inline_string": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"}}
    note = {"object_key": types.SOURCE_KEY, "factory_key": "envoy.string", "format_string": address}
    config = {"@type": types.SET_FILTER_STATE, "on_new_connection": [note]}
    return {"name": "envoy.filters.network.set_filter_state", "typed_config": config}


def _tcp_proxy(cluster: str) -> Obj:
    config = {
        "@type": types.TCP_PROXY,
        "stat_prefix": cluster,
        "cluster": cluster,
        "idle_timeout": "0s",
        "max_connect_attempts": 3,
        "hash_policy": [{"source_ip": {}}],
        **tcp_access_log(),
    }
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": config}


def _tls_chain(name: str, host: TlsHost) -> Obj:
    context = {
        "@type": types.DOWNSTREAM_TLS,
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificate_sds_secret_configs": [
                {"name": secret, "sds_config": types.ADS} for secret in host.secrets
            ],
        },
    }
    chain: Obj = {
        "name": host.host or "default",
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
        "filters": [connection_manager(name, host.routes, edge=True)],
    }
    if host.host:
        chain["filter_chain_match"] = {"server_names": [host.host]}
    return chain


def _listener(name: str, place: Place, chains: Sequence[Obj]) -> Obj:
    socket: Obj = {"address": place.address, "port_value": place.port}
    if place.namespace:
        socket["network_namespace_filepath"] = place.namespace
    return {
        "name": name,
        "address": {"socket_address": socket},
        # With it, two clusters on one machine would share a port and each get half of the other's traffic.
        "enable_reuse_port": False,
        "filter_chains": list(chains),
    }
