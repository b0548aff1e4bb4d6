"""How roles and bindings are printed. ServiceAccounts show name and age only since 1.36, as everything else."""

from collections.abc import Mapping
from datetime import datetime

from drumroll.apiserver.tables_cells import AGE, NAME, Cell, Column, Printer, age
from drumroll.objects.meta import Obj

_ROLE_COLUMNS = (NAME, Column("Created At", "When the role was created."))
_BINDING_COLUMNS = (
    NAME,
    Column("Role", "What is granted."),
    AGE,
    Column("Users", "Users to whom it is granted.", wide=True),
    Column("Groups", "Groups to whom it is granted.", wide=True),
    Column("ServiceAccounts", "ServiceAccounts to whom it is granted.", wide=True),
)


def _role(role: Obj, now: datetime) -> list[Cell]:
    return [role["metadata"]["name"], role["metadata"].get("creationTimestamp") or ""]


def _binding(binding: Obj, now: datetime) -> list[Cell]:
    subjects, reference = binding.get("subjects") or (), binding.get("roleRef") or {}
    named: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in subjects:
        kind, name = subject.get("kind") or "", subject.get("name") or ""
        if kind in named:
            named[kind].append(f"{subject.get('namespace') or ''}/{name}" if kind == "ServiceAccount" else name)
    return [
        binding["metadata"]["name"],
        f"{reference.get('kind') or ''}/{reference.get('name') or ''}",
        age(binding, now),
        ", ".join(named["User"]),
        ", ".join(named["Group"]),
        ", ".join(named["ServiceAccount"]),
    ]


ACCESS_PRINTERS: Mapping[tuple[str, str], Printer] = {
    ("rbac.authorization.k8s.io", "Role"): Printer(_ROLE_COLUMNS, _role),
    ("rbac.authorization.k8s.io", "ClusterRole"): Printer(_ROLE_COLUMNS, _role),
    ("rbac.authorization.k8s.io", "RoleBinding"): Printer(_BINDING_COLUMNS, _binding),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): Printer(_BINDING_COLUMNS, _binding),
}
