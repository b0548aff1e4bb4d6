"""The life of CustomResourceDefinitions: names are accepted at once, the kind is established, and all goes in the end.

Source: apiextensions pkg/controller/{status,establish,finalizer}.
"""

import asyncio
import logging

from drumroll.apiserver import codec
from drumroll.apiserver.cluster import Change, Cluster
from drumroll.apiserver.deleting import remove
from drumroll.apiserver.options import DeleteOptions
from drumroll.apiserver.routing import Target
from drumroll.domain.custom.naming import (
    CLEANUP,
    ESTABLISHED,
    GOING,
    GONE,
    accept_names,
    is_installing,
    with_conditions,
)
from drumroll.objects.errors import ApiError, NotFound
from drumroll.objects.kinds import CUSTOM_RESOURCE_DEFINITION
from drumroll.objects.meta import Obj, timestamp
from drumroll.store.interface import Compacted

log = logging.getLogger("drumroll.apiserver")

INSTALLING_SECONDS = 0.2
"""How long a definition is shown as installing: the original lets its servers learn of the kind meanwhile."""
_RETRY_SECONDS = 0.5
_TOGETHER = 64


class Definitions:
    """`settle` is called with every write of a definition, `run` does what may take its time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._settled: dict[str, int] = {}

    def load(self) -> None:
        """Serve what stored definitions say."""
        for record in self._cluster.store.select(CUSTOM_RESOURCE_DEFINITION.resource):
            self._cluster.registry.note(codec.decode(record), record.revision)

    async def settle(self) -> None:
        """Accept, or refuse, the names of definitions that have changed. Their kinds are served from then on."""
        for record in self._cluster.store.select(CUSTOM_RESOURCE_DEFINITION.resource):
            if self._settled.get(record.key) != record.revision:
                await self._change(record.key, self._named)
                current = self._cluster.store.get(CUSTOM_RESOURCE_DEFINITION.resource, record.key)
                self._settled[record.key] = current.revision if current else 0

    async def run(self) -> None:
        """Establish and clean up, until cancelled."""
        reader = self._cluster.store.subscribe(CUSTOM_RESOURCE_DEFINITION.resource, self._cluster.store.revision)
        try:
            while True:
                wait: float | None = None
                try:
                    reader.take()
                    wait = await self._turn()
                except Compacted:
                    continue
                except ApiError as error:
                    log.warning("definitions_failed reason=%s message=%s", error.reason, error.message)
                    wait = _RETRY_SECONDS
                try:
                    async with asyncio.timeout(wait):
                        await reader.wait()
                except TimeoutError:
                    continue
        finally:
            reader.close()

    async def _turn(self) -> float | None:
        """Do what is to be done now. Returns the seconds until there is more to do; None: when something changes."""
        await self.settle()
        wait: float | None = None
        for record in self._cluster.store.select(CUSTOM_RESOURCE_DEFINITION.resource):
            crd = codec.decode(record)
            if crd["metadata"].get("deletionTimestamp"):
                if CLEANUP in (crd["metadata"].get("finalizers") or ()) and not await self._clean(crd):
                    wait = _RETRY_SECONDS
            elif is_installing(crd):
                await asyncio.sleep(INSTALLING_SECONDS)
                await self._change(record.key, self._established)
                log.info("definition_established name=%s", record.key)
        return wait

    async def _clean(self, crd: Obj) -> bool:
        """Delete all instances. True when none is left, and the definition is let go."""
        name = crd["metadata"]["name"]
        await self._change(name, lambda found: with_conditions(found, [GOING], self._now()))
        kind = next((one for one in self._cluster.registry.custom if one.resource == name), None)
        records = self._cluster.store.select(name)
        if kind is not None:
            for start in range(0, len(records), _TOGETHER):
                async with asyncio.TaskGroup() as group:
                    for record in records[start : start + _TOGETHER]:
                        namespace, _, instance = record.key.rpartition("/")
                        group.create_task(self._remove(Target(kind, namespace, instance)))
        if kind is not None and self._cluster.store.select(name):
            return False
        await self._change(name, self._released)
        log.info("definition_cleaned name=%s instances=%d", name, len(records))
        return True

    async def _remove(self, target: Target) -> None:
        try:
            await remove(self._cluster, target, DeleteOptions())
        except NotFound:
            return

    async def _change(self, name: str, make: Change) -> None:
        target = Target(CUSTOM_RESOURCE_DEFINITION, "", name)
        try:
            await self._cluster.change(target, make)
        except NotFound:
            return

    def _now(self) -> str:
        return timestamp(self._cluster.now())

    def _named(self, crd: Obj) -> Obj:
        if crd["metadata"].get("deletionTimestamp"):
            return crd
        names, conditions = accept_names(crd, self._cluster.registry.others(crd))
        crd = {**crd, "status": {**(crd.get("status") or {}), "acceptedNames": names}}
        named = with_conditions(crd, conditions, self._now())
        status = named["status"]
        return {**named, "status": {"conditions": status.pop("conditions"), **status}}

    def _established(self, crd: Obj) -> Obj:
        return with_conditions(crd, [ESTABLISHED], self._now()) if is_installing(crd) else crd

    def _released(self, crd: Obj) -> Obj:
        crd = with_conditions(crd, [GONE], self._now())
        left = [name for name in crd["metadata"].get("finalizers") or () if name != CLEANUP]
        metadata = {name: value for name, value in crd["metadata"].items() if name != "finalizers"}
        if left:
            metadata["finalizers"] = left
        return {**crd, "metadata": metadata}
