"""The rules' tables (`rules/*.yaml`): an object, and all that is said of it, word for word and in order.

The expectations were read from the original's source, not from what we do. A row with `before` is an update,
one with `status_before` an update of the status.
"""

import copy
from pathlib import Path

import pytest
import yaml

from drumroll.domain.defaults import set_defaults
from drumroll.domain.strategy import prepare_create
from drumroll.domain.validation import validate_create, validate_status, validate_update
from drumroll.objects.kinds import KINDS, Kind
from drumroll.objects.meta import Obj

TABLES = Path(__file__).parent / "rules"


def kind_named(text: str) -> Kind:
    """A kind by name; where several versions or groups have it, as "name.version.group"."""
    name, _, rest = text.partition(".")
    version, _, group = rest.partition(".")
    return next(
        kind for kind in KINDS if kind.name == name and (not rest or (kind.version, kind.group) == (version, group))
    )


def completed(kind: Kind, content: Obj, is_new: bool = True) -> Obj:
    """The object with the metadata and defaults that a request for it would have."""
    obj = copy.deepcopy(content)
    obj = {"apiVersion": kind.api_version, "kind": kind.name, **obj}
    obj["metadata"] = {
        "name": "x",
        "uid": "u",
        **({"namespace": "n"} if kind.namespaced else {}),
        **obj.get("metadata", {}),
    }
    set_defaults(kind, obj)
    if is_new and kind.name == "Job":  # the server chooses its selector
        prepare_create(kind, obj)
    return obj


def rows() -> list[object]:
    found = []
    for table in sorted(TABLES.glob("*.yaml")):
        for row in yaml.safe_load(table.read_text()):
            found.append(pytest.param(row, id=f"{table.stem}: {row['kind']}: {row['rule']}"))
    return found


@pytest.mark.parametrize("row", rows())
def test_rule(row):
    kind = kind_named(row["kind"])
    new = completed(kind, row["object"])
    if "status_before" in row:
        found = validate_status(kind, new, completed(kind, row["status_before"]))
    elif "before" in row:
        found = validate_update(kind, new, completed(kind, row["before"]))
    else:
        found = validate_create(kind, new)
    assert list(dict.fromkeys(str(error) for error in found)) == (row["says"] or [])
