"""Whether somebody may: RBAC over the stored roles and bindings, decoded once and again when one of them changes."""

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from drumroll.apiserver import codec
from drumroll.apiserver.routing import Target
from drumroll.domain.rbac import (
    MASTERS,
    Attributes,
    Rule,
    escalation_refusal,
    matching_subject,
    refusal,
    rules_of,
    uncovered,
    why_allowed,
)
from drumroll.objects.errors import Forbidden
from drumroll.objects.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, Kind
from drumroll.objects.meta import Obj
from drumroll.objects.selectors import parse_fields
from drumroll.objects.wire import Request, User
from drumroll.store.interface import Compacted, Store, Subscription

_KINDS = (ROLE, ROLE_BINDING, CLUSTER_ROLE, CLUSTER_ROLE_BINDING)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}
_REMEMBERED = 4096
_STREAMS = ("attach", "exec", "portforward")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who writes, and with which verb: what they may create or give away depends on what else they may."""

    user: User
    verb: str


asking: ContextVar[Asker | None] = ContextVar("asking", default=None)
"""The author of the write under way; None for those who may do everything."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or not, and why: of an allowance the binding, of a refusal what could not be looked up."""

    allowed: bool
    reason: str = ""


@dataclass(slots=True)
class _Grants:
    """The stored roles and bindings by their keys."""

    roles: dict[tuple[str, str], tuple[Rule, ...]] = field(default_factory=dict)
    everywhere: list[Obj] = field(default_factory=list)
    inside: dict[str, list[Obj]] = field(default_factory=dict)
    decisions: dict[tuple[User, Attributes], Decision] = field(default_factory=dict)  # made from them so far


class Authorizer:
    """Answers from memory; a change of a role or binding that is on disk counts for the very next question."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._subscriptions: list[Subscription] = []
        self._grants = _Grants()

    def decide(self, user: User, asked: Attributes) -> Decision:
        """Whether the user may. `system:masters` may do everything."""
        if MASTERS in user.groups:
            return Decision(True)
        grants = self._current()
        known = grants.decisions.get((user, asked))
        if known is None:
            if len(grants.decisions) >= _REMEMBERED:
                grants.decisions.clear()
            known = grants.decisions[user, asked] = self._decide(user, asked)
        return known

    def _decide(self, user: User, asked: Attributes) -> Decision:
        problems: list[str] = []
        for binding, subject, rules in self._granted(user, asked.namespace, problems):
            if any(rule.allows(asked) for rule in rules):
                return Decision(True, why_allowed(binding, subject))
        return Decision(False, f"RBAC: {_listed(problems)}" if problems else "")

    def rules(self, user: User, namespace: str) -> list[Rule]:
        """All rules that hold for the user in a namespace (empty: cluster-wide ones alone)."""
        if MASTERS in user.groups:
            return [Rule(("*",), ("*",), ("*",)), Rule(("*",), paths=("*",))]
        return [rule for _, _, rules in self._granted(user, namespace, []) for rule in rules]

    def check(self, user: User, asked: Attributes) -> None:
        """Raises Forbidden in the original's words when the user may not."""
        decision = self.decide(user, asked)
        if not decision.allowed:
            raise refused(user, asked, decision.reason)

    def check_grant(self, kind: Kind, obj: Obj, old: Obj | None) -> None:
        """Who creates by update or patch may create, too. Nobody gives away more than they have. Raises Forbidden.

        Source: kubernetes pkg/registry/rbac/*/policybased/storage.go, apiserver endpoints/handlers/patch.go.
        """
        asker = asking.get()
        if asker is None:
            return
        meta = obj["metadata"]
        namespace = meta.get("namespace") or ""
        if old is None and asker.verb in ("update", "patch"):
            self.check(asker.user, Attributes("create", kind.group, kind.plural, "", namespace, meta["name"]))
        if kind in _KINDS:
            self._check_rights(asker.user, kind, obj, old)

    def _check_rights(self, user: User, kind: Kind, obj: Obj, old: Obj | None) -> None:
        meta = obj["metadata"]
        namespace = meta.get("namespace") or ""
        if kind in (ROLE, CLUSTER_ROLE):
            if old is not None and all(old.get(part) == obj.get(part) for part in ("rules", "aggregationRule")):
                return
            wanted = rules_of(obj)
            if obj.get("aggregationRule"):
                wanted = (Rule(("*",), ("*",), ("*",)), Rule(("*",), paths=("*",)))
            asked = Attributes("escalate", kind.group, kind.plural, "", namespace, meta["name"])
        else:
            if old is not None and all(old.get(part) == obj.get(part) for part in ("roleRef", "subjects")):
                return
            reference = obj["roleRef"]
            plural = "roles" if reference["kind"] == "Role" else "clusterroles"
            asked = Attributes("bind", kind.group, plural, "", namespace, reference["name"])
            if self.decide(user, asked).allowed:
                return
            found = self._role(obj)
            if found is None:
                shown = f'{plural[:-1]}.{kind.group} "{reference["name"]}" not found'
                raise _refused_grant(kind, meta["name"], shown)
            wanted = found
        if not self.decide(user, asked).allowed:
            missing = uncovered(self.rules(user, namespace), wanted)
            if missing:
                raise _refused_grant(kind, meta["name"], escalation_refusal(user, missing))

    def _granted(self, user: User, namespace: str, problems: list[str]) -> Iterator[tuple[Obj, Obj, tuple[Rule, ...]]]:
        grants = self._current()
        for bindings in (grants.everywhere, grants.inside.get(namespace, ()) if namespace else ()):
            for binding in bindings:
                subject = matching_subject(binding, user)
                if subject is None:
                    continue
                rules = self._role(binding)
                if rules is None:
                    reference = binding["roleRef"]
                    what = f"{reference['kind'].lower()}.rbac.authorization.k8s.io"
                    problems.append(f'{what} "{reference["name"]}" not found')
                else:
                    yield binding, subject, rules

    def _role(self, binding: Obj) -> tuple[Rule, ...] | None:
        reference = binding["roleRef"]
        namespace = binding["metadata"].get("namespace") or "" if reference["kind"] == "Role" else ""
        return self._current().roles.get((namespace, reference["name"]))

    def _current(self) -> _Grants:
        if not self._subscriptions or any(_has_changes(subscription) for subscription in self._subscriptions):
            self._read()
        return self._grants

    def _read(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()
        revision = self._store.revision
        self._subscriptions = [self._store.subscribe(codec.collection(kind), revision) for kind in _KINDS]
        grants = _Grants()
        for kind in (ROLE, CLUSTER_ROLE):
            for role in self._select(kind):
                meta = role["metadata"]
                grants.roles[meta.get("namespace") or "", meta["name"]] = rules_of(role)
        grants.everywhere = self._select(CLUSTER_ROLE_BINDING)
        for binding in self._select(ROLE_BINDING):
            grants.inside.setdefault(binding["metadata"]["namespace"], []).append(binding)
        self._grants = grants

    def _select(self, kind: Kind) -> list[Obj]:
        return [codec.decode(record) for record in self._store.select(codec.collection(kind))]


def _has_changes(subscription: Subscription) -> bool:
    try:
        return bool(subscription.take())
    except Compacted:
        return True


def _listed(problems: list[str]) -> str:
    return problems[0] if len(problems) == 1 else f"[{', '.join(dict.fromkeys(problems))}]"


def attributes(request: Request, target: Target | None) -> Attributes:
    """What a request asks for, in the words of RBAC."""
    if target is None:
        return Attributes(_VERBS["GET"] if request.method == "HEAD" else request.method.lower(), path=request.path)
    kind = target.kind
    namespace, name = target.namespace, target.name or _selected_name(request)
    if kind.name == "Namespace" and not kind.group:
        namespace = name  # a namespace counts as lying within itself
    return Attributes(verb_of(request, target), kind.group, kind.plural, target.subresource, namespace, name)


def _selected_name(request: Request) -> str:
    """A collection narrowed to one name counts as that object: rules with resourceNames allow it."""
    selector = request.parameter("fieldSelector")
    return parse_fields(selector).exact("metadata.name") or "" if "metadata.name" in selector else ""


def verb_of(request: Request, target: Target) -> str:
    """get, list, watch, create, update, patch, delete or deletecollection."""
    if request.method in ("GET", "HEAD"):
        if target.subresource:
            return "get"
        if request.flag("watch"):
            return "watch"
        return "get" if target.name else "list"
    if request.method == "DELETE" and not target.name:
        return "deletecollection"
    return _VERBS.get(request.method, request.method.lower())


def needs_create(target: Target | None) -> bool:
    """Streams into a pod need `create`, also when a WebSocket opens them with a GET.

    Source: kubernetes feature AuthorizePodWebsocketUpgradeCreatePermission, on since 1.35.
    """
    return target is not None and target.kind.plural == "pods" and target.subresource in _STREAMS


def refused(user: User, asked: Attributes, reason: str = "") -> Forbidden:
    """The original's refusal."""
    message = refusal(user, asked) + (f": {reason}" if reason else "")
    if asked.path:
        return Forbidden(f"forbidden: {message}", {})
    resource = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    shown = f'{resource} "{asked.name}"' if asked.name else resource
    details = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    return Forbidden(f"{shown} is forbidden: {message}", {key: value for key, value in details.items() if value})


def _refused_grant(kind: Kind, name: str, why: str) -> Forbidden:
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return Forbidden(f'{kind.resource} "{name}" is forbidden: {why}', details)
