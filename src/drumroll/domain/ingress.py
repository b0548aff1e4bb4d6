"""What Ingress objects ask for: hosts, their paths in the order in which they win, backends, certificates."""

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from drumroll.domain.envoy.clusters import cluster_name
from drumroll.domain.ingress_annotations import (
    FORCE_REDIRECT,
    KNOWN,
    PROTOCOL,
    REDIRECT,
    REWRITE,
    USE_REGEX,
    acknowledgement_of,
)
from drumroll.domain.ingress_canary import PREFIX, Canary, canary_of, is_canary
from drumroll.objects.kinds import INGRESS
from drumroll.objects.meta import Key, Obj, annotations_of, key_of

CLASSES = frozenset({"nginx", "drumroll"})
CONTROLLERS = frozenset({"k8s.io/ingress-nginx", "drumroll.dev/ingress"})

_NOT_RE2 = re.compile(r"\(\?(?:[=!>#]|<[=!]|P=|\()|\\[1-9uUZN]|[*+?}]\+")
_REPETITION = re.compile(r"(?<=[{,])\d+(?=[,}])")
_MOST_REPETITIONS = 1000


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service port that an Ingress sends to. `tls` and `http2` come from the backend-protocol annotation."""

    service: Key
    port: str  # name or number, as the cluster is named
    cluster: str
    tls: bool = False
    http2: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """One path of a host. `pattern` is set when a regular expression matches in its place; `cluster` None is a 503."""

    type: str
    path: str
    cluster: str | None
    pattern: str = ""
    rewrite: str = ""
    redirect: bool = True
    sticky: bool = False
    canary: Canary | None = None
    shares: tuple[tuple[str, int], ...] = ()  # what a TrafficSplit makes of `cluster`


@dataclass(frozen=True, slots=True)
class Host:
    """A virtual host; the empty name is everybody else. `tls` is True when a Secret is named for it."""

    name: str
    paths: tuple[Path, ...]
    tls: bool


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a part of an object has no effect; becomes a Warning event on it."""

    api_version: str
    kind: str
    key: Key
    uid: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one Ingress has of the rules: paths by host, with the canaries on them. `text` says what it is made of."""

    text: str
    paths: tuple[tuple[str, Path], ...]
    canaries: frozenset[Key] = frozenset()

    @property
    def clusters(self) -> frozenset[str]:
        """Everything that its requests may go to."""
        paths = [path for _, path in self.paths]
        named = {path.cluster for path in paths} | {path.canary.cluster for path in paths if path.canary}
        shared = {name for path in paths for name, _ in path.shares}
        return frozenset(name for name in named | shared if name is not None)


@dataclass(frozen=True, slots=True)
class IngressRules:
    """All Ingresses together. `secrets` says which Secret a host presents; `parts` has no Ingress without effect."""

    hosts: tuple[Host, ...] = ()
    backends: frozenset[Backend] = frozenset()
    secrets: Mapping[str, Key] = field(default_factory=dict)
    complaints: tuple[Complaint, ...] = ()
    parts: Mapping[Key, Part] = field(default_factory=dict)


def is_ours(ingress: Obj, classes: Iterable[Obj]) -> bool:
    """True for the classes nginx and drumroll, for classes of our controllers, and for no class at all."""
    name = ingress["spec"].get("ingressClassName") or annotations_of(ingress).get("kubernetes.io/ingress.class") or ""
    if not name or name in CLASSES:
        return True
    return any(c["metadata"]["name"] == name and c["spec"].get("controller") in CONTROLLERS for c in classes)


def complaint(obj: Obj, kind: str, api_version: str, reason: str, message: str) -> Complaint:
    """A complaint about `obj`."""
    return Complaint(api_version, kind, key_of(obj), obj["metadata"].get("uid", ""), reason, message)


def ingress_rules(
    ingresses: Iterable[Obj],
    services: Mapping[Key, Obj],
    shares: Mapping[str, tuple[tuple[str, int], ...]] | None = None,
) -> IngressRules:
    """The rules of all `ingresses` (ours only). Of two that claim the same path, the older one has it.

    `shares` says by cluster who else gets its requests, with which weights.
    """
    reader = _Reader(services, shares or {})
    ordered = sorted(ingresses, key=_age)
    for ingress in ordered:
        if not is_canary(annotations_of(ingress)):
            reader.read(ingress)
    for ingress in ordered:
        if is_canary(annotations_of(ingress)):
            reader.read_canary(ingress)
    return reader.rules()


def _age(ingress: Obj) -> tuple[str, Key]:
    return ingress["metadata"].get("creationTimestamp") or "", key_of(ingress)


_Place = tuple[str, tuple[str, str]]
"""A host, and a path of it by type and text."""


class _Reader:
    """Gathers rules while it goes through the Ingresses, oldest first."""

    def __init__(self, services: Mapping[Key, Obj], shares: Mapping[str, tuple[tuple[str, int], ...]]) -> None:
        self._services = services
        self._shares = shares
        self._paths: dict[str, dict[tuple[str, str], Path]] = {}
        self._secrets: dict[str, Key] = {}
        self._backends: set[Backend] = set()
        self._complaints: list[Complaint] = []
        self._places: dict[Key, tuple[Obj, list[_Place]]] = {}
        self._canaries: dict[_Place, Key] = {}

    def rules(self) -> IngressRules:
        hosts = [
            Host(name, tuple(sorted(paths.values(), key=_rank)), self._secret_host(name) is not None)
            for name, paths in sorted(self._paths.items())
        ]
        complaints, backends = tuple(self._complaints), frozenset(self._backends)
        return IngressRules(tuple(hosts), backends, self._secrets, complaints, self._parts())

    def _parts(self) -> dict[Key, Part]:
        found = {}
        for key, (ingress, places) in self._places.items():
            paths = tuple((place[0], self._paths[place[0]][place[1]]) for place in dict.fromkeys(places))
            canaries = frozenset(self._canaries[place] for place in places if place in self._canaries) - {key}
            found[key] = Part(acknowledgement_of(ingress, canaries), paths, canaries)
        return found

    def _note(self, ingress: Obj, *places: _Place) -> None:
        """The Ingress has these places; one that has none and takes nothing has what it asks for, too."""
        self._places.setdefault(key_of(ingress), (ingress, []))[1].extend(places)

    def read(self, ingress: Obj) -> None:
        spec = ingress["spec"]
        for name in sorted(annotations_of(ingress)):
            if name.startswith(PREFIX) and name not in KNOWN:
                self._complain(ingress, "AnnotationIgnored", f"annotation {name} is not supported and has no effect")
        hosts = []
        for rule in spec.get("rules") or ():
            host = (rule.get("host") or "").lower()
            hosts.append(host)
            for path in (rule.get("http") or {}).get("paths") or ():
                self._add(ingress, host, path)
        if spec.get("defaultBackend"):
            for host in {"", *hosts} if hosts else {""}:
                self._add(ingress, host, {"path": "/", "pathType": "Prefix", "backend": spec["defaultBackend"]}, True)
        for entry in spec.get("tls") or ():
            if entry.get("secretName"):
                secret = Key(ingress["metadata"]["namespace"], entry["secretName"])
                for host in entry.get("hosts") or hosts:
                    self._secrets.setdefault(host.lower(), secret)

    def read_canary(self, ingress: Obj) -> None:
        """Attach to the paths that another Ingress has; a path of its own a canary never makes."""
        notes = annotations_of(ingress)
        found, faults = canary_of(notes, None)
        for fault in faults:
            self._complain(ingress, "InvalidCanary", fault)
        if not (found.weight or found.header or found.cookie):
            self._note(ingress)
        for rule in ingress["spec"].get("rules") or ():
            host = (rule.get("host") or "").lower()
            for entry in (rule.get("http") or {}).get("paths") or ():
                own = self._path(ingress, entry)
                path = self._paths.get(host, {}).get((own.type, own.path)) if own else None
                where = f"{host or '*'}{entry.get('path') or '/'}"
                if own is None or path is None:
                    self._complain(
                        ingress, "NoMainIngress", f"{where}: no other Ingress has this path, nothing to split"
                    )
                elif path.canary is not None:
                    self._complain(ingress, "PathTaken", f"{where}: an older canary has this path")
                else:
                    canary = canary_of(notes, own.cluster)[0]
                    self._paths[host][path.type, path.path] = replace(path, canary=canary)
                    place = (host, (path.type, path.path))
                    self._canaries[place] = key_of(ingress)
                    self._note(ingress, place)

    def _add(self, ingress: Obj, host: str, entry: Obj, last_resort: bool = False) -> None:
        paths = self._paths.setdefault(host, {})
        path = self._path(ingress, entry)
        if path is None:
            return
        taken = paths.setdefault((path.type, path.path), path)
        if taken == path:
            self._note(ingress, (host, (path.type, path.path)))
        elif not last_resort:
            self._complain(ingress, "PathTaken", f"{host or '*'}{path.path}: an older Ingress has this path")

    def _path(self, ingress: Obj, entry: Obj) -> Path | None:
        notes = annotations_of(ingress)
        text, path_type = entry.get("path") or "/", entry.get("pathType") or "ImplementationSpecific"
        target = notes.get(REWRITE, "")
        pattern = rewrite = ""
        if target or notes.get(USE_REGEX) == "true":
            pattern = full_pattern(text, exact=path_type == "Exact")
            fault = pattern_fault(pattern)
            if fault:
                self._complain(ingress, "InvalidPath", f"path {text!r} is no regular expression: {fault}")
                return None
            rewrite = substitution(target, re.compile(pattern).groups) if target else ""
        elif path_type == "Prefix":
            text = text.rstrip("/") or "/"
        backend, sticky = self._backend(ingress, entry["backend"])
        redirect = notes.get(REDIRECT, "true") != "false" or notes.get(FORCE_REDIRECT) == "true"
        cluster = backend.cluster if backend else None
        shares = self._shares.get(cluster or "", ())
        return Path(path_type, text, cluster, pattern, rewrite, redirect, sticky, shares=shares)

    def _backend(self, ingress: Obj, backend: Obj) -> tuple[Backend | None, bool]:
        named = backend.get("service") or {}
        key = Key(ingress["metadata"]["namespace"], named.get("name", ""))
        service = self._services.get(key)
        if service is None:
            self._complain(ingress, "ServiceNotFound", f"service {str(key)!r} does not exist")
            return None, False
        port = _find_port(service, named.get("port") or {})
        if port is None:
            self._complain(ingress, "PortNotFound", f"service {str(key)!r} has no such port: {named.get('port')}")
            return None, False
        protocol = annotations_of(ingress).get(PROTOCOL, "HTTP").upper()
        tls = protocol in {"HTTPS", "GRPCS"}
        name = cluster_name(key.namespace, key.name, port, tls=tls)
        found = Backend(key, str(port.get("name") or port["port"]), name, tls, protocol in {"GRPC", "GRPCS"})
        self._backends.add(found)
        return found, service["spec"].get("sessionAffinity") == "ClientIP"

    def _secret_host(self, host: str) -> str | None:
        if host in self._secrets:
            return host
        wildcard = "*." + host.split(".", 1)[1] if "." in host else ""
        return wildcard if wildcard in self._secrets else None

    def _complain(self, ingress: Obj, reason: str, message: str) -> None:
        self._complaints.append(complaint(ingress, INGRESS.name, INGRESS.api_version, reason, message))


def _find_port(service: Obj, wanted: Obj) -> Obj | None:
    ports: list[Obj] = service["spec"].get("ports") or []
    for port in ports:
        if wanted.get("name"):
            if port.get("name") == wanted["name"]:
                return port
        elif port["port"] == wanted.get("number"):
            return port
    return None


def _rank(path: Path) -> tuple[bool, int, bool, str]:
    """Exact paths first, then the longest; of equal length Exact before the others. Source: Ingress API, nginx."""
    plain_exact = path.type == "Exact" and not path.pattern
    return (not plain_exact, -len(path.path), path.type != "Exact", path.path)


def full_pattern(path: str, *, exact: bool = False) -> str:
    """A whole-path expression for what nginx matches with `~* "^<path>"`: any case, open at the end unless exact."""
    return f"(?i)(?:{path})" if exact else f"(?i)(?:{path}).*"


def pattern_fault(pattern: str) -> str:
    """Why RE2 would refuse the expression; empty when it would not (as far as one can tell without RE2)."""
    if found := _NOT_RE2.search(pattern):
        return f"{found[0]!r} is not supported"
    if any(int(number) > _MOST_REPETITIONS for number in _REPETITION.findall(pattern)):
        return f"more than {_MOST_REPETITIONS} repetitions are not supported"
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            re.compile(pattern)
    except re.error as error:
        return str(error)
    return ""


def substitution(target: str, groups: int) -> str:
    r"""nginx's rewrite target as RE2 writes it: `/$2` becomes `/\2`; groups that do not exist are empty."""
    escaped = target.replace("\\", r"\\")
    replaced = re.sub(r"\$(\d)", lambda m: f"\\{m[1]}" if int(m[1]) <= groups else "", escaped)
    return replaced if replaced.startswith("/") else f"/{replaced}"
