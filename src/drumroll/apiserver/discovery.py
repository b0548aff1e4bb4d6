"""What is served: /api, /apis and below, in the aggregated and in the legacy form. Derived from the table of kinds."""

import base64
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

import orjson

from drumroll.objects.kinds import SERVED, Kind
from drumroll.objects.meta import Obj
from drumroll.objects.wire import JSON, Response

Kinds: TypeAlias = tuple[Kind, ...]
"""The kinds that are served, in the order in which discovery lists groups."""

GIT_VERSION = "v1.36.0+drumroll"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList"

_OTHER_KIND = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}
_OTHER_NAME = {
    "attach": "PodAttachOptions",
    "binding": "Binding",
    "exec": "PodExecOptions",
    "portforward": "PodPortForwardOptions",
}
_VERBS = {
    "status": ["get", "patch", "update"],
    "ephemeralcontainers": ["get", "patch", "update"],
    "resize": ["get", "patch", "update"],
    "scale": ["get", "patch", "update"],
    "binding": ["create"],
    "eviction": ["create"],
    "token": ["create"],
    "log": ["get"],
    "attach": ["create", "get"],
    "exec": ["create", "get"],
    "portforward": ["create", "get"],
    "finalize": ["update"],
}


@lru_cache(maxsize=8)
def groups(kinds: Kinds = SERVED) -> dict[str, list[str]]:
    """Versions per group, both in serving order; the core group is the empty name."""
    found: dict[str, list[str]] = {}
    for kind in kinds:
        versions = found.setdefault(kind.group, [])
        if kind.version not in versions:
            versions.append(kind.version)
    return found


def kinds_in(group: str, version: str, kinds: Kinds = SERVED) -> list[Kind]:
    """The kinds of one group and version, by resource name."""
    return sorted((k for k in kinds if (k.group, k.version) == (group, version)), key=lambda kind: kind.plural)


def answer(path: str, accept: str, address: str, kinds: Kinds = SERVED) -> Response | None:
    """The answer to a GET of a discovery path; None when it is none. `address` is host:port as the client sees us."""
    parts = path.strip("/").split("/")
    match parts:
        case ["api"] | ["apis"]:
            return _root(parts[0] == "api", accept, address, kinds)
        case ["api", "v1"]:
            return _json(_resources("", "v1", kinds))
        case ["apis", group] if group in groups(kinds) and group:
            return _json({"kind": "APIGroup", "apiVersion": "v1", **_group(group, kinds)})
        case ["apis", group, version] if version in groups(kinds).get(group, ()) and group:
            return _json(_resources(group, version, kinds))
        case _:
            return None


def _root(core: bool, accept: str, address: str, kinds: Kinds) -> Response:
    for clause in accept.split(","):
        if "as=APIGroupDiscoveryList" in clause and "g=apidiscovery.k8s.io" in clause:
            version = "v2" if "v=v2;" in clause.replace(" ", "") + ";" else "v2beta1"
            body = _aggregated(core, version, kinds)
            return Response(200, body, AGGREGATED % version)
    if core:
        cidr = {"clientCIDR": "0.0.0.0/0", "serverAddress": address}
        return _json({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [cidr]})
    listed = [_group(group, kinds) for group in groups(kinds) if group]
    return _json({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})


def _json(obj: Obj) -> Response:
    return Response(200, orjson.dumps(obj), JSON)


def _group(group: str, kinds: Kinds) -> Obj:
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in groups(kinds)[group]]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: str, version: str, kinds: Kinds) -> Obj:
    listed = [entry for kind in kinds_in(group, version, kinds) for entry in _legacy_entries(kind)]
    group_version = f"{group}/{version}" if group else version
    head = {"kind": "APIResourceList"} if not group else {"kind": "APIResourceList", "apiVersion": "v1"}
    return {**head, "groupVersion": group_version, "resources": listed}


def _legacy_entries(kind: Kind) -> Iterator[Obj]:
    entry: Obj = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.name,
        "verbs": verbs(kind),
        "shortNames": list(kind.short_names),
        "categories": list(kind.categories),
        "storageVersionHash": _storage_hash(kind) if "get" in kind.verbs else None,
    }
    yield {name: value for name, value in entry.items() if value not in ([], None)}
    for subresource in sorted(kind.subresources):
        other = _OTHER_KIND.get(subresource)
        yield {
            "name": f"{kind.plural}/{subresource}",
            "singularName": "",
            "namespaced": kind.namespaced,
            **({"group": other[0], "version": other[1]} if other else {}),
            "kind": other[2] if other else _OTHER_NAME.get(subresource, kind.name),
            "verbs": _VERBS[subresource],
        }


def verbs(kind: Kind) -> list[str]:
    """The verbs of a kind's objects."""
    return [verb for verb in kind.verbs if verb != "deletecollection" or kind.plural != "namespaces"]


def _storage_hash(kind: Kind) -> str:
    """Source: apiserver pkg/endpoints/discovery/storageversionhash.go."""
    digest = hashlib.sha256(f"{kind.group}/{kind.version}/{kind.name}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


@lru_cache(maxsize=8)
def _aggregated(core: bool, version: str, kinds: Kinds) -> bytes:
    items = []
    for group, versions in groups(kinds).items():
        if (group == "") != core:
            continue
        listed = [
            {
                "version": served,
                "resources": [_aggregated_entry(kind) for kind in kinds_in(group, served, kinds)],
                "freshness": "Current",
            }
            for served in versions
        ]
        items.append({"metadata": {"name": group} if group else {}, "versions": listed})
    return orjson.dumps(
        {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": items,
        }
    )


def _aggregated_entry(kind: Kind) -> Obj:
    entry: Obj = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.name},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": verbs(kind),
        "shortNames": list(kind.short_names),
        "categories": list(kind.categories),
        "subresources": [_aggregated_subresource(kind, name) for name in sorted(kind.subresources)],
    }
    return {name: value for name, value in entry.items() if value != []}


def _aggregated_subresource(kind: Kind, name: str) -> Obj:
    default = (kind.group, kind.version, _OTHER_NAME.get(name, kind.name))
    group, version, other = _OTHER_KIND.get(name, default)
    shown = {"group": group, "version": version, "kind": other}
    return {"subresource": name, "responseKind": shown, "verbs": _VERBS[name]}


def paths(kinds: Kinds = SERVED) -> Iterator[str]:
    """Every path that GET / names."""
    fixed = ["/api", "/api/v1", "/apis", "/apis/", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3"]
    yield from fixed
    yield from ("/openapi/v3/", "/readyz", "/version")
    for group, versions in groups(kinds).items():
        if group:
            yield f"/apis/{group}"
            yield from (f"/apis/{group}/{version}" for version in versions)


def version() -> Obj:
    """What GET /version answers."""
    import platform

    return {
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": f"python{platform.python_version()}",
        "platform": f"{platform.system().lower()}/{_machine(platform.machine())}",
    }


def _machine(name: str) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(name, name)
