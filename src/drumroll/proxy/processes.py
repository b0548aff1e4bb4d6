"""The processes of the proxy that outlive the control plane: Envoy and the DNS server."""

import asyncio
from pathlib import Path

from drumroll.proxy.detached import Detached


def envoy_of(folder: Path) -> Detached:
    """The Envoy whose files are in `folder`, running or not."""
    return Detached("envoy", folder / "envoy.pid", folder / "envoy.log")


def dns_of(folder: Path) -> Detached:
    """The DNS server whose files are in `folder`, running or not."""
    return Detached("dns", folder / "dns.pid", folder / "dns.log")


def running_processes(folder: Path) -> dict[str, int]:
    """Process ids by name (envoy, dns) of those that run."""
    found = {process.name: process.pid() for process in (envoy_of(folder), dns_of(folder))}
    return {name: pid for name, pid in found.items() if pid is not None}


async def stop_processes(folder: Path) -> None:
    """End them; fine when none runs."""
    await asyncio.gather(envoy_of(folder).stop(), dns_of(folder).stop())
