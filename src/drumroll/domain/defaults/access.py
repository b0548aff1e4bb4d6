"""Defaults of roles and bindings. Source: pkg/apis/rbac/v1/defaults.go."""

from drumroll.domain.defaults.pod import drop_zero
from drumroll.objects.meta import Obj

_GROUP = "rbac.authorization.k8s.io"


def set_role_defaults(role: Obj) -> None:
    """A role without rules says so; empty lists in rules are none."""
    role.setdefault("rules", None)
    for rule in role["rules"] or ():
        drop_zero(rule, ("apiGroups", "resources", "resourceNames", "nonResourceURLs"))


def set_binding_defaults(binding: Obj) -> None:
    """Roles, users and groups are of the RBAC group; ServiceAccounts of none."""
    drop_zero(binding, ("subjects",))
    reference = binding.setdefault("roleRef", {})
    if not reference.get("apiGroup"):
        reference["apiGroup"] = _GROUP
    for subject in binding.get("subjects") or ():
        drop_zero(subject, ("namespace", "apiGroup"))
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", _GROUP)
