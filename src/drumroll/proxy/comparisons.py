"""Keeps Comparisons: attaches to Envoy's tap while one runs, pairs the answers, and writes the figures."""

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from drumroll.client.client import Client
from drumroll.client.informer import Informer
from drumroll.domain.comparison.answers import compare
from drumroll.domain.comparison.copies import Copying
from drumroll.domain.comparison.pairing import Half, Pairing
from drumroll.domain.comparison.spec import Wish
from drumroll.domain.comparison.tally import Tally
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import COMPARISON
from drumroll.objects.meta import Key, Obj, key_of, uid_of
from drumroll.proxy.gateways import Gateways
from drumroll.proxy.taps import TapRefused, tapped

log = logging.getLogger("drumroll.proxy")

WRITE_SECONDS = 0.5
RETRY_SECONDS = 1.0


@dataclass
class _Running:
    """A comparison under way."""

    wish: Wish
    tally: Tally = field(default_factory=Tally)


class Comparisons:
    """Call `look` when the configuration may be another one."""

    def __init__(self, client: Client, gateways: Gateways, informer: Informer, admin: Path) -> None:
        self._client = client
        self._gateways = gateways
        self._informer = informer
        self._admin = admin
        self._bell = asyncio.Event()
        self._running: dict[Key, _Running] = {}
        self._pairing = Pairing()
        self._is_attached = False

    def look(self) -> None:
        """Take note of which comparisons run now."""
        copying = self._gateways.copying
        wanted = {copies.wish.key: copies.wish for copies in copying.copies}
        for key in self._running.keys() - wanted.keys():
            del self._running[key]
        for key, wish in wanted.items():
            known = self._running.get(key)
            if known is None or known.wish != wish:
                self._running[key] = _Running(wish, self._tally(wish))
        if wanted or copying.lacks:
            self._bell.set()

    def _tally(self, wish: Wish) -> Tally:
        """What the status shows already of this very generation, as after a restart of the control plane."""
        found = self._informer.get(wish.key) or {}
        status = found.get("status") or {}
        is_same = uid_of(found) == wish.uid and status.get("observedGeneration") == wish.generation
        return Tally.resumed(status) if found and is_same else Tally()

    async def run(self) -> None:
        """Compare until cancelled."""
        while True:
            await self._bell.wait()
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen())
                await self._write_while_needed()
                listening.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                async with tapped(self._admin, self._attached) as halves:
                    async for half in halves:
                        self._take(half)
            except (TapRefused, OSError) as error:
                log.warning("tap_failed message=%s", error)
            finally:
                self._is_attached = False
            await asyncio.sleep(RETRY_SECONDS)

    def _attached(self) -> None:
        self._is_attached = True

    def _take(self, half: Half) -> None:
        pair = self._pairing.add(half, monotonic())
        if pair is None:
            return
        primary, shadow = pair
        namespace, _, name = shadow.mark.partition("/")
        running = self._running.get(Key(namespace, name))
        if running is not None:
            differences = compare(primary.answer, shadow.answer, running.wish.rules)
            running.tally.add(primary.request, primary.answer, shadow.answer, differences)

    async def _write_while_needed(self) -> None:
        while True:
            self._bell.clear()
            await self._write_all()
            if not self._running:
                return
            await asyncio.sleep(WRITE_SECONDS)

    async def _write_all(self) -> None:
        self._count_unanswered()
        copying: Copying = self._gateways.copying
        for obj in self._informer.items():
            running, lack = self._running.get(key_of(obj)), copying.lacks.get(key_of(obj))
            if running is not None and running.wish.uid == uid_of(obj):
                tally = running.tally
                if not self._sees(key_of(obj)):
                    await self._write(obj, {"phase": "Pending", "message": "waiting for Envoy"})
                else:
                    await self._write(obj, {"phase": "Running", "message": _message(tally), **tally.status()})
            elif lack is not None:
                await self._write(obj, {"phase": "Pending", "message": lack})

    def _sees(self, key: Key) -> bool:
        """True when Envoy sends the copies and shows us both answers."""
        copying: Copying = self._gateways.copying
        copies = next((one for one in copying.copies if one.wish.key == key), None)
        return self._is_attached and copies is not None and self._gateways.holds(copying.tables_of(copies))

    def _count_unanswered(self) -> None:
        """Copies whose original we know of are few: a half that waited in vain counts for the only one that runs."""
        self._pairing.give_up(monotonic())
        lost, self._pairing.lost = self._pairing.lost, 0
        for running in self._running.values():
            running.tally.unanswered += lost

    async def _write(self, obj: Obj, status: Obj) -> None:
        known = obj.get("status") or {}
        status = {**status, "observedGeneration": obj["metadata"].get("generation") or 0}
        if all(known.get(name) == value for name, value in status.items()):
            return
        key = key_of(obj)
        patch = {"metadata": {"uid": uid_of(obj)}, "status": status}
        try:
            await self._client.patch(COMPARISON, key.namespace, key.name, patch, subresource="status")
        except ApiError as error:
            if error.code not in {404, 409}:
                log.warning("status_not_written kind=Comparison key=%s message=%s", key, error.message)


def _message(tally: Tally) -> str:
    if not tally.compared:
        return "waiting for requests"
    share = 100 * tally.differing / tally.compared
    return f"{tally.differing:,} of {tally.compared:,} answers differ ({share:.1f} %)"
