"""Keeps the DNS server's table up to date, and the server running."""

import asyncio
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path

import orjson

from drumroll.domain.dns import dns_table
from drumroll.objects.meta import Obj, key_of
from drumroll.objects.network import ClusterNetwork
from drumroll.proxy.envoy_process import FIRST_BACKOFF, LAST_BACKOFF, LIVED_WELL_SECONDS
from drumroll.proxy.processes import dns_of
from drumroll.proxy.world import World

log = logging.getLogger("drumroll.proxy")


class DnsProcess:
    """One DNS server in the cluster's network namespace; none in loopback isolation (programs get variables)."""

    def __init__(self, world: World, network: ClusterNetwork, folder: Path, host_namespace: Path | None) -> None:
        self._world = world
        self._network = network
        self._host_namespace = host_namespace
        self._table = folder / "dns.json"
        self._process = dns_of(folder)
        self._bell = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled; the server is left running then."""
        if self._network.namespace is None:
            return
        self._world.services.subscribe(self._touched)
        self._world.slices.subscribe(self._touched)
        self._write()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_running(self._network.namespace))
            tasks.create_task(self._keep_table())

    def _touched(self, _old: Obj | None, _new: Obj | None) -> None:
        self._bell.set()

    async def _keep_table(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            self._write()
            await asyncio.sleep(0.02)  # many changes, one table

    def _write(self) -> None:
        slices = {key_of(s): self._world.slices_of(key_of(s)) for s in self._world.services.items()}
        encoded = orjson.dumps(asdict(dns_table(self._world.services.items(), slices)))
        if self._table.exists() and self._table.read_bytes() == encoded:
            return
        fresh = self._table.with_suffix(".new")
        fresh.write_bytes(encoded)
        fresh.replace(self._table)

    async def _keep_running(self, namespace: Path) -> None:
        backoff = FIRST_BACKOFF
        while True:
            if self._process.pid() is None:
                self._start(namespace)
            began = time.monotonic()
            await self._process.wait_ended()
            backoff = FIRST_BACKOFF if time.monotonic() - began > LIVED_WELL_SECONDS else min(LAST_BACKOFF, backoff * 2)
            log.error("dns_died restart_in=%.2f", backoff)
            await asyncio.sleep(backoff)

    def _start(self, namespace: Path) -> None:
        command = [sys.executable, "-m", "drumroll.proxy.dns", str(self._table), self._network.dns_address]
        try:
            self._process.start(
                [*command, str(namespace), *([str(self._host_namespace)] if self._host_namespace else [])]
            )
        except OSError as error:
            log.error("dns_not_started message=%s", error)  # noqa: TRY400 - the message says it all
