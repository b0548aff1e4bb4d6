"""Envoy routes with the traffic rules' time-outs and retries; Ingress paths in the order in which they win."""

from collections.abc import Iterable, Sequence

from drumroll.domain.envoy import types
from drumroll.domain.ingress import Host, Path
from drumroll.objects.meta import Obj

_RETRY_ON = "connect-failure,refused-stream,reset-before-request"
_NO_BODY: list[Obj] = [
    {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}},
    {"name": "content-length", "present_match": True, "invert_match": True},
    {"name": "transfer-encoding", "present_match": True, "invert_match": True},
]
_HSTS = "max-age=15724800; includeSubDomains"


def service_routes(name: str, cluster: str, *, sticky: bool = False) -> Obj:
    """Everything to one cluster."""
    routes = _twice({"prefix": "/"}, _route(cluster, sticky=sticky))
    return _configuration(name, [{"name": "all", "domains": ["*"], "routes": routes}])


def ingress_routes(name: str, hosts: Iterable[Host], *, tls_port: int | None, port: int) -> Obj:
    """The Ingress's routes on one of its listeners.

    On the plain port `tls_port` is where https lives, for redirects; on the TLS port it is None. `port` is the
    listener's own. Unknown hosts and paths get a 404.
    """
    virtual_hosts = [_virtual_host(host, tls_port) for host in sorted(hosts, key=lambda h: h.name)]
    if not any("*" in found["domains"] for found in virtual_hosts):
        virtual_hosts.append({"name": "nobody", "domains": ["*"], "routes": [_not_found()]})
    found = _configuration(name, virtual_hosts)
    found["request_headers_to_add"] = [
        _header("x-forwarded-host", "%REQ(:AUTHORITY)%"),
        _header("x-forwarded-port", str(port)),
        _header("x-real-ip", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ]
    return found


def _virtual_host(host: Host, tls_port: int | None) -> Obj:
    routes = [route for path in host.paths for route in _path_routes(host, path, tls_port)]
    found: Obj = {"name": host.name or "*", "domains": [host.name or "*"], "routes": [*routes, _not_found()]}
    if host.tls and tls_port is None:
        found["response_headers_to_add"] = [_header("strict-transport-security", _HSTS)]
    return found


def _path_routes(host: Host, path: Path, tls_port: int | None) -> list[Obj]:
    match = _match(path)
    if host.name.startswith("*."):
        # Envoy's wildcard takes any depth, an Ingress's exactly one label.
        pattern = r"[^.:]+" + host.name[1:].replace(".", r"\.") + r"(:\d+)?"
        match["headers"] = [{"name": ":authority", "string_match": {"safe_regex": {"regex": pattern}}}]
    if tls_port is not None and host.tls and path.redirect:
        redirect: Obj = {"https_redirect": True, "response_code": "PERMANENT_REDIRECT"}
        if tls_port != 443:
            redirect["port_redirect"] = tls_port
        return [{"match": match, "redirect": redirect}]
    if path.cluster is None:
        body = {"inline_string": "no such service\n"}
        return [{"match": match, "direct_response": {"status": 503, "body": body}}]
    return _twice(match, _route(path.cluster, path, sticky=path.sticky))


def _match(path: Path) -> Obj:
    if path.pattern:
        return {"safe_regex": {"regex": path.pattern}}
    if path.type == "Exact":
        return {"path": path.path}
    if path.type == "Prefix" and path.path != "/":
        return {"path_separated_prefix": path.path}
    return {"prefix": path.path}


def _route(cluster: str, path: Path | None = None, *, sticky: bool = False) -> Obj:
    found: Obj = {"cluster": cluster, "timeout": "0s"}
    if path is not None and path.rewrite:
        found["regex_rewrite"] = {"pattern": {"regex": path.pattern}, "substitution": path.rewrite}
    if sticky:
        found["hash_policy"] = [{"connection_properties": {"source_ip": True}}]
    return found


def _twice(match: Obj, route: Obj) -> list[Obj]:
    """GET and HEAD without a body may be asked again even after a reset; nothing else may."""
    bodiless = {**match, "headers": [*match.get("headers", ()), *_NO_BODY]}
    return [
        {"match": bodiless, "route": {**route, "retry_policy": _retries(_RETRY_ON + ",reset")}},
        {"match": match, "route": {**route, "retry_policy": _retries(_RETRY_ON)}},
    ]


def _retries(retry_on: str) -> Obj:
    return {
        "retry_on": retry_on,
        "num_retries": 2,
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": types.PREVIOUS_HOSTS}}
        ],
        "host_selection_retry_max_attempts": "10",
    }


def _not_found() -> Obj:
    body = {"inline_string": "404 page not found\n"}
    return {"match": {"prefix": "/"}, "direct_response": {"status": 404, "body": body}}


def _header(key: str, value: str) -> Obj:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _configuration(name: str, virtual_hosts: Sequence[Obj]) -> Obj:
    return {
        "name": name,
        "virtual_hosts": list(virtual_hosts),
        "validate_clusters": False,
        "ignore_port_in_host_matching": True,
    }
