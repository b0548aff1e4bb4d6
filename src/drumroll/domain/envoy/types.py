"""The type URLs of Envoy's messages, and the config sources that all resources share."""

_ROOT = "type.googleapis.com/envoy."

CLUSTER = _ROOT + "config.cluster.v3.Cluster"
ENDPOINTS = _ROOT + "config.endpoint.v3.ClusterLoadAssignment"
LISTENER = _ROOT + "config.listener.v3.Listener"
ROUTES = _ROOT + "config.route.v3.RouteConfiguration"
SECRET = _ROOT + "extensions.transport_sockets.tls.v3.Secret"

PUSH_ORDER = (CLUSTER, ENDPOINTS, SECRET, LISTENER, ROUTES)
"""Make before break: what is named comes before what names it; removals go the other way round."""

HTTP_CONNECTION_MANAGER = _ROOT + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TCP_PROXY = _ROOT + "extensions.filters.network.tcp_proxy.v3.TcpProxy"
ROUTER = _ROOT + "extensions.filters.http.router.v3.Router"
HTTP_INSPECTOR = _ROOT + "extensions.filters.listener.http_inspector.v3.HttpInspector"
TLS_INSPECTOR = _ROOT + "extensions.filters.listener.tls_inspector.v3.TlsInspector"
HTTP_OPTIONS = _ROOT + "extensions.upstreams.http.v3.HttpProtocolOptions"
HTTP_OPTIONS_KEY = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
PRESERVE_CASE = _ROOT + "extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig"
PREVIOUS_HOSTS = _ROOT + "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
DOWNSTREAM_TLS = _ROOT + "extensions.transport_sockets.tls.v3.DownstreamTlsContext"
UPSTREAM_TLS = _ROOT + "extensions.transport_sockets.tls.v3.UpstreamTlsContext"
STATS_LOGGER = _ROOT + "extensions.access_loggers.stats.v3.Config"
TYPED_STRUCT = "type.googleapis.com/xds.type.v3.TypedStruct"
STATEFUL_SESSION = _ROOT + "extensions.filters.http.stateful_session.v3.StatefulSession"
STATEFUL_SESSION_PER_ROUTE = STATEFUL_SESSION + "PerRoute"
SESSION_COOKIE = _ROOT + "extensions.http.stateful_session.cookie.v3.CookieBasedSessionState"
SESSION_HEADER = _ROOT + "extensions.http.stateful_session.header.v3.HeaderBasedSessionState"
LUA = _ROOT + "extensions.filters.http.lua.v3.Lua"
LUA_PER_ROUTE = _ROOT + "extensions.filters.http.lua.v3.LuaPerRoute"
TAP = _ROOT + "extensions.filters.http.tap.v3.Tap"
FILTER_CONFIG = _ROOT + "config.route.v3.FilterConfig"
CORS = _ROOT + "extensions.filters.http.cors.v3.Cors"
CORS_POLICY = CORS + "Policy"
SET_FILTER_STATE = _ROOT + "extensions.filters.network.set_filter_state.v3.Config"

SOURCE_KEY = "drumroll.source"
"""Under this name every connection to a Service has its own client's address."""

ADS = {"ads": {}, "resource_api_version": "V3"}

HEADER_CASE = {
    "stateful_formatter": {
        "name": "envoy.http.stateful_header_formatters.preserve_case",
        "typed_config": {"@type": PRESERVE_CASE},
    }
}
"""HTTP/1 header names reach the other side as they were written: some old clients and servers care."""
