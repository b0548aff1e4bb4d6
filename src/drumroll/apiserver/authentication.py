"""Who asks, and whether they may. Until roles come, `system:masters` may do everything and the rest may look around."""

from collections.abc import Mapping

from drumroll.apiserver.routing import Target
from drumroll.objects.errors import Forbidden, Unauthorized
from drumroll.objects.wire import ANONYMOUS, Request, User

OPEN_PATHS = ("/version", "/healthz", "/livez", "/readyz")
_DISCOVERY = ("/api", "/apis", "/openapi", "/version")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"


def certificate_user(subject: tuple[tuple[tuple[str, str], ...], ...]) -> User | None:
    """The user that a verified client certificate names: CN is the name, each O a group."""
    facts = [fact for relative_name in subject for fact in relative_name]
    name = next((value for key, value in facts if key == "commonName"), "")
    if not name:
        return None
    groups = tuple(value for key, value in facts if key == "organizationName")
    return User(name, (*groups, AUTHENTICATED))


def token_user(tokens: Mapping[str, User], header: str) -> User | None:
    """The user of an Authorization header; None when it holds no bearer token. Raises Unauthorized."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    user = tokens.get(token.strip())
    if user is None:
        raise Unauthorized("Unauthorized")
    return User(user.name, (*user.groups, AUTHENTICATED))


def is_open(path: str) -> bool:
    """True for the paths that anybody may read."""
    return path in OPEN_PATHS or path.startswith(("/livez/", "/readyz/", "/healthz/"))


def authorize(request: Request, target: Target | None) -> None:
    """Raises Forbidden when this user may not do that."""
    user = request.user
    if MASTERS in user.groups or is_open(request.path):
        return
    is_discovery = target is None and request.path.startswith(_DISCOVERY)
    if user.name != ANONYMOUS.name and is_discovery and request.method == "GET":
        return
    raise _refusal(request, target)


def _refusal(request: Request, target: Target | None) -> Forbidden:
    name = request.user.name
    if target is None:
        verb = request.method.lower()
        return Forbidden(f'forbidden: User "{name}" cannot {verb} path "{request.path}"', {})
    verb = _verb(request, target)
    resource = f"{target.kind.plural}/{target.subresource}" if target.subresource else target.kind.plural
    where = f' in the namespace "{target.namespace}"' if target.namespace else " at the cluster scope"
    shown = f'{target.kind.resource} "{target.name}"' if target.name else target.kind.resource
    details = {"name": target.name, "group": target.kind.group, "kind": target.kind.plural}
    message = (
        f'{shown} is forbidden: User "{name}" cannot {verb} resource "{resource}" '
        f'in API group "{target.kind.group}"{where}'
    )
    return Forbidden(message, {key: value for key, value in details.items() if value})


def _verb(request: Request, target: Target) -> str:
    if request.method == "GET" and not target.name:
        return "watch" if request.parameter("watch") in ("true", "1") else "list"
    if request.method == "DELETE" and not target.name:
        return "deletecollection"
    return _VERBS.get(request.method, request.method.lower())
