"""Whose part of an object is whose: which fields exist below a value, and which lists and maps are one field each.

A shape belongs to a field's type. It knows five things of values: all fields below one (`everything`), the fields that
an applied configuration speaks of (`applied`), what a change touched (`changes`), how applied values go into live ones
(`merge`), and how fields are taken out (`remove`). Shapes are made once per type, their parts when first needed.

Source: structured-merge-diff typed/tofieldset.go, compare.go, merge.go, remove.go.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import orjson

from drumroll.objects.fieldset import FieldSet, is_member, printed
from drumroll.objects.meta import Obj

Changes: TypeAlias = tuple[FieldSet | None, FieldSet | None]
"""What was set (added or modified), and what was removed. None: nothing; {}: the value itself."""

_KNOWN_KEYS = 512


class BadItem(Exception):
    """An item of a list cannot be told from the others: it repeats a key, or has none. Printed, it says so."""


class Shape:
    """A leaf: a scalar, or a list or map that is owned as a whole."""

    def everything(self, value: Any) -> FieldSet:
        """All fields of a value that is only on one side of a comparison, its own node included."""
        return {}

    def applied(self, value: Any) -> FieldSet | None:
        """The fields that an applied value speaks of; None when it speaks of none."""
        return {}

    def changes(self, old: Any, new: Any) -> Changes:
        """What differs between two unequal values."""
        return {}, None

    def merge(self, live: Any, config: Any) -> Any:
        """The live value (None: there is none) with an applied one in it. None removes."""
        return config

    def remove(self, value: Any, doomed: FieldSet) -> Any:
        """The value without the fields of a set; None when nothing is left."""
        return value

    def named(self, fields: FieldSet) -> FieldSet:
        """The set with those nodes in it that are fields of a struct with something below them in the set."""
        return fields


LEAF = Shape()


class Mapped(Shape):
    """A struct or a map whose values are owned one by one. `child` gives the shape of a value by its key."""

    def __init__(self, child: Callable[[str], Shape], names: frozenset[str], nodeless: frozenset[str]) -> None:
        self.child = child
        self._names = names
        self._nodeless = nodeless  # what Go always writes: it is there before it has anything in it

    def everything(self, value: Any) -> FieldSet:
        """The node and all below it."""
        if not value or type(value) is not dict:
            return {}
        fields: FieldSet = {".": {}}
        for key, item in value.items():
            fields[f"f:{key}"] = self.child(key).everything(item)
        return fields

    def applied(self, value: Any) -> FieldSet | None:
        """The fields below; keys of maps are themselves in the set, names of structs are not."""
        if type(value) is not dict:
            return None
        fields: FieldSet = {}
        for key, item in value.items():
            if item is None or item == {}:
                fields[f"f:{key}"] = {}
                continue
            below = self.child(key).applied(item)
            if key not in self._names:
                below = {".": {}, **below} if below else {}
            if below is not None:
                fields[f"f:{key}"] = below
        return fields or None

    def changes(self, old: Any, new: Any) -> Changes:
        """Compares key by key; equal values cost one comparison."""
        old, new = old or {}, new or {}
        if type(old) is not dict or type(new) is not dict or (not old and not new):
            return {}, None
        claimed: FieldSet = {}
        removed: FieldSet = {}
        for key, value in new.items():
            if key in old:
                before = old[key]
                if before != value:
                    below, gone = self.child(key).changes(before, value)
                    if below is not None:
                        claimed[f"f:{key}"] = below
                    if gone is not None:
                        removed[f"f:{key}"] = gone
                continue
            below = self.child(key).everything(value)
            if below and key in self._nodeless:
                del below["."]
            claimed[f"f:{key}"] = below
        for key, value in old.items():
            if key not in new:
                removed[f"f:{key}"] = self.child(key).everything(value)
        return claimed or None, removed or None

    def merge(self, live: Any, config: Any) -> Any:
        """Live keys keep their places; new ones come after them."""
        if type(config) is not dict:
            return config
        out: Obj = dict(live) if type(live) is dict else {}
        for key, value in config.items():
            merged = None if value is None else self.child(key).merge(out.get(key), value)
            if merged is None:
                out.pop(key, None)
            else:
                out[key] = merged
        return out

    def remove(self, value: Any, doomed: FieldSet) -> Any:
        """Copies what changes."""
        if type(value) is not dict:
            return value
        out = dict(value)
        for key, node in doomed.items():
            name = key[2:]
            if key == "." or name not in out:
                continue
            rest = None if is_member(node) else self.child(name).remove(out[name], node)
            if rest is None:
                del out[name]
            else:
                out[name] = rest
        return out or None

    def named(self, fields: FieldSet) -> FieldSet:
        """Descends into all that has something below it."""
        out: FieldSet = {}
        for key, node in fields.items():
            if not node:
                out[key] = node
                continue
            below = self.child(key[2:]).named(node)
            out[key] = {".": {}, **below} if key[2:] in self._names else below
        return out


class Listed(Shape):
    """A list whose items are owned one by one: by their keys, or (no keys) by their values."""

    def __init__(self, item: Callable[[], Shape], keys: tuple[str, ...], defaults: Mapping[str, Any]) -> None:
        self._make_item = item
        self._made: Shape | None = None
        self._order, self._keys = keys, tuple(sorted(keys))
        self._only_key = keys[0] if len(keys) == 1 and not defaults else ""
        self._known: dict[str, str] = {}
        self._defaults = defaults

    @property
    def item(self) -> Shape:
        """The shape of the items."""
        if self._made is None:
            self._made = self._make_item()
        return self._made

    def key_of(self, item: Any) -> str:
        """What an item is called in a set of fields."""
        if self._only_key and type(item) is dict:
            value = item.get(self._only_key)
            if type(value) is str:
                return self._known.get(value) or self._learn(value)
        if not self._keys:
            return "v:" + orjson.dumps(item).decode()
        facts = {}
        for name in self._keys:
            value = item.get(name, self._defaults.get(name)) if type(item) is dict else None
            if value is not None:
                facts[name] = value
        return "k:" + orjson.dumps(facts).decode()

    def misfit(self, item: Any) -> str:
        """Why an item has no key, in the original's words; empty when it has one."""
        if not self._keys:
            if type(item) is dict:
                return "associative list without keys has an element that's a map type"
            if type(item) is list:
                return "not supported: associative list with lists as elements"
            return "associative list without keys has an element that's an explicit null" if item is None else ""
        if type(item) is not dict:
            return f"associative list with keys may not have {'a null element' if item is None else 'non-map elements'}"
        if self._defaults or any(name in item for name in self._keys):
            return ""
        keys = " ".join(f'"{name}"' for name in self._order)
        return (
            f"associative list with keys has an element that omits all key fields [{keys}]"
            " (and doesn't have default values for any key fields)"
        )

    def _learn(self, value: str) -> str:
        """Most lists use few keys over and over: names of containers, types of conditions."""
        if len(self._known) >= _KNOWN_KEYS:
            self._known.clear()
        key = self._known[value] = "k:" + orjson.dumps({self._only_key: value}).decode()
        return key

    def _by_key(self, items: Any) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for item in items or ():
            found.setdefault(self.key_of(item), []).append(item)
        return found

    def everything(self, value: Any) -> FieldSet:
        """The node, its items and all below them."""
        if not value or type(value) is not list:
            return {}
        shape = self.item
        fields: FieldSet = {".": {}}
        for item in value:
            fields[self.key_of(item)] = shape.everything(item)
        return fields

    def applied(self, value: Any) -> FieldSet | None:
        """Items are themselves in the set; an empty list speaks of nothing. Raises BadItem."""
        if not value or type(value) is not list:
            return None
        shape = self.item
        fields: FieldSet = {}
        for item in value:
            key = self.key_of(item)
            if key in fields or self.misfit(item):
                raise BadItem(self.misfit(item) or f"duplicate entries for key {printed(key)}")
            below = shape.applied(item)
            fields[key] = {".": {}, **below} if below else {}
        return fields

    def changes(self, old: Any, new: Any) -> Changes:
        """Compares items with the same key; their order is nobody's."""
        if not old and not new:
            return {}, None
        before, after, shape = self._by_key(old), self._by_key(new), self.item
        claimed: FieldSet = {}
        removed: FieldSet = {}
        for key, items in after.items():
            former = before.get(key)
            if former is None:
                claimed[key] = shape.everything(items[0]) if len(items) == 1 else {}
            elif former != items:
                if len(former) > 1 or len(items) > 1:
                    claimed[key] = {}
                    continue
                below, gone = shape.changes(former[0], items[0])
                if below is not None:
                    claimed[key] = below
                if gone is not None:
                    removed[key] = gone
        for key, items in before.items():
            if key not in after:
                removed[key] = shape.everything(items[0]) if len(items) == 1 else {}
        return claimed or None, removed or None

    def merge(self, live: Any, config: Any) -> Any:
        """Applied items in their order; live ones that were not applied keep their places between them."""
        if type(config) is not list:
            return config
        if type(live) is not list:
            live = []
        ours, theirs, shape = self._by_key(live), self._by_key(config), self.item
        out: list[Any] = []
        for key in _merged_order(list(ours), list(theirs)):
            if key in theirs:
                out.append(shape.merge(ours.get(key, [None])[0], theirs[key][0]))
            else:
                out.extend(ours[key])
        return out

    def remove(self, value: Any, doomed: FieldSet) -> Any:
        """Items that are in the set go; others lose the fields that are."""
        if type(value) is not list:
            return value
        out = []
        for item in value:
            node = doomed.get(self.key_of(item))
            if node is None:
                out.append(item)
            elif not is_member(node):
                out.append(self.item.remove(item, node) or {})
        return out or None

    def named(self, fields: FieldSet) -> FieldSet:
        """Items are named by their keys, so no node comes in here."""
        shape = self.item
        return {key: shape.named(node) if node and key != "." else node for key, node in fields.items()}


def _merged_order(live: list[str], config: list[str]) -> list[str]:
    """The keys of both lists: those of `config` in its order, the others of `live` where they stood among them."""
    in_config, in_live = set(config), set(live)
    shared = [key for key in config if key in in_live]
    out: list[str] = []
    left = right = turn = 0
    while left < len(live) or right < len(config):
        if left < len(live) and right < len(config):
            if live[left] == config[right]:
                out.append(live[left])
                left, right, turn = left + 1, right + 1, turn + 1
                continue
            if live[left] in in_config and turn < len(shared) and shared[turn] != live[left]:
                left += 1
                continue
        if left < len(live) and live[left] not in in_config:
            out.append(live[left])
            left += 1
        elif right < len(config):
            out.append(config[right])
            turn += turn < len(shared) and shared[turn] == config[right]
            right += 1
        else:
            left += 1
    return list(dict.fromkeys(out))


class Deduced(Mapped):
    """A value without a schema: maps are owned by key, lists and scalars as a whole."""

    def __init__(self) -> None:
        super().__init__(lambda _: self, frozenset(), frozenset())

    def applied(self, value: Any) -> FieldSet | None:
        """Of a map its keys; anything else is a leaf."""
        return super().applied(value) if type(value) is dict else {}


DEDUCED = Deduced()
