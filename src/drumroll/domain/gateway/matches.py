"""What a rule matches, and its rank among the others: HTTP and gRPC."""

import re
from collections.abc import Iterable

from drumroll.domain.gateway.model import Match, NamedMatch, PathMatch, Rank
from drumroll.domain.ingress import pattern_fault
from drumroll.objects.meta import Obj

EXACT, REGEX, PREFIX = 0, 1, 2
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


def http_match(spec: Obj) -> Match | str:
    """One of an HTTPRoute's matches, or what is wrong with it."""
    path = spec.get("path") or {}
    kind, value = path.get("type") or "PathPrefix", path.get("value") or "/"
    if kind not in {"Exact", "PathPrefix", "RegularExpression"}:
        return f"path type {kind!r} is not known"
    if kind == "RegularExpression" and (fault := pattern_fault(value)):
        return f"path {value!r} is no regular expression: {fault}"
    if kind != "RegularExpression" and not value.startswith("/"):
        return f"path {value!r} does not start with a slash"
    if kind != "RegularExpression" and set("?#") & set(value):
        return f"path {value!r} has a query or a fragment: match parameters by queryParams"
    if kind == "PathPrefix":
        value = value.rstrip("/") or "/"
    method = spec.get("method") or ""
    if method and method not in METHODS:
        return f"method {method!r} is not known"
    headers, query = _named(spec.get("headers"), fold=True), _named(spec.get("queryParams"))
    if fault := _header_fault(headers) or _named_fault("query parameter", query):
        return fault
    kinds = {"Exact": EXACT, "RegularExpression": REGEX, "PathPrefix": PREFIX}
    rank: Rank = (kinds[kind], -len(value), 0 if method else 1, -len(headers), -len(query))
    names = {"Exact": "Exact", "RegularExpression": "Regex", "PathPrefix": "Prefix"}
    return Match(PathMatch(names[kind], value), method, headers, query, rank)  # type: ignore[arg-type]


def grpc_match(spec: Obj) -> Match | str:
    """One of a GRPCRoute's matches, or what is wrong with it. A call is a POST to `/<service>/<method>`."""
    call = spec.get("method") or {}
    kind, service, method = call.get("type") or "Exact", call.get("service") or "", call.get("method") or ""
    if kind not in {"Exact", "RegularExpression"}:
        return f"method match type {kind!r} is not known"
    if kind == "RegularExpression":
        for part in (service, method):
            if part and (fault := pattern_fault(part)):
                return f"{part!r} is no regular expression: {fault}"
    headers = _named(spec.get("headers"), fold=True)
    if fault := _header_fault(headers):
        return fault
    path = _grpc_path(service, method, is_regex=kind == "RegularExpression")
    order = EXACT if service or method else PREFIX
    rank: Rank = (order, -len(service), -len(method), -len(headers), 0)
    return Match(path, "", headers, (), rank)


def _grpc_path(service: str, method: str, *, is_regex: bool) -> PathMatch:
    if not service and not method:
        return PathMatch("Prefix", "/")
    if is_regex:
        return PathMatch("Regex", f"/{_part(service)}/{_part(method)}")
    if not method:
        return PathMatch("Prefix", f"/{service}")
    if not service:
        return PathMatch("Regex", f"/[^/]+/{re.escape(method)}")
    return PathMatch("Exact", f"/{service}/{method}")


def _part(pattern: str) -> str:
    return f"(?:{pattern})" if pattern else "[^/]+"


def _named(entries: Iterable[Obj] | None, *, fold: bool = False) -> tuple[NamedMatch, ...]:
    """The first of equal names counts."""
    found: dict[str, NamedMatch] = {}
    for entry in entries or ():
        name = str(entry["name"])
        name = name.lower() if fold else name
        is_regex = entry.get("type") == "RegularExpression"
        found.setdefault(name, NamedMatch(name, str(entry.get("value") or ""), is_regex))
    return tuple(found.values())


def _header_fault(headers: Iterable[NamedMatch]) -> str:
    for header in headers:
        if not HEADER_NAME.fullmatch(header.name):
            return f"{header.name!r} is no header name"
    return _named_fault("header", headers)


def _named_fault(what: str, matches: Iterable[NamedMatch]) -> str:
    for match in matches:
        if match.regex and (fault := pattern_fault(match.value)):
            return f"{what} {match.name}: {match.value!r} is no regular expression: {fault}"
    return ""
