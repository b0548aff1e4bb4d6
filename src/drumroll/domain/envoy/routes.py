"""Envoy routes with the traffic rules' time-outs and retries; Ingress paths in the order in which they win."""

import re
from collections.abc import Iterable, Sequence

from drumroll.domain.envoy import types
from drumroll.domain.ingress import Host, Path
from drumroll.domain.ingress_canary import ALWAYS, NEVER, Canary
from drumroll.objects.meta import Obj

RETRY_ON = "connect-failure,refused-stream,reset-before-request"
NO_BODY: list[Obj] = [
    {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}},
    {"name": "content-length", "present_match": True, "invert_match": True},
    {"name": "transfer-encoding", "present_match": True, "invert_match": True},
]
_HSTS = "max-age=15724800; includeSubDomains"


def service_routes(name: str, cluster: str, *, sticky: bool = False) -> Obj:
    """Everything to one cluster."""
    routes = _twice({"prefix": "/"}, _route(cluster, sticky=sticky))
    return configuration(name, [{"name": "all", "domains": ["*"], "routes": routes}])


def ingress_hosts(hosts: Iterable[Host], tls_port: int | None) -> list[Obj]:
    """The Ingress's virtual hosts on one of its listeners.

    On the plain port `tls_port` is where https lives, for redirects; on the TLS port it is None. Unknown paths get a
    404.
    """
    return [_virtual_host(host, tls_port) for host in sorted(hosts, key=lambda h: h.name)]


def edge_configuration(name: str, virtual_hosts: Sequence[Obj], port: int) -> Obj:
    """A route configuration at the edge of the cluster: it names the client, and has an answer for every host."""
    nobody = {"name": "nobody", "domains": ["*"], "routes": [not_found()]}
    is_open = not any("*" in found["domains"] for found in virtual_hosts)
    found = configuration(name, [*virtual_hosts, nobody] if is_open else virtual_hosts)
    found["request_headers_to_add"] = [
        set_header("x-forwarded-host", "%REQ(:AUTHORITY)%"),
        set_header("x-forwarded-port", str(port)),
        set_header("x-real-ip", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ]
    return found


def _virtual_host(host: Host, tls_port: int | None) -> Obj:
    routes = [route for path in host.paths for route in _path_routes(host, path, tls_port)]
    found: Obj = {"name": host.name or "*", "domains": [host.name or "*"], "routes": [*routes, not_found()]}
    if host.tls and tls_port is None:
        found["response_headers_to_add"] = [set_header("strict-transport-security", _HSTS)]
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
    if path.canary is not None:
        return _canary_routes(match, path, path.canary)
    return _to(match, path.cluster, path)


def _to(match: Obj, cluster: str | None, path: Path) -> list[Obj]:
    if cluster is None:
        body = {"inline_string": "no such service\n"}
        return [{"match": match, "direct_response": {"status": 503, "body": body}}]
    route = _route(cluster, path, sticky=path.sticky)
    if path.shares and cluster == path.cluster:
        del route["cluster"]
        weights = [{"name": name, "weight": weight} for name, weight in path.shares]
        route["weighted_clusters"] = {"clusters": weights}
    return _twice(match, route)


def _canary_routes(match: Obj, path: Path, canary: Canary) -> list[Obj]:
    """nginx's order: the header first, then the cookie, then the weight."""
    found = []
    for condition, cluster in _canary_conditions(path, canary):
        found += _to({**match, "headers": [*match.get("headers", ()), condition]}, cluster, path)
    if canary.weight >= canary.total:
        return [*found, *_to(match, canary.cluster, path)]
    if canary.weight == 0:
        return [*found, *_to(match, path.cluster, path)]
    if path.cluster is None or canary.cluster is None:  # a share of nothing: by chance, as the weights say
        share = {"numerator": canary.weight * 1_000_000 // canary.total, "denominator": "MILLION"}
        chance = {**match, "runtime_fraction": {"default_value": share}}
        return [*found, *_to(chance, canary.cluster, path), *_to(match, path.cluster, path)]
    weights = [
        {"name": canary.cluster, "weight": canary.weight},
        {"name": path.cluster, "weight": canary.total - canary.weight},
    ]
    route = _route(path.cluster, path, sticky=path.sticky)
    del route["cluster"]
    return [*found, *_twice(match, {**route, "weighted_clusters": {"clusters": weights}})]


def _canary_conditions(path: Path, canary: Canary) -> Iterable[tuple[Obj, str | None]]:
    if canary.header and canary.value:
        yield {"name": canary.header, "string_match": {"exact": canary.value}}, canary.cluster
    elif canary.header and canary.pattern:
        pattern = f".*(?:{canary.pattern}).*"
        yield {"name": canary.header, "string_match": {"safe_regex": {"regex": pattern}}}, canary.cluster
    elif canary.header:
        yield {"name": canary.header, "string_match": {"exact": ALWAYS}}, canary.cluster
        yield {"name": canary.header, "string_match": {"exact": NEVER}}, path.cluster
    if canary.cookie:
        for word, cluster in ((ALWAYS, canary.cluster), (NEVER, path.cluster)):
            pattern = rf"(.*;\s*)?{re.escape(canary.cookie)}={word}(\s*;.*)?"
            yield {"name": "cookie", "string_match": {"safe_regex": {"regex": pattern}}}, cluster


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
    bodiless = {**match, "headers": [*match.get("headers", ()), *NO_BODY]}
    return [
        {"match": bodiless, "route": {**route, "retry_policy": retries(RETRY_ON + ",reset")}},
        {"match": match, "route": {**route, "retry_policy": retries(RETRY_ON)}},
    ]


def retries(retry_on: str, attempts: int = 2) -> Obj:
    """The retry policy; another host is asked each time where there is one."""
    return {
        "retry_on": retry_on,
        "num_retries": attempts,
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": types.PREVIOUS_HOSTS}}
        ],
        "host_selection_retry_max_attempts": "10",
    }


def not_found() -> Obj:
    """The route of last resort."""
    body = {"inline_string": "404 page not found\n"}
    return {"match": {"prefix": "/"}, "direct_response": {"status": 404, "body": body}}


def set_header(key: str, value: str) -> Obj:
    """A header that replaces what there is; `value` may hold Envoy's commands."""
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def configuration(name: str, virtual_hosts: Sequence[Obj]) -> Obj:
    """A route configuration; clusters that it names may come later."""
    return {
        "name": name,
        "virtual_hosts": list(virtual_hosts),
        "validate_clusters": False,
        "ignore_port_in_host_matching": True,
    }
