"""What lives on when the control plane is gone: pods, Envoy, DNS, the network. `status` shows it, `down` ends it."""

import asyncio
import shutil

from drumroll.assembly.home import Home
from drumroll.assembly.settings import Settings, is_damaged, load_settings
from drumroll.objects.network import Isolation


def outliving_processes(home: Home) -> dict[str, int]:
    """Process ids by name of the processes that serve traffic on their own (envoy, dns)."""
    from drumroll.proxy.processes import running_processes

    return running_processes(home.proxy)


def stop_outliving(home: Home) -> None:
    """End pods, then Envoy and DNS, then the cluster's network. Does nothing twice.

    Settings that cannot be read are put aside, so that the next `up` starts with the usual ones.
    """
    asyncio.run(_stop(home))
    if is_damaged(home):
        home.settings.replace(home.settings.with_suffix(".damaged"))


async def _stop(home: Home) -> None:
    from drumroll.assembly.isolation import ground_for
    from drumroll.proxy.processes import stop_processes

    settings = load_settings(home)
    grounds = [ground_for(home, settings, isolation, "") for isolation in _isolations(settings)]
    grounds = [ground for ground in grounds if settings.isolation is not None or ground.is_there()]
    for ground in grounds:
        await ground.stop_pods()
    await stop_processes(home.proxy)
    for ground in grounds:
        ground.remove_network()
    shutil.rmtree(home.run, ignore_errors=True)


def _isolations(settings: Settings) -> tuple[Isolation, ...]:
    """How this home's pods run; every way there is when the file that says it is lost or damaged."""
    return (settings.isolation,) if settings.isolation is not None else ("container", "loopback")
