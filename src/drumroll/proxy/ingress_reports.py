"""Tells of each Ingress what Envoy has acknowledged of it: the annotation of `domain/ingress_annotations`."""

import asyncio
import logging

from drumroll.client.client import Client
from drumroll.domain.gateway import ACKNOWLEDGED
from drumroll.domain.ingress import is_ours
from drumroll.domain.ingress_annotations import acknowledgement_of
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import INGRESS
from drumroll.objects.meta import Obj, annotations_of, is_deleting, key_of
from drumroll.proxy.gateways import Gateways
from drumroll.proxy.world import World

log = logging.getLogger("drumroll.proxy")

RETRY_SECONDS = 1.0


class IngressReports:
    """Keeps the annotations truthful. Call `look` when the configuration or what Envoy holds has changed."""

    def __init__(self, client: Client, world: World, gateways: Gateways) -> None:
        self._client = client
        self._world = world
        self._gateways = gateways
        self._bell = asyncio.Event()

    def look(self) -> None:
        """Something has changed."""
        self._bell.set()

    async def run(self) -> None:
        """Write annotations until cancelled."""
        for informer in (self._world.ingresses, self._world.classes):
            informer.subscribe(lambda _old, _new: self._bell.set())
        while True:
            await self._bell.wait()
            self._bell.clear()
            classes = self._world.classes.items()
            written = [await self._report(ingress, classes) for ingress in self._world.ingresses.items()]
            if not all(written):
                await asyncio.sleep(RETRY_SECONDS)
                self._bell.set()

    async def _report(self, ingress: Obj, classes: list[Obj]) -> bool:
        """False when it could not be written. An Ingress of another class must not look like one of ours."""
        known = annotations_of(ingress).get(ACKNOWLEDGED)
        if not is_ours(ingress, classes):
            return known is None or await self._write(ingress, None)
        part = self._gateways.part_of(key_of(ingress))
        if part is None or part.text == known or is_deleting(ingress):
            return True
        if part.text != acknowledgement_of(ingress, part.canaries):
            return True  # its rules are on the way
        return not self._gateways.is_part_acknowledged(key_of(ingress)) or await self._write(ingress, part.text)

    async def _write(self, ingress: Obj, text: str | None) -> bool:
        """Only on the very state that was looked at: who has asked for something else since is not answered with it."""
        meta = {"resourceVersion": ingress["metadata"].get("resourceVersion"), "annotations": {ACKNOWLEDGED: text}}
        key = key_of(ingress)
        try:
            await self._client.patch(INGRESS, key.namespace, key.name, {"metadata": meta})
        except ApiError as error:
            if error.code not in {404, 409}:
                log.warning("acknowledgement_not_written key=%s message=%s", key, error.message)
                return False
        return True  # what is newer wakes us again
