"""The original's words for what it refuses, where they depend on more than one fact."""

from typing import ClassVar

from drumroll.objects.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    FieldError,
    Forbidden,
    InternalError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    ServiceUnavailable,
    Timeout,
    invalid,
    not_found,
)
from drumroll.objects.kinds import NAMESPACE, Kind
from drumroll.objects.meta import Obj
from drumroll.store.interface import Compacted, Unavailable

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class Unclassified(InternalError):
    """An error that the original reports without a reason."""

    reason: ClassVar[str] = ""


def _details(kind: Kind, name: str, **more: object) -> Obj:
    details = {"name": name, "group": kind.group, "kind": kind.plural, **more}
    return {key: value for key, value in details.items() if value}


def missing(kind: Kind, name: str) -> NotFound:
    """No such object."""
    return not_found(kind.group, kind.plural, name)


def exists(kind: Kind, name: str) -> AlreadyExists:
    """The name is taken."""
    return AlreadyExists(f'{kind.resource} "{name}" already exists', _details(kind, name))


def conflict(kind: Kind, name: str, why: str = MODIFIED) -> Conflict:
    """The object is not what the client thinks it is."""
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return Conflict(message, _details(kind, name))


def uid_conflict(kind: Kind, namespace: str, name: str, wanted: str, found: str) -> Conflict:
    """A precondition names another object of the same name."""
    key = "/".join(part for part in ("/registry", kind.plural, namespace, name) if part)
    why = (
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
    )
    return conflict(kind, name, why)


def forbidden(kind: Kind, name: str, why: str, causes: list[Obj] | None = None) -> Forbidden:
    """Refused by admission."""
    return Forbidden(f'{kind.resource} "{name}" is forbidden: {why}', _details(kind, name, causes=causes))


def terminating(kind: Kind, name: str, namespace: str) -> Forbidden:
    """Nothing new goes into a namespace that is going away."""
    cause: Obj = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    return forbidden(kind, name, why, [cause])


def no_namespace(namespace: str) -> NotFound:
    """The namespace of a new object does not exist."""
    return missing(NAMESPACE, namespace)


def refused(kind: Kind, name: str, causes: list[FieldError]) -> Invalid:
    """The object breaks rules."""
    return invalid(kind.group, kind.name, name, causes)


def bad_option(options: str, field: str, reason: str, message: str) -> Invalid:
    """A query parameter breaks rules."""
    return invalid("meta.k8s.io", options, "", [FieldError(field, reason, message)])


def no_resource() -> NotFound:
    """The group or version is served, the resource is not."""
    return NotFound("the server could not find the requested resource", {})


def no_method() -> MethodNotAllowed:
    """The path exists, the verb does not."""
    return MethodNotAllowed("the server does not allow this method on the requested resource", {})


def expired(error: Compacted) -> Expired:
    """The revision asked for is no longer kept."""
    return Expired(str(error))


def expired_continue() -> Expired:
    """The listing that a continue token continues is no longer kept."""
    return Expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )


def unavailable(error: Unavailable) -> ServiceUnavailable:
    """Nothing can be stored now."""
    return ServiceUnavailable(f"the store cannot be written: {error}", {"retryAfterSeconds": 1})


def future_revision(wanted: int, current: int) -> Timeout:
    """A revision that does not exist yet."""
    cause: Obj = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details: Obj = {"causes": [cause], "retryAfterSeconds": 1}
    return Timeout(f"Too large resource version: {wanted}, current: {current}", details)
