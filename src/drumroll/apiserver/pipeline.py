"""The pure steps of a write, in order: decode, default, reset what may not be touched, validate. Each is timed."""

from collections.abc import Callable, Mapping
from time import perf_counter_ns

from drumroll.apiserver.failures import conflict, refused, uid_conflict
from drumroll.apiserver.routing import Target
from drumroll.apiserver.stages import Stages
from drumroll.domain.defaults import set_defaults
from drumroll.domain.strategy import (
    prepare_added_containers,
    prepare_create,
    prepare_resize,
    prepare_status,
    prepare_update,
)
from drumroll.domain.validation import (
    validate_added_containers,
    validate_create,
    validate_resize,
    validate_status,
    validate_update,
)
from drumroll.objects.decode import Decoded, decode
from drumroll.objects.errors import BadRequest, FieldError
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj
from drumroll.objects.wire import Request


def decoded(stages: Stages, kind: Kind, request: Request, field_validation: str) -> Decoded:
    """The object in a request's body. Raises BadRequest, UnsupportedMediaType."""
    started = perf_counter_ns()
    found = decode(request.body, request.headers.get("content-type", ""), kind, field_validation)
    stages.add("decode", started)
    return found


def check_target(target: Target, obj: Obj) -> None:
    """The object is the one that the URL names. Fills in what it leaves out. Raises BadRequest."""
    metadata = obj.get("metadata")
    if metadata is None:
        metadata = obj["metadata"] = {}
    check_namespace(target, metadata)
    name = metadata.get("name")
    if not name:
        metadata["name"] = target.name
    elif name != target.name:
        raise BadRequest(f"the name of the object ({name}) does not match the name on the URL ({target.name})")


def check_namespace(target: Target, metadata: Obj) -> None:
    """The object's namespace is the URL's; an absent one becomes it. Raises BadRequest."""
    namespace = metadata.get("namespace")
    if not target.kind.namespaced:
        metadata.pop("namespace", None)
    elif not namespace:
        metadata["namespace"] = target.namespace
    elif namespace != target.namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def check_preconditions(target: Target, old: Obj, uid: str, revision: str) -> None:
    """The stored object is the one that the client saw; empty means that it does not care. Raises Conflict."""
    metadata = old["metadata"]
    if uid and uid != metadata.get("uid"):
        raise uid_conflict(target.kind, target.namespace, target.name, uid, metadata.get("uid", ""))
    if revision and revision not in ("0", metadata.get("resourceVersion")):
        raise conflict(target.kind, target.name)


def default(stages: Stages, kind: Kind, obj: Obj) -> None:
    """Fill in, in place, what the client left out."""
    started = perf_counter_ns()
    set_defaults(kind, obj)
    stages.add("defaults", started)


def ready_to_create(stages: Stages, kind: Kind, obj: Obj) -> None:
    """Make a defaulted object, in place, what a new one may be. Raises Invalid."""
    started = perf_counter_ns()
    prepare_create(kind, obj)
    errors = validate_create(kind, obj)
    stages.add("validate", started)
    if errors:
        raise refused(kind, obj["metadata"].get("name", ""), errors)


def ready_to_update(stages: Stages, target: Target, new: Obj, old: Obj) -> None:
    """Default `new`, keep what this endpoint may not change, and check the rest. Raises Invalid."""
    kind = target.kind
    if target.subresource == "finalize":
        _keep_all_but_finalizers(new, old)
        return
    started = perf_counter_ns()
    set_defaults(kind, new)
    prepare, validate = _RULES.get(target.subresource, (prepare_update, validate_update))
    prepare(kind, new, old)
    started = stages.add("defaults", started)
    errors = validate(kind, new, old)
    stages.add("validate", started)
    if errors:
        raise refused(kind, target.name, errors)


_RULES: Mapping[str, tuple[Callable[[Kind, Obj, Obj], None], Callable[[Kind, Obj, Obj], list[FieldError]]]] = {
    "status": (prepare_status, validate_status),
    "ephemeralcontainers": (prepare_added_containers, validate_added_containers),
    "resize": (prepare_resize, validate_resize),
}


def _keep_all_but_finalizers(new: Obj, old: Obj) -> None:
    finalizers = (new.get("spec") or {}).get("finalizers") or []
    new.clear()
    new.update(old)
    new["spec"] = {name: value for name, value in (old.get("spec") or {}).items() if name != "finalizers"}
    if finalizers:
        new["spec"]["finalizers"] = finalizers
