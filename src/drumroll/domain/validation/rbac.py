"""Rules for roles and their bindings. Source: pkg/apis/rbac/validation/validation.go."""

from drumroll.domain.rbac import GROUP
from drumroll.domain.validation.field import Errors, in_words_of_go, invalid, required, unsupported
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update, validate_selector
from drumroll.domain.validation.names import Faults, path_segment_faults, subdomain_faults
from drumroll.objects.meta import Obj

_BOTH = "rules cannot apply to both regular resources and non-resource URLs"
_NO_PATHS = "namespaced rules cannot apply to non-resource URLs"


def validate_role(role: Obj) -> Errors:
    """The rules for a Role."""
    yield from validate_metadata(role["metadata"], namespaced=True, name_faults=path_segment_faults)
    yield from _validate_rules(role, namespaced=True)


def validate_cluster_role(role: Obj) -> Errors:
    """The rules for a ClusterRole."""
    yield from validate_metadata(role["metadata"], namespaced=False, name_faults=path_segment_faults)
    yield from _validate_rules(role, namespaced=False)
    aggregation = role.get("aggregationRule")
    if aggregation is not None and not aggregation.get("clusterRoleSelectors"):
        needed = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        yield required("aggregationRule.clusterRoleSelectors", needed)
    for index, selector in enumerate((aggregation or {}).get("clusterRoleSelectors") or ()):
        yield from validate_selector(selector, f"aggregationRule.clusterRoleSelectors[{index}]")


def _validate_rules(role: Obj, *, namespaced: bool) -> Errors:
    for index, rule in enumerate(role.get("rules") or ()):
        yield from _validate_rule(rule, f"rules[{index}]", namespaced)


def _validate_rule(rule: Obj, path: str, namespaced: bool) -> Errors:
    if not rule.get("verbs"):
        yield required(f"{path}.verbs", "verbs must contain at least one value")
    groups, resources, names = (rule.get(field) for field in ("apiGroups", "resources", "resourceNames"))
    if paths := rule.get("nonResourceURLs"):
        if namespaced:
            yield invalid(f"{path}.nonResourceURLs", paths, _NO_PATHS)
        if groups or resources or names:
            yield invalid(f"{path}.nonResourceURLs", paths, _BOTH)
        return
    if not groups:
        yield required(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not resources:
        yield required(f"{path}.resources", "resource rules must supply at least one resource")


def validate_role_binding(binding: Obj) -> Errors:
    """The rules for a RoleBinding."""
    yield from validate_metadata(binding["metadata"], namespaced=True, name_faults=path_segment_faults)
    yield from _validate_binding(binding, ("Role", "ClusterRole"), namespaced=True)


def validate_cluster_role_binding(binding: Obj) -> Errors:
    """The rules for a ClusterRoleBinding."""
    yield from validate_metadata(binding["metadata"], namespaced=False, name_faults=path_segment_faults)
    yield from _validate_binding(binding, ("ClusterRole",), namespaced=False)


def validate_role_binding_update(new: Obj, old: Obj) -> Errors:
    """What a binding binds to may not change."""
    yield from validate_role_binding(new)
    yield from _validate_same_role(new, old)


def validate_cluster_role_binding_update(new: Obj, old: Obj) -> Errors:
    """What a binding binds to may not change."""
    yield from validate_cluster_role_binding(new)
    yield from _validate_same_role(new, old)


def _validate_same_role(new: Obj, old: Obj) -> Errors:
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    if new.get("roleRef") != old.get("roleRef"):
        shown = in_words_of_go(new.get("roleRef") or {}, "aPIGroup", "kind", "name") or {}
        shown["APIGroup"] = (new.get("roleRef") or {}).get("apiGroup") or ""
        yield invalid("roleRef", shown, "cannot change roleRef")


def _validate_binding(binding: Obj, kinds: tuple[str, ...], *, namespaced: bool) -> Errors:
    reference = binding.get("roleRef") or {}
    if reference.get("apiGroup") != GROUP:
        yield unsupported("roleRef.apiGroup", reference.get("apiGroup") or "", (GROUP,))
    if reference.get("kind") not in kinds:
        yield unsupported("roleRef.kind", reference.get("kind") or "", kinds)
    if not reference.get("name"):
        yield required("roleRef.name")
    else:
        for fault in path_segment_faults(reference["name"]):
            yield invalid("roleRef.name", reference["name"], fault)
    for index, subject in enumerate(binding.get("subjects") or ()):
        yield from _validate_subject(subject, f"subjects[{index}]", namespaced)


def _validate_subject(subject: Obj, path: str, namespaced: bool) -> Errors:
    kind, name, group = (subject.get(field) or "" for field in ("kind", "name", "apiGroup"))
    if not name:
        yield required(f"{path}.name")
    match kind:
        case "ServiceAccount":
            for fault in _account_faults(name):
                yield invalid(f"{path}.name", name, fault)
            if group:
                yield unsupported(f"{path}.apiGroup", group, ("",))
            if not namespaced and not subject.get("namespace"):
                yield required(f"{path}.namespace")
        case "User" | "Group":
            if not name:
                yield invalid(f"{path}.name", name, f"{kind.lower()} name cannot be empty")
            if group != GROUP:
                yield unsupported(f"{path}.apiGroup", group, (GROUP,))
        case _:
            yield unsupported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"))


def _account_faults(name: str) -> Faults:
    return subdomain_faults(name) if name else ()
