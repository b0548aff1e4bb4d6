"""Who may do what: the decision from roles and bindings, as facts that were looked up before.

Source: kubernetes plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go,
component-helpers/auth/rbac/validation/policy_compact.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from drumroll.objects.meta import Obj
from drumroll.objects.wire import User

GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
ACCOUNT_PREFIX = "system:serviceaccount:"
ALL = "*"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What somebody wants to do: with a resource, or (when `path` is set) with a path outside of all resources."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """`pods`, or `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Rule:
    """A PolicyRule. One with paths is about paths alone."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def allows(self, asked: Attributes) -> bool:
        """Whether this rule alone is enough."""
        if ALL not in self.verbs and asked.verb not in self.verbs:
            return False
        if asked.path:
            return any(_path_matches(path, asked.path) for path in self.paths)
        return (
            (ALL in self.groups or asked.group in self.groups)
            and any(_resource_matches(resource, asked) for resource in self.resources)
            and (not self.names or asked.name in self.names)
        )

    def __str__(self) -> str:
        """As the original words a rule in the refusal of an escalation."""
        shown = (
            ("APIGroups", self.groups),
            ("Resources", self.resources),
            ("ResourceNames", self.names),
            ("NonResourceURLs", self.paths),
            ("Verbs", self.verbs),
        )
        return "{" + ", ".join(f"{name}:[{_quoted(values)}]" for name, values in shown if values) + "}"


def _quoted(values: Iterable[str]) -> str:
    return " ".join(f'"{value}"' for value in values)


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in (ALL, path) or (pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL)))


def _resource_matches(pattern: str, asked: Attributes) -> bool:
    if pattern in (ALL, asked.full_resource):
        return True
    return bool(asked.subresource) and pattern == f"{ALL}/{asked.subresource}"


def rules_of(role: Obj) -> tuple[Rule, ...]:
    """The rules of a Role or ClusterRole."""
    return tuple(rule_of(rule) for rule in role.get("rules") or ())


def rule_of(rule: Obj) -> Rule:
    """A PolicyRule of the API as a value that can be compared."""
    fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
    return Rule(*(tuple(rule.get(field) or ()) for field in fields))


def matching_subject(binding: Obj, user: User) -> Obj | None:
    """The first subject of a binding that is this user, a group of theirs, or the ServiceAccount that they are."""
    namespace = binding["metadata"].get("namespace") or ""
    return next((s for s in binding.get("subjects") or () if _is_subject(s, user, namespace)), None)


def _is_subject(subject: Obj, user: User, namespace: str) -> bool:
    name = subject.get("name") or ""
    match subject.get("kind"):
        case "User":
            return user.name == name
        case "Group":
            return name in user.groups
        case "ServiceAccount":
            home = subject.get("namespace") or namespace
            return bool(home) and user.name == account_name(home, name)
        case _:
            return False


def account_name(namespace: str, name: str) -> str:
    """The user that a ServiceAccount is."""
    return f"{ACCOUNT_PREFIX}{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, ...]:
    """The groups that every ServiceAccount of a namespace is in."""
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")


def account_of(user_name: str) -> tuple[str, str] | None:
    """Namespace and name of the ServiceAccount that a user is; None for others."""
    if not user_name.startswith(ACCOUNT_PREFIX):
        return None
    namespace, _, name = user_name.removeprefix(ACCOUNT_PREFIX).partition(":")
    return (namespace, name) if namespace and name and ":" not in name else None


def why_allowed(binding: Obj, subject: Obj) -> str:
    """The reason that the original gives for what a binding allows."""
    meta, reference = binding["metadata"], binding["roleRef"]
    shown = f"{meta['name']}/{meta['namespace']}" if meta.get("namespace") else meta["name"]
    who = f'{subject["kind"]} "{subject["name"]}"'
    if subject["kind"] == "ServiceAccount":
        home = subject.get("namespace") or meta.get("namespace") or ""
        who = f'ServiceAccount "{subject["name"]}/{home}"'
    return f'RBAC: allowed by {binding["kind"]} "{shown}" of {reference["kind"]} "{reference["name"]}" to {who}'


def uncovered(owned: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """What of `wanted` the rules in `owned` do not give, each a rule of one verb and one thing, in a stable order.

    Source: component-helpers/auth/rbac/validation/policy_compact.go and rule.go (Covers, BreakdownRule).
    """
    pieces = dict.fromkeys(piece for rule in wanted for piece in _pieces(rule))
    return [piece for piece in pieces if not any(_covers(rule, piece) for rule in owned)]


def _pieces(rule: Rule) -> Iterable[Rule]:
    for verb in rule.verbs:
        for group in rule.groups:
            for resource in rule.resources:
                for name in rule.names:
                    yield Rule((verb,), (group,), (resource,), (name,))
                if not rule.names:
                    yield Rule((verb,), (group,), (resource,))
        for path in rule.paths:
            yield Rule((verb,), paths=(path,))


def _covers(owner: Rule, piece: Rule) -> bool:
    verb = piece.verbs[0]
    if ALL not in owner.verbs and verb not in owner.verbs:
        return False
    if piece.paths:
        return any(_path_matches(path, piece.paths[0]) for path in owner.paths)
    if ALL not in owner.groups and piece.groups[0] not in owner.groups:
        return False
    resource = piece.resources[0]
    _, slash, subresource = resource.partition("/")
    if not ({ALL, resource} & set(owner.resources) or (slash and f"{ALL}/{subresource}" in owner.resources)):
        return False
    return not owner.names or (bool(piece.names) and piece.names[0] in owner.names)


def compact(rules: Iterable[Rule]) -> list[Rule]:
    """Rules that differ in nothing but their verbs made one: the summary that `auth can-i --list` prints."""
    merged: dict[tuple[Any, ...], list[str]] = {}
    for rule in rules:
        verbs = merged.setdefault((rule.groups, rule.resources, rule.names, rule.paths), [])
        verbs.extend(verb for verb in rule.verbs if verb not in verbs)
    return [Rule(tuple(verbs), *rest) for rest, verbs in merged.items()]


def refusal(user: User, asked: Attributes) -> str:
    """The original's words for what a user may not do."""
    if asked.path:
        return f'User "{user.name}" cannot {asked.verb} path "{asked.path}"'
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return (
        f'User "{user.name}" cannot {asked.verb} resource "{asked.full_resource}" in API group "{asked.group}" {where}'
    )


def escalation_refusal(user: User, missing: Sequence[Rule]) -> str:
    """The original's words when somebody gives rights away that they do not have."""
    groups = " ".join(f'"{group}"' for group in user.groups)
    listed = "\n".join(str(rule) for rule in missing)
    return (
        f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{listed}'
    )


def aggregated(selectors: Iterable[Obj], roles: Iterable[Obj], name: str) -> list[Obj]:
    """The rules of the ClusterRoles that any selector selects by labels, less doubles, in the roles' name order.

    Source: kubernetes pkg/controller/clusterroleaggregation.
    """
    from drumroll.objects.selectors import from_object

    compiled = [from_object(selector) for selector in selectors]
    found: list[Obj] = []
    for role in sorted(roles, key=lambda role: str(role["metadata"]["name"])):
        labels = role["metadata"].get("labels") or {}
        if role["metadata"]["name"] == name or not any(selector.matches(labels) for selector in compiled):
            continue
        found.extend(rule for rule in role.get("rules") or () if rule not in found)
    return found
