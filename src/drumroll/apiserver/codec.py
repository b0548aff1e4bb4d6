"""Objects as stored bytes and back. A stored value is one JSON object whose metadata begins with its revision.

Kind and version come first, so a list item is the value less a fixed head, and a revision is spliced in, not encoded.
"""

from functools import lru_cache
from typing import NamedTuple

import orjson

from drumroll.objects.custom import CustomKind
from drumroll.objects.kinds import STORED_AS, Kind
from drumroll.objects.meta import Obj
from drumroll.store.interface import Draft, Record

_REVISION = b'"metadata":{"resourceVersion":"'


class Head(NamedTuple):
    """The constant beginnings of a kind's stored values."""

    type: bytes  # {"kind":"Pod","apiVersion":"v1",
    metadata: bytes  # the same, up to the first key of the metadata
    revision: bytes  # the same, up to the digits of the revision


@lru_cache(maxsize=256)
def head(kind: Kind) -> Head:
    """The beginnings for a kind."""
    start = b'{"kind":"%b","apiVersion":"%b",' % (kind.name.encode(), kind.api_version.encode())
    metadata = start + b'"metadata":{'
    return Head(start, metadata, metadata + b'"resourceVersion":"')


def collection(kind: Kind) -> str:
    """The store's collection for a kind; two views of the same objects share one."""
    return STORED_AS.get(kind, kind).resource


def key(namespace: str, name: str) -> str:
    """The store's key of an object."""
    return f"{namespace}/{name}" if namespace else name


def draft(kind: Kind, obj: Obj) -> Draft:
    """The value to be stored. `obj` is not changed; its own resourceVersion, kind and apiVersion do not count."""
    metadata = obj["metadata"]
    if "resourceVersion" in metadata:
        metadata = {name: value for name, value in metadata.items() if name != "resourceVersion"}
    ordered = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata}
    for name, value in obj.items():
        if name not in ordered:
            ordered[name] = value
    start = head(kind)
    return Draft(start.revision, b'",' + orjson.dumps(ordered)[len(start.metadata) :])


def decode(record: Record) -> Obj:
    """The stored object."""
    obj: Obj = orjson.loads(record.value)
    return obj


def at_revision(kind: Kind, value: bytes, revision: int) -> bytes:
    """A stored value with another revision in its metadata."""
    start = head(kind).revision
    if not value.startswith(start):  # stored in another version of a custom kind
        start = value[: value.index(_REVISION) + len(_REVISION)]
    return b"%b%d%b" % (start, revision, value[value.index(b'"', len(start)) :])


def item(kind: Kind, value: bytes) -> bytes:
    """A stored value as it stands in a list: without kind and apiVersion."""
    return b"{" + value[len(head(kind).type) :]


def listing(kind: Kind, items: list[bytes], metadata: Obj) -> bytes:
    """A list of encoded items."""
    named = kind.definition.list_name if isinstance(kind, CustomKind) else ""
    return b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[%b]}\n' % (
        (named or f"{kind.name}List").encode(),
        kind.api_version.encode(),
        orjson.dumps(metadata),
        b",".join(items),
    )


def without_revision(kind: Kind, made: Draft) -> bytes:
    """A value that was not stored (dry run of a create)."""
    return head(kind).metadata + made.tail[2:]
