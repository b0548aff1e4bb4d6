"""Kinds that users define: what a CustomResourceDefinition says of each version that it serves.

A `CustomKind` is a `Kind` like any other for routes, keys and messages; whoever needs more asks `definition`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from drumroll.objects.kinds import STORED_AS, Kind
from drumroll.objects.meta import Obj

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
RULES = "x-kubernetes-validations"
LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"
MAP_TYPE = "x-kubernetes-map-type"
TEMPLATES = "drumroll.dev/pod-templates"
"""The annotation of a definition that says where its objects have pods' templates: `spec.template`, `spec.all[].it`."""


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """One version of a definition.

    `stored` is the version in which objects are stored. Objects written at a revision above `since` were pruned and
    defaulted by this very schema. `derived` is room for what is made of the schema once. `templates` are the paths of
    pods' templates that the schema leaves open: their fields are those of the server's own kinds.
    """

    schema: Obj
    stored: str
    since: int = 0
    has_status: bool = False
    scale: Obj | None = None
    columns: tuple[Obj, ...] = ()
    selectable: tuple[str, ...] = ()
    warning: str = ""
    list_name: str = ""
    is_going: bool = False
    templates: tuple[str, ...] = ()
    derived: dict[str, Any] = field(default_factory=dict)


_NONE = Definition({PRESERVE: True}, "v1")


@dataclass(frozen=True, slots=True)
class CustomKind(Kind):
    """A kind from a definition. Two are equal when their names are."""

    definition: Definition = field(default=_NONE, compare=False, repr=False)


def stored_kind(kind: Kind) -> Kind:
    """The kind as which objects of `kind` are stored."""
    if isinstance(kind, CustomKind):
        stored = kind.definition.stored
        return kind if kind.version == stored else replace(kind, version=stored)
    return STORED_AS.get(kind, kind)


def is_accepted(crd: Obj) -> bool:
    """Whether the names of a definition were accepted: from then on its kind is served."""
    return any(
        condition.get("type") == "NamesAccepted" and condition.get("status") == "True"
        for condition in (crd.get("status") or {}).get("conditions") or ()
    )


def kinds_of(crd: Obj, since: int = 0) -> Iterator[CustomKind]:
    """The kinds that a stored definition asks to serve, one per served version, the preferred version first."""
    spec = crd["spec"]
    names = (crd.get("status") or {}).get("acceptedNames") or spec["names"]
    versions = spec["versions"]
    stored = next(version["name"] for version in versions if version["storage"])
    going = bool(crd["metadata"].get("deletionTimestamp"))
    for version in sorted(versions, key=lambda one: version_rank(one["name"]), reverse=True):
        if version["served"]:
            definition = _definition(version, crd, stored, since, going=going)
            yield CustomKind(
                spec["group"],
                version["name"],
                names["kind"],
                names["plural"],
                names.get("singular") or names["kind"].lower(),
                spec["scope"] == "Namespaced",
                tuple(names.get("shortNames") or ()),
                tuple(names.get("categories") or ()),
                tuple(name for name in ("scale", "status") if name in (version.get("subresources") or {})),
                generation=True,
                definition=definition,
            )


def _definition(version: Obj, crd: Obj, stored: str, since: int, *, going: bool) -> Definition:
    subresources = version.get("subresources") or {}
    names, group = crd["spec"]["names"], crd["spec"]["group"]
    warning = ""
    if version.get("deprecated"):
        plain = f"{group}/{version['name']} {names['kind']} is deprecated"
        warning = version.get("deprecationWarning") or plain
    return Definition(
        (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object", PRESERVE: True},
        stored,
        since,
        "status" in subresources,
        subresources.get("scale"),
        tuple(version.get("additionalPrinterColumns") or ()),
        tuple(one["jsonPath"] for one in version.get("selectableFields") or ()),
        warning,
        names.get("listKind") or f"{names['kind']}List",
        going,
        tuple(((crd["metadata"].get("annotations") or {}).get(TEMPLATES) or "").split()),
    )


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Sorts v2 above v1 above v1beta1 above v1alpha1 above other names. Source: apimachinery pkg/version/helpers.go."""
    import re

    match = re.fullmatch(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?", version)
    if match is None:
        return (-1, 0, 0, "".join(chr(0x10FFFF - ord(char)) for char in version))
    stability = {"alpha": 0, "beta": 1}.get(match[2] or "", 2)
    return (stability, int(match[1]), int(match[3] or 0), "")
