"""Reviews: who am I, may I, may they, whose token is this.

Source: kubernetes pkg/registry/{authentication,authorization}.
"""

from dataclasses import dataclass

from drumroll.apiserver.accounts import Unauthenticated, bearer
from drumroll.apiserver.answering import document
from drumroll.apiserver.authorization import Authorizer
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.options import write_options
from drumroll.apiserver.pipeline import check_namespace, decoded
from drumroll.apiserver.routing import Target
from drumroll.apiserver.tokens import ISSUER, Signer
from drumroll.domain.rbac import Attributes, Rule, compact
from drumroll.objects.errors import FieldError, invalid
from drumroll.objects.kinds import (
    LOCAL_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_REVIEW,
    SELF_SUBJECT_RULES_REVIEW,
    TOKEN_REVIEW,
)
from drumroll.objects.meta import Obj
from drumroll.objects.wire import Request, Response, User

_ONE = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Answers reviews; nothing of them is stored."""

    cluster: Cluster
    authorizer: Authorizer
    signer: Signer

    def review(self, target: Target, request: Request) -> Response:
        """The review with its status. Raises BadRequest, Invalid."""
        options = write_options(request, "CreateOptions")
        obj = decoded(self.cluster.stages, target.kind, request, options.field_validation).obj
        metadata = obj.setdefault("metadata", {})
        if target.kind is LOCAL_SUBJECT_ACCESS_REVIEW:
            check_namespace(target, metadata)
        spec = obj.get("spec") or {}
        if target.kind is TOKEN_REVIEW:
            status = self._token(spec)
        elif target.kind is SELF_SUBJECT_REVIEW:
            status = {"userInfo": _shown(request.user)}
        elif target.kind is SELF_SUBJECT_RULES_REVIEW:
            status = self._rules(request.user, spec, target)
        else:
            status = self._access(target, spec, request.user)
        return document(201, {**obj, "metadata": metadata, "status": status})

    def _token(self, spec: Obj) -> Obj:
        if not spec.get("token"):
            raise _invalid(TOKEN_REVIEW.name, "spec.token", 'Invalid value: "": must not be empty', TOKEN_REVIEW.group)
        audiences = tuple(spec.get("audiences") or (ISSUER,))
        try:
            found = bearer(self.cluster, self.signer, spec["token"], audiences)
        except Unauthenticated as error:
            return {"user": {}, "error": f"[invalid bearer token, {error}]"}
        return {"authenticated": True, "user": _shown(found.user), "audiences": list(found.audiences)}

    def _rules(self, user: User, spec: Obj, target: Target) -> Obj:
        namespace = spec.get("namespace") or ""
        if not namespace:
            needed = 'Invalid value: "": no namespace on request'
            raise _invalid(target.kind.name, "spec.namespace", needed, target.kind.group)
        rules = compact(self.authorizer.rules(user, namespace))
        return {
            "resourceRules": [_shown_rule(rule) for rule in rules if not rule.paths],
            "nonResourceRules": [
                {"verbs": list(rule.verbs), "nonResourceURLs": list(rule.paths)} for rule in rules if rule.paths
            ],
            "incomplete": False,
        }

    def _access(self, target: Target, spec: Obj, asker: User) -> Obj:
        resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if (resource is None) == (path is None):
            raise _invalid(
                target.kind.name, "spec.resourceAttributes", f"Invalid value: null: {_ONE}", target.kind.group
            )
        user = asker
        if target.kind is not SELF_SUBJECT_ACCESS_REVIEW:
            user = _subject(target, spec)
        if resource is not None:
            asked = Attributes(*(resource.get(field) or "" for field in _ATTRIBUTES))
        else:
            asked = Attributes((path or {}).get("verb") or "", path=(path or {}).get("path") or "/")
        if target.kind is LOCAL_SUBJECT_ACCESS_REVIEW and asked.namespace != target.namespace:
            text = f'Invalid value: "{asked.namespace}": must match metadata.namespace'
            raise _invalid(target.kind.name, "spec.resourceAttributes.namespace", text, target.kind.group)
        decision = self.authorizer.decide(user, asked)
        status: Obj = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        return status


_ATTRIBUTES = ("verb", "group", "resource", "subresource", "namespace", "name")


def _subject(target: Target, spec: Obj) -> User:
    if not spec.get("user") and not spec.get("groups"):
        text = 'Invalid value: "": at least one of user or group must be specified'
        raise _invalid(target.kind.name, "spec.user", text, target.kind.group)
    return User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "")


def _shown(user: User) -> Obj:
    shown: Obj = {"username": user.name}
    if user.uid:
        shown["uid"] = user.uid
    if user.groups:
        shown["groups"] = list(user.groups)
    if user.extra:
        shown["extra"] = {key: list(values) for key, values in user.extra}
    return shown


def _shown_rule(rule: Rule) -> Obj:
    shown: Obj = {"verbs": list(rule.verbs), "apiGroups": list(rule.groups), "resources": list(rule.resources)}
    return {**shown, "resourceNames": list(rule.names)} if rule.names else shown


def _invalid(kind: str, field: str, text: str, group: str) -> Exception:
    return invalid(group, kind, "", [FieldError(field, "FieldValueInvalid", text)])
