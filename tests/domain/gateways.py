"""Gateways and routes for the tables, and a small reading of Envoy's routes: what does a request get?"""

import re
from dataclasses import dataclass, field

from drumroll.domain.envoy.gateway_routes import table_configuration
from drumroll.domain.gateway.listeners import Ports
from drumroll.domain.gateway.translate import Inputs, translate
from drumroll.objects.meta import key_of

PORTS = Ports("127.0.0.1", 8080, 8443, 20000)


def meta(name, namespace="default", n=0, **more):
    created = f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z"
    uid = f"{namespace}/{name}"
    return {"namespace": namespace, "name": name, "uid": uid, "generation": 1, "creationTimestamp": created, **more}


def service(name, namespace="default", port=80, **spec):
    ports = [{"name": "http", "port": port}]
    return {"metadata": meta(name, namespace), "spec": {"clusterIP": "10.96.0.7", "ports": ports, **spec}}


def listener(name="http", port=80, protocol="HTTP", **more):
    return {"name": name, "port": port, "protocol": protocol, **more}


def gateway(*listeners, name="front", namespace="default", n=0, **spec):
    made = {"gatewayClassName": "drumroll", "listeners": list(listeners or [listener()]), **spec}
    return {"kind": "Gateway", "metadata": meta(name, namespace, n), "spec": made}


def backend(name="one", **more):
    return {"name": name, "port": 80, **more}


def route(*rules, name="r", namespace="default", n=0, kind="HTTPRoute", hosts=(), parents=None, **metadata):
    spec = {"parentRefs": parents or [{"name": "front", "namespace": "default"}], "rules": list(rules)}
    if hosts:
        spec["hostnames"] = list(hosts)
    return {"kind": kind, "metadata": meta(name, namespace, n, **metadata), "spec": spec}


def rule(*matches, to="one", **more):
    found = {"backendRefs": [backend(to)], **more}
    return {"matches": list(matches), **found} if matches else found


def path(value, kind="PathPrefix"):
    return {"path": {"type": kind, "value": value}}


SERVICES = tuple(service(name) for name in ("one", "two", "three"))


def translated(*routes, gateways=None, services=SERVICES, grants=(), namespaces=None, **more):
    return translate(
        Inputs(
            PORTS,
            tuple([gateway()] if gateways is None else gateways),
            tuple(routes),
            tuple(grants),
            {key_of(one): one for one in services},
            namespaces or {},
            **more,
        )
    )


@dataclass(frozen=True)
class Request:
    path: str = "/"
    host: str = "a.test"
    method: str = "GET"
    headers: dict = field(default_factory=dict)
    query: dict = field(default_factory=dict)


def answer(translation, request, table="ingress/http"):
    """The Envoy route that a request gets, without the doubled ones for requests that may be asked again."""
    configuration = table_configuration(translation.tables[table], PORTS.published)
    return first_route(_host(configuration, request.host)["routes"], request)


def first_route(routes, request):
    """The first of Envoy's routes that takes the request."""
    return next(one for one in routes if _matches(one["match"], request))


def served(translation, request, table="ingress/http"):
    """In short: the Service that answers, `one:9 two:1` for shares, or the status."""
    found = answer(translation, request, table)
    if "direct_response" in found:
        return found["direct_response"]["status"]
    if "redirect" in found:
        return "redirect"
    action = found["route"]
    if "cluster" in action:
        return _short(action["cluster"])
    return " ".join(f"{_short(one['name'])}:{one['weight']}" for one in action["weighted_clusters"]["clusters"])


def _short(cluster):
    return cluster.split("/")[1]


def _host(configuration, host):
    named = {domain: one for one in configuration["virtual_hosts"] for domain in one["domains"]}
    labels = host.split(".")
    wildcards = [".".join(["*", *labels[n:]]) for n in range(1, len(labels))]
    return next(named[name] for name in (host, *wildcards, "*") if name in named)


def _matches(match, request):
    for header in match.get("headers", ()):
        if not _header(header, request):
            return False
    for parameter in match.get("query_parameters", ()):
        if not _string(parameter["string_match"], request.query.get(parameter["name"])):
            return False
    if "path" in match:
        return request.path == match["path"]
    if "safe_regex" in match:
        return bool(re.fullmatch(match["safe_regex"]["regex"], request.path))
    if "path_separated_prefix" in match:
        prefix = match["path_separated_prefix"]
        return request.path == prefix or request.path.startswith(prefix + "/")
    return request.path.startswith(match["prefix"])


def _header(header, request):
    known = {":method": request.method, ":authority": request.host}
    if header["name"] in known:
        return _string(header["string_match"], known[header["name"]])
    value = {name.lower(): text for name, text in request.headers.items()}.get(header["name"])
    if header.get("present_match"):
        return (value is not None) != header.get("invert_match", False)
    return _string(header["string_match"], value)


def _string(match, value):
    if value is None:
        return False
    return value == match["exact"] if "exact" in match else bool(re.fullmatch(match["safe_regex"]["regex"], value))


def rewritten(action, text):
    """The path after a rewrite, as RE2 replaces."""
    change = action["regex_rewrite"]
    assert re.fullmatch(change["pattern"]["regex"].strip("^$"), text)
    return re.sub(change["pattern"]["regex"], change["substitution"], text, count=1)
