"""How one broken rule is reported: a reason, the value, and a sentence. Source: apimachinery util/validation/field."""

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from drumroll.objects.errors import FieldError
from drumroll.objects.meta import Obj

Errors: TypeAlias = Iterable[FieldError]
NOT_NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"


def required(field: str, detail: str = "") -> FieldError:
    """The value is missing."""
    return FieldError(field, "FieldValueRequired", _worded("Required value", detail))


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """The value breaks a rule that `detail` states."""
    return FieldError(field, "FieldValueInvalid", _worded(f"Invalid value: {printed(value)}", detail))


def unsupported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """The value is none of `supported`, which are listed in the order given."""
    choices = ", ".join(json.dumps(choice) for choice in supported)
    text = f"Unsupported value: {printed(value)}"
    return FieldError(field, "FieldValueNotSupported", _worded(text, f"supported values: {choices}"))


def duplicate(field: str, value: Any, detail: str = "") -> FieldError:
    """The value occurs twice where it must be unique."""
    return FieldError(field, "FieldValueDuplicate", _worded(f"Duplicate value: {printed(value)}", detail))


def not_found(field: str, value: Any, detail: str = "") -> FieldError:
    """The value refers to nothing."""
    return FieldError(field, "FieldValueNotFound", _worded(f"Not found: {printed(value)}", detail))


def wrong(field: str, detail: str) -> FieldError:
    """Fields that do not go together, where no single value is to blame."""
    return FieldError(field, "FieldValueInvalid", _worded("Invalid value", detail))


def forbidden(field: str, detail: str) -> FieldError:
    """The field may not be set, or not be changed, here."""
    return FieldError(field, "FieldValueForbidden", _worded("Forbidden", detail))


def too_long(field: str, most: int) -> FieldError:
    """The value has more than `most` bytes."""
    return FieldError(field, "FieldValueTooLong", f"Too long: may not be more than {most} bytes")


def too_many(field: str, count: int, most: int) -> FieldError:
    """The list has `count` items, more than `most`."""
    return FieldError(field, "FieldValueTooMany", f"Too many: {count}: must have at most {most} items")


def not_negative(field: str, value: Any) -> Errors:
    """An error when a number is below zero. None is no number."""
    if value is not None and value < 0:
        yield invalid(field, value, NOT_NEGATIVE)


def each(field: str, value: Any, faults: Iterable[str]) -> Errors:
    """One error for each fault found in a value."""
    for fault in faults:
        yield invalid(field, value, fault)


def in_range(field: str, value: int, least: int, most: int) -> Errors:
    """An error when a number is out of its bounds, both of which are allowed."""
    if not least <= value <= most:
        yield invalid(field, value, f"must be between {least} and {most}, inclusive")


def known(field: str, value: Any, supported: Iterable[str]) -> Errors:
    """An error when an optional value is given and none of `supported`."""
    if value is not None and value not in supported:
        yield unsupported(field, value, supported)


def one_of(field: str, value: Any, supported: Iterable[str]) -> Errors:
    """An error when the value is empty or none of `supported`."""
    if value in (None, ""):
        yield required(field)
    elif value not in supported:
        yield unsupported(field, value, supported)


def unchanged(field: str, new: Any, old: Any) -> Errors:
    """An error when an immutable value changes. Empty and absent are the same."""
    if (new or None) != (old or None):
        yield invalid(field, new, IMMUTABLE)


def in_words_of_go(value: Obj | None, *fields: str) -> Obj | None:
    """An object as messages show the original's own structures: all fields, capitalized, absent ones as null."""
    return None if value is None else {f"{name[0].upper()}{name[1:]}": value.get(name) for name in fields}


def printed(value: Any) -> str:
    """A value as messages show it: JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _worded(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text
