"""The schemas of HTTPRoute and GRPCRoute. Source: gateway-api apis/v1/{httproute,grpcroute}_types.go."""

import re
from collections.abc import Callable

from drumroll.domain.custom.installed.gateway_common import (
    DURATION,
    HEADER_CHANGES,
    HEADER_NAME,
    HOSTNAME,
    LOCAL_OBJECT,
    MIRROR,
    PARENTS,
    PORT,
    PORT_OF_SERVICE,
    PRECISE_HOSTNAME,
    ROUTE_STATUS,
    SECTION,
    SESSION,
    TARGET,
    WEIGHT,
)
from drumroll.domain.custom.installed.shapes import (
    BOOLEAN,
    Field,
    atomic,
    chosen,
    keyed,
    many,
    resource,
    rule,
    shape,
    text,
    whole,
)
from drumroll.objects.custom import LIST_TYPE
from drumroll.objects.meta import Obj

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
_LITERAL = "self.type in ['Exact','PathPrefix']"
_TYPES = "['Exact', 'PathPrefix']"
_CHARACTERS = "^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$"
_HOW = chosen("Exact", "RegularExpression", default="Exact")


def _seconds(text: str) -> float:
    """A duration of the Gateway API. Raises ValueError for another text."""
    if re.fullmatch(r"([0-9]{1,5}(h|ms|m|s)){1,4}", text) is None:
        raise ValueError(text)
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)(h|ms|m|s)", text))


def _path_rule(expression: str, message: str, fits: Callable[[str], bool]) -> Obj:
    def holds(path: Obj) -> bool:
        return path["type"] not in ("Exact", "PathPrefix") or fits(path["value"])

    return rule(f"{_LITERAL} ? {expression} : true", message, holds)


def _lacks(part: str) -> Callable[[str], bool]:
    return lambda value: part not in value


def _ends_otherwise(part: str) -> Callable[[str], bool]:
    return lambda value: not value.endswith(part)


_PATH = shape(
    {
        "type": chosen("Exact", "PathPrefix", "RegularExpression", default="PathPrefix"),
        "value": text(high=1024, default="/"),
    },
    _path_rule(
        "self.value.startsWith('/')",
        f"value must be an absolute path and start with '/' when type one of {_TYPES}",
        lambda value: value.startswith("/"),
    ),
    *(
        _path_rule(
            f"!self.value.contains('{part}')", f"must not contain '{part}' when type one of {_TYPES}", _lacks(part)
        )
        for part in ("//", "/./", "/../", "%2f", "%2F", "#")
    ),
    *(
        _path_rule(
            f"!self.value.endsWith('{part}')",
            f"must not end with '{part}' when type one of {_TYPES}",
            _ends_otherwise(part),
        )
        for part in ("/..", "/.")
    ),
    rule(
        f"{_LITERAL} || self.type == 'RegularExpression'",
        "type must be one of ['Exact', 'PathPrefix', 'RegularExpression']",
        lambda path: path["type"] in ("Exact", "PathPrefix", "RegularExpression"),
    ),
    _path_rule(
        f'self.value.matches(r"""{_CHARACTERS}""")',
        f"must only contain valid characters (matching {_CHARACTERS}) for types {_TYPES}",
        lambda value: re.fullmatch(_CHARACTERS[1:-1], value) is not None,
    ),
)
_HEADER_MATCH = shape({"type": _HOW, "name!": HEADER_NAME, "value!": text(1, 4096)})
_QUERY_MATCH = shape({"type": _HOW, "name!": HEADER_NAME, "value!": text(1, 1024)})
_MATCH = shape(
    {
        "path": _PATH | {"default": {"type": "PathPrefix", "value": "/"}},
        "headers": (keyed(_HEADER_MATCH, "name", maxItems=16), "Headers that a request must have, all of them."),
        "queryParams": keyed(_QUERY_MATCH, "name", maxItems=16),
        "method": chosen(*_METHODS),
    }
)


def _comes_with(kind: str, field: str) -> Callable[[Obj], bool]:
    return lambda value: value["type"] != kind or field in value


def _only_with(kind: str, field: str) -> Callable[[Obj], bool]:
    return lambda value: field not in value or value["type"] == kind


def _at_most_once(kind: str) -> Callable[[list[Obj]], bool]:
    return lambda filters: sum(one["type"] == kind for one in filters) <= 1


def _modifier() -> Obj:
    parts = (("replaceFullPath", "ReplaceFullPath"), ("replacePrefixMatch", "ReplacePrefixMatch"))
    rules = []
    for field, kind in parts:
        needed = f"self.type == '{kind}' ? has(self.{field}) : true"
        rules.append(rule(needed, f"{field} must be specified when type is set to '{kind}'", _comes_with(kind, field)))
        fitting = f"has(self.{field}) ? self.type == '{kind}' : true"
        rules.append(rule(fitting, f"type must be '{kind}' when {field} is set", _only_with(kind, field)))
    return shape(
        {
            "type!": chosen("ReplaceFullPath", "ReplacePrefixMatch"),
            "replaceFullPath": text(high=1024),
            "replacePrefixMatch": text(high=1024),
        },
        *rules,
    )


_REDIRECT = shape(
    {
        "scheme": chosen("http", "https"),
        "hostname": PRECISE_HOSTNAME,
        "path": _modifier(),
        "port": PORT,
        "statusCode": whole(enum=[301, 302, 303, 307, 308], default=302),
    }
)
_REWRITE = shape({"hostname": PRECISE_HOSTNAME, "path": _modifier()})
_SET = {LIST_TYPE: "set"}
_CORS = shape(
    {
        "allowOrigins": many(text(1, 253), maxItems=64) | _SET,
        "allowCredentials": BOOLEAN,
        "allowMethods": many(chosen(*_METHODS, "*"), maxItems=9) | _SET,
        "allowHeaders": many(HEADER_NAME, maxItems=64) | _SET,
        "exposeHeaders": many(HEADER_NAME, maxItems=64) | _SET,
        "maxAge": whole(1, default=5),
    }
)
_FILTERS: dict[str, tuple[str, Obj]] = {
    "RequestHeaderModifier": ("requestHeaderModifier", HEADER_CHANGES),
    "ResponseHeaderModifier": ("responseHeaderModifier", HEADER_CHANGES),
    "RequestMirror": ("requestMirror", MIRROR),
    "RequestRedirect": ("requestRedirect", _REDIRECT),
    "URLRewrite": ("urlRewrite", _REWRITE),
    "CORS": ("cors", _CORS),
    "ExtensionRef": ("extensionRef", LOCAL_OBJECT),
}
_ONCE = ("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "CORS")


def _types(filters: list[Obj]) -> set[str]:
    return {one["type"] for one in filters}


def _filters(kinds: tuple[str, ...]) -> Obj:
    fields: dict[str, Field] = {"type!": chosen(*kinds)}
    rules = []
    for kind in kinds:
        field, schema = _FILTERS[kind]
        fields[field] = schema
        rules.append(
            rule(
                f"!(has(self.{field}) && self.type != '{kind}')",
                f"filter.{field} must be nil if the filter.type is not {kind}",
                _only_with(kind, field),
            )
        )
        rules.append(
            rule(
                f"!(!has(self.{field}) && self.type == '{kind}')",
                f"filter.{field} must be specified for {kind} filter.type",
                _comes_with(kind, field),
            )
        )
    once = [
        rule(
            f"self.filter(f, f.type == '{kind}').size() <= 1", f"{kind} filter cannot be repeated", _at_most_once(kind)
        )
        for kind in _ONCE
        if kind in kinds
    ]
    if "URLRewrite" in kinds:
        both = "!(self.exists(f, f.type == 'RequestRedirect') && self.exists(f, f.type == 'URLRewrite'))"
        text_ = "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both"
        once.insert(0, rule(both, text_, lambda filters: not {"RequestRedirect", "URLRewrite"} <= _types(filters)))
    return atomic(many(shape(fields, *rules), *once, maxItems=16))


_HTTP_FILTERS = _filters(tuple(_FILTERS))
_GRPC_FILTERS = _filters(("RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"))


def _backends(filters: Obj) -> Obj:
    return atomic(many(shape({**TARGET, "weight": WEIGHT, "filters": filters}, PORT_OF_SERVICE), maxItems=16))


def _one_prefix(kind: str, field: str, where: str, filters: str) -> Obj:
    used = f"has(f.{field}) && has(f.{field}.path) && f.{field}.path.type == 'ReplacePrefixMatch'"
    prefix = "size(self.matches) == 1 && has(self.matches[0].path) && self.matches[0].path.type == 'PathPrefix'"
    lead = f"{where}When" if not where else f"{where}when"
    of_backends = bool(where)

    def holds(whole: Obj) -> bool:
        if not any(_rewrites_prefix(one, field) for one in _used(whole, of_backends=of_backends)):
            return True
        matches = whole["matches"]
        return len(matches) == 1 and (matches[0].get("path") or {"type": ""})["type"] == "PathPrefix"

    return rule(
        f"{filters.format(used)} ? {prefix} : true",
        f"{lead} using {kind} filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified",
        holds,
    )


def _used(whole: Obj, *, of_backends: bool) -> list[Obj]:
    """The filters of a rule, or those of its backends."""
    if not of_backends:
        return whole.get("filters") or []
    return [one for backend in whole.get("backendRefs") or () for one in backend.get("filters") or ()]


def _rewrites_prefix(one: Obj, field: str) -> bool:
    return bool((one.get(field) or {}).get("path", {}).get("type") == "ReplacePrefixMatch")


_OWN = "has(self.filters) && self.filters.exists(f, {})"
_OF_BACKENDS = "has(self.backendRefs) && self.backendRefs.exists(b, has(b.filters) && b.filters.exists(f, {}))"
_HTTP_RULE = shape(
    {
        "name": SECTION,
        "matches": (
            atomic(many(_MATCH, maxItems=64)) | {"default": [{"path": {"type": "PathPrefix", "value": "/"}}]},
            "Which requests the rule is for: those that any of these matches.",
        ),
        "filters": (_HTTP_FILTERS, "What is done to requests and answers."),
        "backendRefs": (_backends(_HTTP_FILTERS), "Where requests go, by weight."),
        "timeouts": shape(
            {"request": DURATION, "backendRequest": DURATION},
            rule(
                "!(has(self.request) && has(self.backendRequest) && duration(self.request) != duration('0s') && "
                "duration(self.backendRequest) > duration(self.request))",
                "backendRequest timeout cannot be longer than request timeout",
                lambda timeouts: (
                    len(timeouts) < 2 or not 0 < _seconds(timeouts["request"]) < _seconds(timeouts["backendRequest"])
                ),
            ),
        ),
        "retry": shape(
            {"codes": atomic(many(whole(400, 599))), "attempts": whole(), "backoff": DURATION},
        ),
        "sessionPersistence": SESSION,
    },
    rule(
        "(has(self.backendRefs) && size(self.backendRefs) > 0) ? "
        "(!has(self.filters) || self.filters.all(f, !has(f.requestRedirect))) : true",
        "RequestRedirect filter must not be used together with backendRefs",
        lambda whole: (
            not whole.get("backendRefs") or not any("requestRedirect" in one for one in whole.get("filters") or ())
        ),
    ),
    _one_prefix("RequestRedirect", "requestRedirect", "", _OWN),
    _one_prefix("URLRewrite", "urlRewrite", "", _OWN),
    _one_prefix("RequestRedirect", "requestRedirect", "Within backendRefs, ", _OF_BACKENDS),
    _one_prefix("URLRewrite", "urlRewrite", "Within backendRefs, ", _OF_BACKENDS),
)
_HOSTS = (atomic(many(HOSTNAME, maxItems=16)), "The host names that the route is for; every one without it.")
_UNIQUE = rule(
    "self.all(l1, !has(l1.name) || self.exists_one(l2, has(l2.name) && l1.name == l2.name))",
    "Rule name must be unique within the route",
    lambda rules: len(names := [one["name"] for one in rules if "name" in one]) == len(set(names)),
)


def _count(kind: str) -> Obj:
    total = " + ".join(
        f"(self.size() > {index} && has(self[{index}].matches) ? self[{index}].matches.size() : 0)"
        for index in range(16)
    )
    return rule(
        f"{total} <= 128",
        "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a "
        f"{kind} must be less than 128",
        lambda rules: sum(len(one.get("matches") or ()) for one in rules) <= 128,
    )


HTTP_ROUTE = resource(
    shape(
        {
            "parentRefs": (PARENTS, "The Gateways, or mesh-style the Services, that the route belongs to."),
            "hostnames": _HOSTS,
            "rules": atomic(many(_HTTP_RULE, _count("route"), _UNIQUE, minItems=1, maxItems=16))
            | {"default": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]},
        }
    ),
    ROUTE_STATUS,
    "An HTTPRoute says where HTTP requests go.",
)

_SERVICE_NAME, _METHOD_NAME = r"^(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$", "^[A-Za-z_][A-Za-z_0-9]*$"
_GRPC_METHOD = shape(
    {"type": _HOW, "service": text(high=1024), "method": text(high=1024)},
    rule(
        "has(self.type) ? has(self.service) || has(self.method) : true",
        "One or both of 'service' or 'method' must be specified",
        lambda method: "type" not in method or "service" in method or "method" in method,
    ),
    rule(
        "(!has(self.type) || self.type == 'Exact') && has(self.service) ? "
        f'self.service.matches(r"""{_SERVICE_NAME}""") : true',
        f"service must only contain valid characters (matching {_SERVICE_NAME})",
        lambda method: (
            method["type"] != "Exact"
            or "service" not in method
            or re.fullmatch(_SERVICE_NAME[5:-1], method["service"], re.IGNORECASE | re.ASCII) is not None
        ),
    ),
    rule(
        "(!has(self.type) || self.type == 'Exact') && has(self.method) ? "
        f'self.method.matches(r"""{_METHOD_NAME}""") : true',
        f"method must only contain valid characters (matching {_METHOD_NAME})",
        lambda method: (
            method["type"] != "Exact"
            or "method" not in method
            or re.fullmatch(_METHOD_NAME[1:-1], method["method"]) is not None
        ),
    ),
)
_GRPC_MATCH = shape({"method": _GRPC_METHOD, "headers": keyed(_HEADER_MATCH, "name", maxItems=16)})
_GRPC_RULE = shape(
    {
        "name": SECTION,
        "matches": atomic(many(_GRPC_MATCH, maxItems=64)),
        "filters": _GRPC_FILTERS,
        "backendRefs": _backends(_GRPC_FILTERS),
        "sessionPersistence": SESSION,
    }
)
GRPC_ROUTE = resource(
    shape(
        {
            "parentRefs": (PARENTS, "The Gateways, or mesh-style the Services, that the route belongs to."),
            "hostnames": _HOSTS,
            "rules": atomic(many(_GRPC_RULE, _count("route"), _UNIQUE, maxItems=16)),
        }
    ),
    ROUTE_STATUS,
    "A GRPCRoute says where gRPC requests go.",
    needs="",
)
