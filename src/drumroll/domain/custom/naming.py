"""The conditions of a definition: are its names free, is its kind served, does it go.

Source: apiextensions pkg/controller/{status/naming_controller,establish,apiapproval,finalizer}.go.
"""

from collections.abc import Iterable

from drumroll.domain.custom.names import APPROVAL, is_protected
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_FIELDS = ("plural", "singular", "shortNames", "kind", "listKind", "categories")


def condition(kind: str, status: str, reason: str, message: str) -> Obj:
    """A condition without its time."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


def accept_names(crd: Obj, others: Iterable[Kind]) -> tuple[Obj, list[Obj]]:
    """The names that a definition gets beside all `others` of its group, and the conditions that say so."""
    wanted = crd["spec"]["names"]
    given = (crd.get("status") or {}).get("acceptedNames") or {}
    resources, kinds = _taken(others)
    accepted = {name: given[name] for name in _FIELDS if name in given}
    problems = []
    for field, reason in (("plural", "PluralConflict"), ("singular", "SingularConflict")):
        if wanted.get(field) in resources:
            problems.append((reason, f'"{wanted[field]}" is already in use'))
        elif wanted.get(field):
            accepted[field] = wanted[field]
    clashing = [short for short in wanted.get("shortNames") or () if short in resources]
    if clashing:
        problems.append(("ShortNamesConflict", f'"{clashing[0]}" is already in use'))
    else:
        _put(accepted, "shortNames", wanted.get("shortNames"))
    for field, reason in (("kind", "KindConflict"), ("listKind", "ListKindConflict")):
        if wanted.get(field) in kinds:
            problems.append((reason, f'"{wanted[field]}" is already in use'))
        elif wanted.get(field):
            accepted[field] = wanted[field]
    _put(accepted, "categories", wanted.get("categories"))
    accepted.setdefault("plural", "")
    accepted.setdefault("kind", "")
    return {name: accepted[name] for name in _FIELDS if name in accepted}, _conditions(crd, problems)


def _put(names: Obj, field: str, value: object) -> None:
    if value:
        names[field] = value
    else:
        names.pop(field, None)


def _taken(others: Iterable[Kind]) -> tuple[set[str], set[str]]:
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        resources |= {other.plural, other.singular, *other.short_names}
        kinds |= {other.name, f"{other.name}List"}
    return resources, kinds


def _conditions(crd: Obj, problems: list[tuple[str, str]]) -> list[Obj]:
    if problems:
        reason, message = problems[0]
        found = [condition("NamesAccepted", "False", reason, message)]
        if not _has(crd, "Established", "True"):
            found.append(condition("Established", "False", "NotAccepted", "not all names are accepted"))
    else:
        found = [condition("NamesAccepted", "True", "NoConflicts", "no conflicts found")]
        if not _has(crd, "Established", "True"):
            text = "the initial names have been accepted"
            found.append(condition("Established", "False", "Installing", text))
    group = crd["spec"]["group"]
    if is_protected(group):
        found.append(_approval((crd["metadata"].get("annotations") or {}).get(APPROVAL) or ""))
    return found


def _approval(approval: str) -> Obj:
    name = "KubernetesAPIApprovalPolicyConformant"
    if approval.startswith(("https://", "http://")):
        return condition(name, "True", "ApprovedAnnotation", f"approved in {approval}")
    text = f'protected groups must have approval annotation "{APPROVAL}", not "{approval}"'
    return condition(name, "False", "UnapprovedAnnotation", text)


ESTABLISHED = condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
GOING_SOON = condition(
    "Terminating", "True", "InstanceDeletionPending",
    "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
)  # fmt: skip
GOING = condition("Terminating", "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
GONE = condition("Terminating", "False", "InstanceDeletionCompleted", "removed all instances")


def is_installing(crd: Obj) -> bool:
    """Whether the names are accepted and the kind is only to be declared established."""
    return _has(crd, "NamesAccepted", "True") and not _has(crd, "Established", "True")


def _has(crd: Obj, kind: str, status: str) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(one["type"] == kind and one["status"] == status for one in conditions)


def with_conditions(crd: Obj, conditions: Iterable[Obj], moment: str) -> Obj:
    """The definition with these conditions; a condition keeps its time while its status stays."""
    status = crd.get("status") or {}
    found = {one["type"]: one for one in status.get("conditions") or ()}
    for new in conditions:
        before = found.get(new["type"])
        since = before["lastTransitionTime"] if before and before["status"] == new["status"] else moment
        found[new["type"]] = {
            "type": new["type"],
            "status": new["status"],
            "lastTransitionTime": since,
            "reason": new["reason"],
            "message": new["message"],
        }
    return {**crd, "status": {**status, "conditions": list(found.values())}}


def doom(crd: Obj, moment: str) -> None:
    """Hold a definition that is deleted, in place, until its instances are gone."""
    finalizers = crd["metadata"].get("finalizers") or []
    if CLEANUP not in finalizers:
        crd["metadata"]["finalizers"] = [*finalizers, CLEANUP]
    crd.update(with_conditions(crd, [GOING_SOON], moment))
