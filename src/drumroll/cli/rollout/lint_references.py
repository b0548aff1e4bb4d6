"""What is wrong with objects together: what they refer to is missing, or does not fit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from drumroll.domain.rollout.analysis_references import asked_analyses
from drumroll.domain.rollout.ping_pong import names_of
from drumroll.domain.rollout.references import gateway_config, references_of, service_fields
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.kinds import DEPLOYMENT, HTTP_ROUTE, INGRESS, SERVICE, Kind
from drumroll.objects.meta import Obj

ERROR, WARNING = "error", "warning"
_TEMPLATE_KINDS = {False: "AnalysisTemplate", True: "ClusterAnalysisTemplate"}


@dataclass(frozen=True, slots=True)
class Document:
    """An object and the file that it stands in."""

    file: str
    obj: Obj


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: an error is refused or never works, a warning may be meant so."""

    level: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.level}: {self.text}"


def named(document: Document) -> str:
    """`shop.yaml: Rollout/web`."""
    metadata = document.obj.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{document.file}: {document.obj.get('kind', '?')}/{name or '?'}"


class _Known:
    """Objects by kind and name; those without a namespace stand for any."""

    def __init__(self, sound: Iterable[Document], documents: Iterable[Document]) -> None:
        self._found = {_key(document.obj): document.obj for document in sound}
        self._there = {_key(document.obj) for document in documents}

    def get(self, kind: str, name: str) -> Obj | None:
        """A sound one."""
        return self._found.get((kind, name))

    def has(self, kind: str, name: str) -> bool:
        """Whether there is one, sound or not."""
        return (kind, name) in self._there


def _key(obj: Obj) -> tuple[str, str]:
    metadata = obj.get("metadata")
    return str(obj.get("kind")), str(metadata.get("name") if isinstance(metadata, dict) else "")


def references(sound: Sequence[Document], documents: Sequence[Document]) -> Iterator[Finding]:
    """What does not fit together, seen from each sound Rollout and route."""
    known = _Known(sound, documents)
    for document in sound:
        look = _LOOKS.get(document.obj["kind"])
        for level, text in look(document.obj, known) if look else ():
            yield Finding(level, named(document), text)


def _of_rollout(obj: Obj, known: _Known) -> Iterator[tuple[str, str]]:
    rollout = Rollout({**obj, "metadata": {"namespace": "default", **obj["metadata"]}})
    found = references_of(rollout.raw)
    for kind in (SERVICE, INGRESS, DEPLOYMENT, HTTP_ROUTE):
        for key in sorted(found.names.get(kind, ()), key=lambda one: one.name):
            if not known.has(kind.name, key.name) and not _is_made(kind, key.name, rollout):
                yield WARNING, f'{kind.name} "{key.name}" is in none of these files'
    yield from _selectors(obj, known)
    yield from _routes(rollout, known)
    yield from _analyses(rollout, known)


def _is_made(kind: Kind, name: str, rollout: Rollout) -> bool:
    """Canary Ingresses are made by the controller."""
    return kind is INGRESS and name.startswith(f"{rollout.name}-") and name.endswith("-canary")


def _selectors(obj: Obj, known: _Known) -> Iterator[tuple[str, str]]:
    spec = obj.get("spec") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if "template" not in spec:
        return
    for field, name in _services(spec):
        service = known.get("Service", name)
        wanted = ((service or {}).get("spec") or {}).get("selector") or {}
        if missing := {key: value for key, value in wanted.items() if labels.get(key) != value}:
            pairs = ", ".join(f"{key}={value}" for key, value in missing.items())
            yield ERROR, f'{field}: Service "{name}" selects {pairs}, which no pod of the template has'


def _services(spec: Obj) -> Iterator[tuple[str, str]]:
    strategy = spec.get("strategy") or {}
    for kind in ("canary", "blueGreen"):
        for field, name in service_fields(strategy.get(kind) or {}).items():
            yield f"spec.strategy.{kind}.{field}", name


def _routes(rollout: Rollout, known: _Known) -> Iterator[tuple[str, str]]:
    """A route whose weights are to be set has a rule with both Services."""
    pair = names_of(rollout, {})
    both = {pair.canary, pair.stable}
    config = gateway_config(rollout)
    names = [config.get("httpRoute"), *(one.get("name") for one in config.get("httpRoutes") or ())]
    for name in filter(None, names):
        route = known.get("HTTPRoute", name)
        if route is None:
            continue
        rules = (route.get("spec") or {}).get("rules") or ()
        backends = [{one.get("name") for one in rule.get("backendRefs") or ()} for rule in rules]
        if not any(both <= those for those in backends):
            services = " and ".join(f'"{one}"' for one in sorted(filter(None, both)))
            yield ERROR, f'HTTPRoute "{name}" has no rule with both {services} among its backendRefs'


def _analyses(rollout: Rollout, known: _Known) -> Iterator[tuple[str, str]]:
    for path, analysis in asked_analyses(rollout.raw.get("spec") or {}):
        given = {one.get("name") for one in analysis.get("args") or ()}
        for reference in analysis.get("templates") or ():
            kind = _TEMPLATE_KINDS[bool(reference.get("clusterScope"))]
            name = reference.get("templateName") or ""
            template = known.get(kind, name)
            if not known.has(kind, name):
                yield WARNING, f'{path}: {kind} "{name}" is in none of these files'
            for argument in ((template or {}).get("spec") or {}).get("args") or ():
                has_value = "value" in argument or "valueFrom" in argument
                if not has_value and argument.get("name") not in given:
                    yield ERROR, f'{path}: {kind} "{name}" needs the argument "{argument.get("name")}"'


def _of_route(obj: Obj, known: _Known) -> Iterator[tuple[str, str]]:
    """What an HTTPRoute or GRPCRoute names; whatever lies in another namespace may well lie in another file."""
    spec = obj.get("spec") or {}
    named_there = [("parentRefs", one) for one in spec.get("parentRefs") or ()]
    for rule in spec.get("rules") or ():
        named_there += [("backendRefs", one) for one in rule.get("backendRefs") or ()]
    told: set[tuple[str, str]] = set()
    for field, one in named_there:
        kind, name = one.get("kind", ""), one.get("name", "")
        if kind in ("Gateway", "Service") and not one.get("namespace") and not known.has(kind, name):
            if (kind, name) not in told:
                yield WARNING, f'{field}: {kind} "{name}" is in none of these files'
            told.add((kind, name))


_LOOKS: dict[str, Callable[[Obj, _Known], Iterator[tuple[str, str]]]] = {
    "Rollout": _of_rollout,
    "HTTPRoute": _of_route,
    "GRPCRoute": _of_route,
}
