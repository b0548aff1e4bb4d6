"""What is absent, filled in: the two moves of which most defaults are made."""

from drumroll.objects.meta import Obj


def part(obj: Obj, field: str) -> Obj:
    """The object in a field, which is made when absent."""
    found: Obj | None = obj.get(field)
    if found is None:
        found = obj[field] = {}
    return found


def set_if_absent(obj: Obj, **values: object) -> None:
    """Set the fields that are absent or null."""
    for field, value in values.items():
        if obj.get(field) is None:
            obj[field] = value
