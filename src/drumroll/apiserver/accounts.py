"""ServiceAccounts at work: tokens for them (TokenRequest), and who a token says that its bearer is (TokenReview).

Source: kubernetes pkg/registry/core/serviceaccount/storage/token.go, pkg/serviceaccount/{claims,util}.go.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from drumroll.apiserver import codec
from drumroll.apiserver.answering import document
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.failures import conflict
from drumroll.apiserver.options import write_options
from drumroll.apiserver.pipeline import decoded
from drumroll.apiserver.routing import Target
from drumroll.apiserver.tokens import ISSUER, BadToken, Signer, strings
from drumroll.domain.rbac import account_groups, account_name
from drumroll.objects.decode import TOKEN_REQUEST
from drumroll.objects.errors import BadRequest, FieldError, invalid
from drumroll.objects.kinds import NODE, POD, SECRET, SERVICE_ACCOUNT, Kind
from drumroll.objects.meta import Obj, parse_timestamp, timestamp, uid_of
from drumroll.objects.wire import Request, Response, User

DEFAULT_SECONDS = 3600
_LEAST_SECONDS, _MOST_SECONDS = 600, 1 << 32
_KEY = "authentication.kubernetes.io"
_BOUND = {"Pod": POD, "Secret": SECRET, "Node": NODE}


class Unauthenticated(ValueError):
    """A token that does not hold (any more); the message says why, for TokenReview."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who bears a token, and for which audiences it was made."""

    user: User
    audiences: tuple[str, ...]


async def request_token(cluster: Cluster, signer: Signer, target: Target, request: Request) -> Response:
    """The TokenRequest with its token. Raises BadRequest, Invalid, NotFound, Conflict."""
    options = write_options(request, "CreateOptions")
    asked = decoded(cluster.stages, TOKEN_REQUEST, request, options.field_validation).obj
    account = codec.decode(cluster.find(Target(SERVICE_ACCOUNT, target.namespace, target.name)))
    spec = _completed(asked, target)
    now = int(cluster.now().timestamp())
    claims: Obj = {
        "aud": spec["audiences"],
        "exp": now + spec["expirationSeconds"],
        "iat": now,
        "iss": ISSUER,
        "jti": str(uuid.uuid4()),
        "kubernetes.io": {
            "namespace": target.namespace,
            "serviceaccount": {"name": target.name, "uid": uid_of(account)},
            **_bound_to(cluster, target, spec.get("boundObjectRef")),
        },
        "nbf": now,
        "sub": account_name(target.namespace, target.name),
    }
    expires = cluster.now().fromtimestamp(claims["exp"], cluster.now().tzinfo)
    answer: Obj = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": target.name,
            "namespace": target.namespace,
            "creationTimestamp": timestamp(cluster.now()),
        },
        "spec": spec,
        "status": {
            "token": "" if options.dry_run else signer.sign(claims),
            "expirationTimestamp": timestamp(expires),
        },
    }
    return document(201, answer)


def _completed(asked: Obj, target: Target) -> Obj:
    metadata = asked.get("metadata") or {}
    if metadata.get("name") not in (None, "", target.name):
        raise BadRequest(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        )
    if metadata.get("namespace") not in (None, "", target.namespace):
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    spec: Obj = dict(asked.get("spec") or {})
    seconds = spec.get("expirationSeconds")
    spec["expirationSeconds"] = DEFAULT_SECONDS if seconds is None else seconds
    spec["audiences"] = spec.get("audiences") or [ISSUER]
    field, text = "spec.expirationSeconds", f"Invalid value: {spec['expirationSeconds']}: may not specify a duration "
    problem = ""
    if spec["expirationSeconds"] < _LEAST_SECONDS:
        problem = f"{text}less than 10 minutes"
    elif spec["expirationSeconds"] > _MOST_SECONDS:
        problem = f"{text}larger than 2^32 seconds"
    if problem:
        raise invalid("authentication.k8s.io", "TokenRequest", "", [FieldError(field, "FieldValueInvalid", problem)])
    spec.setdefault("boundObjectRef", None)
    return spec


def _bound_to(cluster: Cluster, target: Target, reference: Obj | None) -> Obj:
    """The claims of the object that the token lives and dies with."""
    if not reference:
        return {}
    kind = _BOUND.get(reference.get("kind") or "")
    if kind is None or reference.get("apiVersion") not in ("v1", "", None):
        shown = f"{reference.get('apiVersion') or ''}, Kind={reference.get('kind') or ''}"
        raise BadRequest(f"cannot bind token for serviceaccount to object of type {shown}")
    name = reference.get("name") or ""
    namespace = target.namespace if kind.namespaced else ""
    obj = codec.decode(cluster.find(Target(kind, namespace, name)))
    uid = reference.get("uid") or ""
    if uid and uid != uid_of(obj):
        why = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise conflict(kind, name, why)
    claims: Obj = {kind.singular: {"name": name, "uid": uid_of(obj)}}
    if kind is POD:
        account = obj["spec"].get("serviceAccountName") or ""
        if account != target.name:
            about = f'serviceaccount "{target.name}" to pod running with different serviceaccount name.'
            raise BadRequest(f"cannot bind token for {about}")
        node = obj["spec"].get("nodeName")
        record = cluster.store.get(NODE.resource, node) if node else None
        if record is not None:
            claims["node"] = {"name": node, "uid": uid_of(codec.decode(record))}
    return claims


def bearer(cluster: Cluster, signer: Signer, token: str, audiences: tuple[str, ...] = (ISSUER,)) -> Bearer:
    """Who bears a ServiceAccount's token. Raises Unauthenticated when it does not hold.

    It must be ours, not expired, made for one of `audiences`, and its account and the object that it is bound to must
    still be the same ones.
    """
    try:
        claims = signer.verify(token)
    except BadToken as error:
        raise Unauthenticated(str(error)) from error
    now = cluster.now().timestamp()
    if not claims.get("nbf", 0) - 60 <= now < claims["exp"]:
        raise Unauthenticated("service account token has expired")
    meant = tuple(audience for audience in audiences if audience in strings(claims.get("aud")))
    if not meant:
        raise Unauthenticated(f"token audiences {strings(claims.get('aud'))} is invalid for the target audiences")
    private = claims["kubernetes.io"]
    namespace, account = private["namespace"], private["serviceaccount"]
    _check_alive(cluster, SERVICE_ACCOUNT, namespace, account)
    extra: list[tuple[str, tuple[str, ...]]] = [(f"{_KEY}/credential-id", (f"JTI={claims['jti']}",))]
    for kind in (POD, SECRET, NODE):
        bound: dict[str, Any] | None = private.get(kind.singular)
        if bound is None:
            continue
        if kind is not NODE or "pod" not in private:  # a pod's node is told, not bound to
            _check_alive(cluster, kind, namespace if kind.namespaced else "", bound)
        if kind is not SECRET:
            extra += [(f"{_KEY}/{kind.singular}-{fact}", (bound[fact],)) for fact in ("name", "uid")]
    groups = (*account_groups(namespace), "system:authenticated")
    user = User(account_name(namespace, account["name"]), groups, account["uid"], tuple(sorted(extra)))
    return Bearer(user, meant)


def _check_alive(cluster: Cluster, kind: Kind, namespace: str, wanted: Obj) -> None:
    key = codec.key(namespace, wanted["name"])
    record = cluster.store.get(codec.collection(kind), key)
    if record is None:
        raise Unauthenticated(f"{kind.singular} {key} is gone")
    obj = codec.decode(record)
    if uid_of(obj) != wanted["uid"]:
        raise Unauthenticated(f"{kind.singular} {key} is another one than the token was made for")
    deleted = obj["metadata"].get("deletionTimestamp")
    if deleted and kind is not NODE and (cluster.now() - parse_timestamp(deleted)).total_seconds() > 60:
        raise Unauthenticated(f"{kind.singular} {key} has been deleted")
