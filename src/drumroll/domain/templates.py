"""Whether two pod templates are the same, and the short hash by which one is named."""

from typing import Any

import orjson

from drumroll.objects.apps_v1 import TEMPLATE_HASH
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, so that no hash reads as a word
QUANTITIES = ("limits", "requests")
FNV_OFFSET, FNV_PRIME = 2166136261, 16777619


def is_same_template(one: Obj, other: Obj) -> bool:
    """Whether two templates ask for the same pods; the hash label, absent or empty fields and spelling of quantities
    make no difference.

    Source: EqualIgnoreHash in pkg/controller/deployment/util, semantic DeepEqual.
    """
    return one == other or canonical(one) == canonical(other)


def template_hash(template: Obj, collisions: int | None) -> str:
    """The same text for the same template, another one after each collision; 1 to 10 characters of `ALPHABET`.

    Ours differs from the original's, which hashes a dump of Go structs: nothing depends on its value.
    """
    return safe_hash(orjson.dumps(canonical(template), option=orjson.OPT_SORT_KEYS), collisions)


def safe_hash(data: bytes, collisions: int | None) -> str:
    """FNV-1a over the bytes and the number of collisions, spelt in `ALPHABET`. Source: rand.SafeEncodeString."""
    if collisions is not None:
        data += collisions.to_bytes(8, "little")
    value = FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * FNV_PRIME) & 0xFFFFFFFF
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(value))


def canonical(template: Obj) -> Obj:
    """The template without its hash label and empty fields, quantities as exact numbers in text."""
    plain: Obj = _canonical(template) or {}
    labels = plain.get("metadata", {}).get("labels")
    if labels and TEMPLATE_HASH in labels:
        rest = {name: value for name, value in labels.items() if name != TEMPLATE_HASH}
        plain = {**plain, "metadata": {**plain["metadata"], "labels": rest}}
        plain = _canonical(plain) or {}
    return plain


def _canonical(value: Any) -> Any:
    """The value without empty parts; None when nothing is left."""
    if isinstance(value, dict):
        kept = {name: _quantities(part) if name in QUANTITIES else _canonical(part) for name, part in value.items()}
        return {name: part for name, part in kept.items() if part is not None} or None
    if isinstance(value, list):
        return [_canonical(part) for part in value] or None
    return None if value == "" else value


def _quantities(value: Any) -> Any:
    if not isinstance(value, dict):
        return _canonical(value)
    return {name: _amount(amount) for name, amount in value.items()} or None


def _amount(value: Any) -> str:
    try:
        return f"{parse_quantity(value).normalize():f}"
    except ValueError:
        return str(value)
