"""Envoy routes of Gateway API tables: matches, weights, changes, redirects, mirrors, time-outs, retries, sessions."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from drumroll.domain.envoy.carrying import carrying
from drumroll.domain.envoy.routes import NO_BODY, RETRY_ON, configuration, edge_configuration, not_found, retries
from drumroll.domain.envoy.sessions import affinity, cors, pins, remembered
from drumroll.domain.envoy.taps import pair_header, tapped
from drumroll.domain.gateway.model import Action, Backend, HeaderChange, Match, Mirror, PathChange, Redirect, Table
from drumroll.objects.meta import Obj

NOWHERE = "drumroll/nowhere"
"""A cluster that does not exist: its share of the requests is answered in its place."""

_LACKING = {500: "INTERNAL_SERVER_ERROR", 503: "SERVICE_UNAVAILABLE"}

MIRROR_MARK = "x-drumroll-mirror"
"""Copies of requests carry this header, so that programs can tell them from the real ones."""

MIRROR_NOTE: Obj = {
    "header": {"key": "baggage", "value": "drumroll-copy=1"},
    "append_action": "APPEND_IF_EXISTS_OR_ADD",
}
"""And this note, which programs that pass on tracing headers pass on to the services that they call."""

MISDIRECTED: Obj = {
    "match": {"prefix": "/"},
    "direct_response": {"status": 421, "body": {"inline_string": "this host has another connection\n"}},
}

_CODES = {
    301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT", 308: "PERMANENT_REDIRECT",
}  # fmt: skip
_WELL_KNOWN = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a table is reached, and `published`: where a listener's port is on this machine."""

    scheme: str
    port: int
    published: Callable[[int], int]


def table_configuration(table: Table, published: Callable[[int], int], others: Sequence[Obj] = ()) -> Obj:
    """A table's route configuration, together with the virtual hosts that `others` (the Ingress) have there.

    Of a host that both name, the table's routes are asked first.
    """
    around = Surroundings(table.scheme, table.port, published)
    hosts: dict[str, list[Obj]] = {}
    kept = {other["domains"][0]: other for other in others}
    for host in table.hosts:
        hosts[host.domain] = [r for rule in host.rules for r in routes_of(rule.match, rule.action, around)]
        if host.is_elsewhere and host.domain not in kept:
            hosts[host.domain] = [MISDIRECTED]
    found = []
    for domain in sorted({*hosts, *kept}):
        made: Obj = {"name": domain, "domains": [domain], **kept.get(domain, {})}
        made["routes"] = [*hosts.get(domain, ()), *(kept[domain]["routes"] if domain in kept else [not_found()])]
        found.append(made)
    made = edge_configuration(table.name, found, table.port) if table.port else configuration(table.name, found)
    if table.carried:
        made["typed_per_filter_config"] = carrying(table.carried)
    return made | {"most_specific_header_mutations_wins": True}


def routes_of(match: Match, action: Action, around: Surroundings) -> list[Obj]:
    """The Envoy routes of one match: most often two, for requests that may be asked again and all others."""
    found: Obj = {"match": match_of(match)}
    _set_headers(found, "request", action.request)
    _set_headers(found, "response", action.response)
    filters = affinity(action.session) | cors(action.cors)
    if action.is_paired:
        filters |= tapped()
        found["request_headers_to_add"] = [*found.get("request_headers_to_add", ()), pair_header()]
    if filters:
        found["typed_per_filter_config"] = filters
    if action.redirect is not None:
        return [{**found, "redirect": _redirect(action.redirect, match, around)}]
    if not any(backend.weight for backend in action.backends):
        body = {"inline_string": "no backend\n"}
        return [{**found, "direct_response": {"status": action.lacking, "body": body}}]
    pinned = [
        route
        for header, backend in pins(action.session, action.backends)
        for route in _twice({**found, "match": _with_header(found["match"], header)}, action, match, (backend,))
    ]
    asking = [{**found, "match": preflight_of(match)}] if action.cors and match.method else []
    ordinary = _twice(found, action, match, remembered(action.session, action.backends))
    return [
        *(route for one in asking for route in _twice(one, action, match, action.backends)[-1:]),
        *pinned,
        *ordinary,
    ]


def preflight_of(match: Match) -> Obj:
    """What a browser asks before a request that `match` would take: by OPTIONS, without the request's own headers."""
    found = match_of(replace(match, method="OPTIONS", headers=()))
    asked = {"name": "access-control-request-method", "string_match": {"exact": match.method}}
    return _with_header(found, asked)


def match_of(match: Match) -> Obj:
    """Envoy's form of a match."""
    path = match.path
    found: Obj
    if path.type == "Exact":
        found = {"path": path.value}
    elif path.type == "Regex":
        found = {"safe_regex": {"regex": path.value}}
    else:
        found = {"prefix": "/"} if path.value == "/" else {"path_separated_prefix": path.value}
    headers = [
        {"name": ":authority" if h.name == "host" else h.name, "string_match": _string(h.value, is_regex=h.regex)}
        for h in match.headers
    ]
    if match.method:
        headers.insert(0, {"name": ":method", "string_match": {"exact": match.method}})
    if headers:
        found["headers"] = headers
    if match.query:
        found["query_parameters"] = [
            {"name": q.name, "string_match": _string(q.value, is_regex=q.regex)} for q in match.query
        ]
    return found


def _string(value: str, *, is_regex: bool) -> Obj:
    return {"safe_regex": {"regex": value}} if is_regex else {"exact": value}


def _with_header(match: Obj, header: Obj) -> Obj:
    return {**match, "headers": [*match.get("headers", ()), header]}


def _twice(found: Obj, action: Action, match: Match, backends: Sequence[Backend]) -> list[Obj]:
    """GET and HEAD without a body may be asked again even after a reset; nothing else may.

    Where one attempt's time is bounded and no retries are asked for, a slow answer must not be asked for again.
    """
    again = _route(action, match, backends, RETRY_ON + ",reset")
    once = _route(action, match, backends, RETRY_ON)
    if action.attempt_timeout and action.retry is None:
        return [{**found, "route": once}]
    bodiless = {**found["match"], "headers": [*found["match"].get("headers", ()), *NO_BODY]}
    return [{**found, "match": bodiless, "route": again}, {**found, "route": once}]


def _route(action: Action, match: Match, backends: Sequence[Backend], retry_on: str) -> Obj:
    found: Obj = {**_clusters(action, backends), "timeout": _seconds(action.timeout or 0)}
    if action.mirrors:
        found["request_mirror_policies"] = [_mirror(mirror) for mirror in action.mirrors]
    if action.host and "weighted_clusters" not in found:
        found["host_rewrite_literal"] = action.host
    if action.path is not None:
        found["regex_rewrite"] = _rewrite(action.path, match)
    if any(backend.sticky for backend in backends):
        found["hash_policy"] = [{"connection_properties": {"source_ip": True}}]
    found["retry_policy"] = _retry_policy(action, retry_on)
    return found


def _clusters(action: Action, backends: Sequence[Backend]) -> Obj:
    alone = backends[0]
    if len(backends) == 1 and alone.cluster and not alone.request and not alone.response and not alone.host:
        return {"cluster": alone.cluster}
    weighted = {"clusters": [_weight(action, backend) for backend in backends if backend.weight]}
    found: Obj = {"weighted_clusters": weighted}
    if any(backend.cluster is None for backend in backends):
        found["cluster_not_found_response_code"] = _LACKING[action.lacking]
    return found


def _weight(action: Action, backend: Backend) -> Obj:
    found: Obj = {"name": backend.cluster or NOWHERE, "weight": backend.weight}
    _set_headers(found, "request", backend.request)
    _set_headers(found, "response", backend.response)
    if host := backend.host or action.host:
        found["host_rewrite_literal"] = host
    return found


def _set_headers(found: Obj, side: str, change: HeaderChange) -> None:
    added = [
        *(_header(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in change.set),
        *(_header(name, value, "APPEND_IF_EXISTS_OR_ADD") for name, value in change.add),
    ]
    if added:
        found[f"{side}_headers_to_add"] = added
    if change.remove:
        found[f"{side}_headers_to_remove"] = list(change.remove)


def _header(name: str, value: str, how: str) -> Obj:
    """A header with a value that is meant as it stands: a percent sign would begin one of Envoy's commands."""
    header = {"key": name, "value": value.replace("%", "%%")}
    return {"header": header, "append_action": how, "keep_empty_value": True}


def _mirror(mirror: Mirror) -> Obj:
    share = {"numerator": mirror.numerator, "denominator": "HUNDRED"}
    if mirror.denominator != 100:
        share = {"numerator": round(mirror.numerator * 1_000_000 / mirror.denominator), "denominator": "MILLION"}
    mark = {"header": {"key": MIRROR_MARK, "value": mirror.mark}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {
        "cluster": mirror.cluster,
        "runtime_fraction": {"default_value": share},
        "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [{"append": mark}, {"append": MIRROR_NOTE}],
    }


def _retry_policy(action: Action, retry_on: str) -> Obj:
    if action.retry is None:
        found = retries(retry_on)
    else:
        found = retries(f"{retry_on},retriable-status-codes", action.retry.attempts)
        found["retriable_status_codes"] = list(action.retry.codes)
        if action.retry.pause:
            pause = _seconds(action.retry.pause)
            found["retry_back_off"] = {"base_interval": pause, "max_interval": pause}
    if action.attempt_timeout:
        found["per_try_timeout"] = _seconds(action.attempt_timeout)
    return found


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "s"


def _rewrite(change: PathChange, match: Match) -> Obj:
    """The path's new form by an expression over the whole of it; the query stays.

    `/foo/bar` with `/foo` replaced by `/xyz`, `/xyz/` and nothing: `/xyz/bar`, `/xyz/bar`, `/bar`.
    """
    if change.type == "Full":
        return {"pattern": {"regex": "^/.*$"}, "substitution": _escaped(change.value)}
    prefix, value = re.escape(match.path.value.rstrip("/")), change.value.rstrip("/")
    if value:
        return {"pattern": {"regex": f"^{prefix}(/.*)?$"}, "substitution": _escaped(value) + r"\1"}
    return {"pattern": {"regex": f"^{prefix}/?(.*)$"}, "substitution": r"/\1"}


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\")


def _redirect(redirect: Redirect, match: Match, around: Surroundings) -> Obj:
    found: Obj = {"response_code": _CODES[redirect.status]}
    if redirect.scheme:
        found["scheme_redirect"] = redirect.scheme
    if redirect.host:
        found["host_redirect"] = redirect.host
    if redirect.path is not None and redirect.path.type == "Full":
        found["path_redirect"] = redirect.path.value
    elif redirect.path is not None:
        found["regex_rewrite"] = _rewrite(redirect.path, match)
    scheme = redirect.scheme or around.scheme
    wanted = redirect.port or (_WELL_KNOWN[scheme] if redirect.scheme else 0)
    port = around.published(wanted) if wanted else around.port
    if port and port != _WELL_KNOWN[scheme]:
        found["port_redirect"] = port
    return found


def cluster_names(resource: Obj) -> frozenset[str]:
    """Every cluster that a route configuration sends to, copies included."""
    return frozenset(name for host in resource["virtual_hosts"] for name in _named(host["routes"]))


def _named(routes: Iterable[Obj]) -> Iterable[str]:
    for route in routes:
        action = route.get("route") or {}
        if "cluster" in action:
            yield action["cluster"]
        for weighted in (action.get("weighted_clusters") or {}).get("clusters", ()):
            yield weighted["name"]
        for mirror in action.get("request_mirror_policies", ()):
            yield mirror["cluster"]
