"""What every verb works with: the store, the clock, the allocator and the timings, and the one compare-and-set loop."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter_ns
from typing import TypeAlias

from drumroll.apiserver import codec
from drumroll.apiserver.allocation import Allocator
from drumroll.apiserver.failures import conflict, missing, unavailable
from drumroll.apiserver.registry import Registry
from drumroll.apiserver.routing import Target
from drumroll.apiserver.stages import Stages
from drumroll.objects.custom import stored_kind
from drumroll.objects.kinds import CUSTOM_RESOURCE_DEFINITION, Kind
from drumroll.objects.meta import Obj, Revision
from drumroll.store.interface import Draft, Record, Stale, Store, Unavailable, Write

log = logging.getLogger("drumroll.apiserver")

_ATTEMPTS = 100


Change: TypeAlias = Callable[[Obj], Obj]
"""Makes the new object of a stored one; it gets its own copy. May raise ApiError."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The stored (or, dry run, would-be) value, and whether it is the last one of a removed object."""

    value: bytes
    removed: bool = False


def _grant_all(kind: Kind, new: Obj, old: Obj | None) -> None:
    """No roles are checked where nobody is asked who they are."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Shared by all verbs."""

    store: Store
    allocator: Allocator
    stages: Stages
    now: Callable[[], datetime]
    registry: Registry = field(default_factory=Registry)
    watches: Counter[str] = field(default_factory=Counter)  # open ones, by resource
    check_grant: Callable[[Kind, Obj, Obj | None], None] = _grant_all  # before a role or binding is stored

    def find(self, target: Target) -> Record:
        """The stored object. Raises NotFound."""
        record = self.store.get(codec.collection(target.kind), target.key)
        if record is None:
            raise missing(target.kind, target.name)
        return record

    async def put(self, target: Target, draft: Draft, expect: Revision, *, deleted: bool = False) -> Record:
        """Write. Raises Stale, and ServiceUnavailable when nothing can be stored now."""
        started = perf_counter_ns()
        try:
            write = Write(codec.collection(target.kind), target.key, draft, expect, deleted)
            record = await self.store.write(write)
        except Unavailable as error:
            raise unavailable(error) from error
        self.stages.add("disk", started)
        if target.kind is CUSTOM_RESOURCE_DEFINITION:
            self.registry.note(codec.decode(record), record.revision, deleted=deleted)
        return record

    async def change(
        self,
        target: Target,
        make: Change,
        *,
        dry_run: bool = False,
        once: bool = False,
        finished: Callable[[Obj], bool] | None = None,
    ) -> Outcome:
        """Read, let `make` change, compare and set; again when another write came between, unless `once`.

        When `finished` (by default: `is_finished`) says so of the new object, the same write removes it.
        Raises NotFound, Conflict and what `make` raises.
        """
        for _ in range(_ATTEMPTS):
            record = self.find(target)
            old, new = codec.decode(record), make(codec.decode(record))
            gone = (finished or is_finished)(new)
            new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            if new == old and not gone:
                return Outcome(record.value)
            started = perf_counter_ns()
            draft = codec.draft(stored_kind(target.kind), new)
            self.stages.add("encode", started)
            if dry_run:
                return Outcome(draft.at(record.revision), gone)
            try:
                written = await self.put(target, draft, record.revision, deleted=gone)
            except Stale:
                if once:
                    break
                continue
            if gone:
                self.allocator.release(new)
            return Outcome(written.value, gone)
        raise conflict(target.kind, target.name)


def is_finished(obj: Obj) -> bool:
    """Deletion was asked for, its grace is over or was none, and no finalizer holds the object."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if obj.get("kind") == "Namespace" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")
