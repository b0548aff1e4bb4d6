"""Defaults of CustomResourceDefinitions, and what a write of one may not touch.

Source: apiextensions pkg/apis/apiextensions/v1/defaults.go, pkg/registry/customresourcedefinition/strategy.go.
"""

from drumroll.objects.meta import Obj

APPROVAL = "api-approved.kubernetes.io"


def set_definition_defaults(crd: Obj) -> None:
    """Fill in, in place: singular and list names, the conversion strategy."""
    spec = crd.setdefault("spec", {})
    if not spec.get("scope"):
        spec["scope"] = "Namespaced"
    _name_defaults(spec.setdefault("names", {}))
    conversion = spec.setdefault("conversion", {})
    if not conversion.get("strategy"):
        conversion["strategy"] = "None"
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)
    for version in spec.get("versions") or ():
        version.setdefault("served", False)
        version.setdefault("storage", False)


def _name_defaults(names: Obj) -> None:
    kind = names.get("kind") or ""
    if kind:
        names["singular"] = names.get("singular") or kind.lower()
        names["listKind"] = names.get("listKind") or f"{kind}List"


def prepare_definition_create(crd: Obj) -> None:
    """Start, in place, with a status that only names the stored version."""
    stored = storage_versions(crd)
    crd["status"] = {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": stored[:1] or None,
    }


def prepare_definition_update(crd: Obj) -> None:
    """Note, in place, a new stored version."""
    status = crd.get("status") or {}
    stored = status.get("storedVersions") or []
    new = [name for name in storage_versions(crd) if name not in stored]
    crd["status"] = {**status, "storedVersions": [*stored, *new] or None}


def storage_versions(crd: Obj) -> list[str]:
    """The names of the versions that a definition marks as stored: one, in a valid one."""
    return [version.get("name") or "" for version in crd["spec"].get("versions") or () if version.get("storage")]


def is_protected(group: str) -> bool:
    """Whether a group belongs to the Kubernetes project itself."""
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))
