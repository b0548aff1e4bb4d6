"""What lives on when the control plane is gone: pods, Envoy, DNS, the network. `status` shows it, `down` ends it."""

import asyncio
import shutil

from drumroll.assembly.home import Home
from drumroll.assembly.settings import load_settings


def outliving_processes(home: Home) -> dict[str, int]:
    """Process ids by name of the processes that serve traffic on their own (envoy, dns)."""
    from drumroll.proxy.processes import running_processes

    return running_processes(home.proxy)


def stop_outliving(home: Home) -> None:
    """End pods, then Envoy and DNS, then the cluster's network. Does nothing twice."""
    asyncio.run(_stop(home))


async def _stop(home: Home) -> None:
    from drumroll.assembly.isolation import ground_for
    from drumroll.proxy.processes import stop_processes

    settings = load_settings(home)
    if settings.isolation is not None:
        ground = ground_for(home, settings, settings.isolation, "")
        await ground.stop_pods()
        await stop_processes(home.proxy)
        ground.remove_network()
    shutil.rmtree(home.run, ignore_errors=True)
