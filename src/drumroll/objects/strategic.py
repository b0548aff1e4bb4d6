"""Strategic merge patch: lists of objects merge by their key instead of being replaced, and directives steer the rest.

Order of results: what the patch names comes in the patch's order, what only the server has keeps its place around it.
Source: apimachinery pkg/util/strategicpatch/patch.go. Neither argument is changed; results may share parts with both.
"""

from collections.abc import Callable
from typing import Any

from drumroll.objects.errors import BadRequest, InternalError
from drumroll.objects.gotext import go_value, type_name
from drumroll.objects.meta import Obj
from drumroll.objects.schema import Field, Message

_PATCH, _RETAIN = "$patch", "$retainKeys"
_ORDER, _DELETE = "$setElementOrder/", "$deleteFromPrimitiveList/"


class PatchFailed(InternalError):
    """A patch that cannot be merged. The original answers 500 and gives no reason."""

    reason = ""


def merge_map(original: Obj, patch: Obj, shape: Message | None) -> Obj:
    """`original` with `patch` merged in. `shape` is the message of both; None for maps and raw values.

    Raises PatchFailed, or BadRequest for malformed directives.
    """
    if _PATCH in patch:
        return _whole(patch)
    out = dict(original)
    patch = dict(patch)
    _retain(out, patch)
    _set_orders(out, patch, shape)
    for key, value in patch.items():
        if key.startswith(_DELETE):
            _delete_primitives(out, key.removeprefix(_DELETE), value)
        elif value is None:
            out.pop(key, None)
        elif key in out and type(out[key]) is type(value):
            out[key] = _merge_value(out[key], value, shape.fields.get(key) if shape else None)
        else:
            out[key] = without_directives(value)
    return out


def _whole(patch: Obj) -> Obj:
    """A map whose `$patch` says what becomes of it."""
    match patch[_PATCH]:
        case "replace":
            return {key: without_directives(value) for key, value in patch.items() if key != _PATCH}
        case "delete":
            return {}
    raise PatchFailed(f"unknown patch type: {go_value(patch[_PATCH])} in map: {go_value(patch)}")


def _merge_value(original: Any, patch: Any, field: Field | None) -> Any:
    if isinstance(patch, dict):
        if field and "replace" in field.strategies:
            return without_directives(patch)
        return merge_map(original, patch, field.message if field else None)
    if isinstance(patch, list) and field and "merge" in field.strategies:
        return _merge_list(original, patch, field)
    return without_directives(patch)


def without_directives(value: Any) -> Any:
    """A value that is new to the object: nulls and directives in it have nothing to act on."""
    if isinstance(value, dict):
        return {
            key: without_directives(item) for key, item in value.items() if item is not None and not _is_directive(key)
        }
    if isinstance(value, list):
        kept = (item for item in value if not (isinstance(item, dict) and item.get(_PATCH) in ("delete", "replace")))
        return [without_directives(item) for item in kept]
    return value


def _is_directive(key: str) -> bool:
    return key in (_PATCH, _RETAIN) or key.startswith((_ORDER, _DELETE))


def _retain(out: Obj, patch: Obj) -> None:
    """`$retainKeys` lists the only keys that stay; it must list all that the patch sets."""
    if _RETAIN not in patch:
        return
    retained = patch.pop(_RETAIN)
    if not isinstance(retained, list):
        raise BadRequest("invalid patch format of retainKeys")
    for key, value in patch.items():
        if value is not None and not _is_directive(key) and key not in retained:
            raise BadRequest("invalid patch format of retainKeys")
    for key in [key for key in out if key not in retained]:
        del out[key]


def _set_orders(out: Obj, patch: Obj, shape: Message | None) -> None:
    """Merge the lists for which the patch gives an order, and put them into it."""
    for directive in [key for key in patch if key.startswith(_ORDER)]:
        order, name = patch.pop(directive), directive.removeprefix(_ORDER)
        field = shape.fields.get(name) if shape else None
        if not isinstance(order, list):
            raise BadRequest("invalid patch format of setElementOrder list")
        if field is None or (name not in out and name not in patch):
            continue
        changes = patch.get(name)
        if changes is None and name in patch:
            continue
        if not isinstance(changes or [], list):
            raise BadRequest(f"invalid patch format of list {name}")
        _check_order(changes or [], order, field.merge_key)
        before = out.get(name) or []
        patch.pop(name, None)
        if not changes:
            merged = before
        elif not before:
            merged = without_directives(changes)
        else:
            merged = _merge_value(before, changes, field)
        out[name] = _ordered(merged, order, before, field.merge_key)


def _check_order(changes: list[Any], order: list[Any], key: str) -> None:
    """The items of the patch come in the order that the patch demands."""
    identity = _identity(key)
    wanted = iter([identity(item) for item in order])
    items = [item for item in changes if not (isinstance(item, dict) and _PATCH in item)]
    if not all(identity(item) in wanted for item in items):
        raise BadRequest(
            f"The order in patch list:\n{go_value(items)}\n doesn't match {_ORDER[:-1]} list:\n{go_value(order)}\n"
        )


def _delete_primitives(out: Obj, name: str, doomed: Any) -> None:
    if not isinstance(doomed, list):
        raise BadRequest("invalid patch format of primitive list")
    if isinstance(out.get(name), list):
        out[name] = [item for item in out[name] if item not in doomed]


def _merge_list(original: list[Any], patch: list[Any], field: Field) -> list[Any]:
    types = sorted({type_name(item) for item in (*original, *patch)})
    if not types:
        return original
    if len(types) > 1:
        raise PatchFailed(f"list element types are not identical: {go_value(types)}")
    if types != ["object"]:
        merged = list(dict.fromkeys((*original, *patch)))
        return _ordered(merged, patch, original, "")
    if not field.merge_key:
        raise PatchFailed(f"cannot merge lists without merge key for {field.name}")
    original, changes = _special_items(original, patch, field.merge_key)
    merged = list(original)
    places = {_scalar(item.get(field.merge_key)): at for at, item in reversed(list(enumerate(merged)))}
    for change in changes:
        at = places.get(_key_of(change, field.merge_key))
        if at is None:
            merged.append(without_directives(change))
        else:
            merged[at] = merge_map(merged[at], change, field.message)
    return _ordered(merged, changes, original, field.merge_key)


def _special_items(original: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    """The server's items left by `$patch: delete` and `replace` items, and the plain items of the patch."""
    plain = [item for item in patch if _PATCH not in item]
    replaced = False
    for item in patch:
        match item.get(_PATCH):
            case None:
                continue
            case "delete":
                doomed = _key_of(item, key)
                original = [held for held in original if _scalar(held.get(key)) != doomed]
            case "replace":
                replaced = True
            case "merge":
                raise PatchFailed("merging lists cannot yet be specified in the patch")
            case other:
                raise PatchFailed(f"unknown patch type: {go_value(other)} in map: {go_value(item)}")
    return (without_directives(plain), []) if replaced else (original, plain)


def _scalar(value: Any) -> Any:
    """A merge key's value, hashable."""
    return go_value(value) if isinstance(value, dict | list) else value


def _key_of(item: Obj, key: str) -> Any:
    if key not in item:
        raise PatchFailed(f"map: {go_value(item)} does not contain declared merge key: {key}")
    return _scalar(item[key])


def _identity(key: str) -> Callable[[Any], Any]:
    return lambda item: _scalar(item.get(key) if key and isinstance(item, dict) else item)


def _ordered(merged: list[Any], order: list[Any], server: list[Any], key: str) -> list[Any]:
    """`merged` with the items of `order` in that order, and the server's own around them as they stood."""
    identity = _identity(key)
    rank = {identity(item): at for at, item in reversed(list(enumerate(order)))}
    place = {identity(item): at for at, item in reversed(list(enumerate(server)))}
    named = sorted((item for item in merged if identity(item) in rank), key=lambda item: rank[identity(item)])
    own = sorted(
        (item for item in merged if identity(item) not in rank), key=lambda item: place.get(identity(item), len(place))
    )
    out: list[Any] = []
    left = 0
    for item in named:
        at = place.get(identity(item))
        while at is not None and left < len(own) and place.get(identity(own[left]), at) < at:
            out.append(own[left])
            left += 1
        out.append(item)
    return out + own[left:]
