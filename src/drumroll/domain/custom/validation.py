"""What makes a custom resource valid: metadata, schema, lists with keys, rules; in this order.

Source: apiextensions pkg/registry/customresource/validator.go.
"""

from drumroll.domain.custom.rules import check_rules, has_rules
from drumroll.domain.custom.values import ABSENT, validate_value
from drumroll.domain.validation.field import Errors
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import subdomain_faults
from drumroll.objects.custom import CustomKind
from drumroll.objects.errors import FieldError
from drumroll.objects.meta import Obj

_BLOCKING = ("FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid")
_UNCHECKED = (
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


def validate_custom(kind: CustomKind, obj: Obj) -> list[FieldError]:
    """All rules that a new object breaks."""
    errors = list(validate_metadata(obj["metadata"], kind.namespaced, subdomain_faults, by_kind=False))
    return [*errors, *_content(kind, obj, None)]


def validate_custom_update(kind: CustomKind, new: Obj, old: Obj) -> list[FieldError]:
    """All rules that changing `old` into `new` breaks. Values that do not change are not checked again."""
    errors = list(validate_metadata_update(new["metadata"], old["metadata"], by_kind=False))
    return [*errors, *_content(kind, new, old)]


def _content(kind: CustomKind, obj: Obj, old: Obj | None) -> Errors:
    schema = kind.definition.schema
    found = list(validate_value(obj, schema, "", ABSENT if old is None else old))
    yield from found
    if not has_rules(schema, kind.definition.derived):
        return
    if any(error.reason in _BLOCKING for error in found):
        yield FieldError("<nil>", "FieldValueInvalid", _UNCHECKED)
        return
    yield from check_rules(obj, schema, old)
