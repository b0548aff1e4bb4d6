"""The filters of a rule or a backend, folded into one value."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from drumroll.domain.gateway.matches import HEADER_NAME
from drumroll.domain.gateway.model import NO_CHANGE, Cors, HeaderChange, Mirror, Pairs, PathChange, Redirect
from drumroll.domain.gateway.references import Fault, References, Referrer, Target
from drumroll.objects.meta import Obj

REDIRECT_CODES = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Filters:
    """What the filters of one list change. `refused` says why it cannot be done; then the rule has no effect.

    `is_broken`: a reference of a filter leads nowhere and its work must not be skipped: an error is answered.
    """

    request: HeaderChange = NO_CHANGE
    response: HeaderChange = NO_CHANGE
    redirect: Redirect | None = None
    host: str = ""
    path: PathChange | None = None
    mirrors: tuple[Mirror, ...] = ()
    targets: tuple[Target, ...] = ()
    cors: Cors | None = None
    refused: str = ""
    faults: tuple[Fault, ...] = ()
    is_broken: bool = False


def read_filters(filters: Iterable[Obj], who: Referrer, references: References, *, http2: bool = False) -> Filters:
    """All filters together, in their order."""
    found = Filters()
    for entry in filters or ():
        match entry.get("type"):
            case "RequestHeaderModifier":
                found = _modify(found, "request", entry.get("requestHeaderModifier") or {})
            case "ResponseHeaderModifier":
                found = _modify(found, "response", entry.get("responseHeaderModifier") or {})
            case "RequestRedirect":
                found = _redirect(found, entry.get("requestRedirect") or {})
            case "URLRewrite":
                rewrite = entry.get("urlRewrite") or {}
                found = replace(found, host=rewrite.get("hostname") or "", path=_path(rewrite.get("path")))
            case "RequestMirror":
                found = _mirror(found, entry.get("requestMirror") or {}, references, who, http2=http2)
            case "CORS":
                found = replace(found, cors=_cors(entry.get("cors") or {}))
            case "ExtensionRef":
                found = _extension(found, entry.get("extensionRef") or {})
            case other:
                found = _refuse(found, f"filter type {other!r} is not known")
    if found.redirect is not None and (found.host or found.path):
        found = _refuse(found, "RequestRedirect and URLRewrite exclude each other")
    return found


def _refuse(found: Filters, why: str) -> Filters:
    return found if found.refused else replace(found, refused=why)


def _modify(found: Filters, side: str, spec: Obj) -> Filters:
    sets, adds = _pairs(spec.get("set")), _pairs(spec.get("add"))
    removes = tuple(str(name) for name in spec.get("remove") or ())
    for name in (*(name for name, _ in (*sets, *adds)), *removes):
        if not HEADER_NAME.fullmatch(name):
            return _refuse(found, f"{name!r} is no header name")
        if side == "request" and name.lower() == "host":
            return _refuse(found, "the Host header is changed by URLRewrite's hostname, not by a header modifier")
    known: HeaderChange = getattr(found, side)
    change = HeaderChange(known.set + sets, known.add + adds, known.remove + removes)
    return replace(found, request=change) if side == "request" else replace(found, response=change)


def _pairs(entries: Iterable[Obj] | None) -> Pairs:
    """The first of equal names counts, in whatever case."""
    found: dict[str, tuple[str, str]] = {}
    for entry in entries or ():
        found.setdefault(str(entry["name"]).lower(), (str(entry["name"]), str(entry.get("value") or "")))
    return tuple(found.values())


def _path(spec: Obj | None) -> PathChange | None:
    if not spec:
        return None
    if spec.get("type") == "ReplaceFullPath":
        return PathChange("Full", spec.get("replaceFullPath") or "/")
    return PathChange("Prefix", spec.get("replacePrefixMatch") or "")


def _redirect(found: Filters, spec: Obj) -> Filters:
    status = spec.get("statusCode") or 302
    if status not in REDIRECT_CODES:
        return _refuse(found, f"statusCode {status} is none of {', '.join(map(str, sorted(REDIRECT_CODES)))}")
    scheme = spec.get("scheme") or ""
    if scheme not in {"", "http", "https"}:
        return _refuse(found, f"scheme {scheme!r} is neither http nor https")
    redirect = Redirect(scheme, spec.get("hostname") or "", spec.get("port") or 0, _path(spec.get("path")), status)
    return replace(found, redirect=redirect)


def _mirror(found: Filters, spec: Obj, references: References, who: Referrer, *, http2: bool) -> Filters:
    target = references.find(who, spec.get("backendRef") or {}, http2=http2)
    if isinstance(target, Fault):
        return replace(found, faults=(*found.faults, target))
    fraction = spec.get("fraction") or {}
    if fraction and spec.get("percent") is not None:
        return _refuse(found, "a RequestMirror has a percent or a fraction, not both")
    denominator = fraction.get("denominator") or 100
    numerator = fraction.get("numerator", 0) if fraction else spec.get("percent", 100)
    if not 0 <= numerator <= denominator:
        return _refuse(found, f"{numerator} of {denominator} requests cannot be mirrored")
    mirror = Mirror(target.cluster, numerator, denominator)
    return replace(found, mirrors=(*found.mirrors, mirror), targets=(*found.targets, target))


def _cors(spec: Obj) -> Cors:
    def names(field: str) -> tuple[str, ...]:
        return tuple(str(name) for name in spec.get(field) or ())

    return Cors(
        names("allowOrigins"),
        names("allowMethods"),
        names("allowHeaders"),
        names("exposeHeaders"),
        spec.get("maxAge") or 5,
        bool(spec.get("allowCredentials")),
    )


def _extension(found: Filters, spec: Obj) -> Filters:
    kind, group = spec.get("kind") or "", spec.get("group") or "core"
    text = f"no filters of kind {group}/{kind} are known: requests of its rule are answered with 500"
    return replace(found, faults=(*found.faults, Fault("InvalidKind", text)), is_broken=True)
