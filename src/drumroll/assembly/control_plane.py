"""One process that runs the parts a person asked for, wired together; the only module that knows all of them.

The order is what makes the start quick and safe: the API's socket is opened in the host's network namespace and
answers first; only then does the process enter the cluster's own namespace and load what node and proxy need.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drumroll.assembly.home import Home
from drumroll.assembly.ports import open_listener
from drumroll.assembly.registry import claim, describe
from drumroll.assembly.settings import Settings, load_settings, save_settings
from drumroll.objects.clock import now

if TYPE_CHECKING:
    from drumroll.assembly.isolation import Ground
    from drumroll.assembly.local_api import ApiAccess

log = logging.getLogger("drumroll.assembly")

NODE_NAME = "drumroll"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What `up` tells once the API answers."""

    api: str
    isolation: str
    why: str
    http: str  # empty when the proxy is not among the parts
    https: str


async def run_control_plane(home: Home, settings: Settings, announce: Callable[[Announcement], None]) -> None:
    """Run `settings.parts` until SIGTERM or SIGINT. Pods and Envoy go on without us.

    Raises Refusal when it cannot start; then nothing has been changed.
    """
    with claim(home, settings.parts):
        async with asyncio.TaskGroup() as group:
            loop = asyncio.get_running_loop()
            main = group.create_task(_run(home, settings, announce), name="control-plane")
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, main.cancel)


async def _run(home: Home, settings: Settings, announce: Callable[[Announcement], None]) -> None:
    from drumroll.assembly.isolation import choose_ground
    from drumroll.assembly.memory import tend_process

    settings = _with_free_web_ports(home, settings)
    ground = choose_ground(home, settings)
    async with _api(home, ground) as access, _queries(settings) as queries:
        port = queries.getsockname()[1] if queries else 0
        settings = replace(ground.settings, api_port=access.port, metrics_port=port)
        save_settings(home, settings)
        _describe_parts(home, settings, ground)
        announce(_announcement(settings, ground))
        async with asyncio.TaskGroup() as group:
            group.create_task(tend_process(access.metrics), name="process")
            group.create_task(_run_parts(settings, ground, access, queries), name="parts")


@contextlib.asynccontextmanager
async def _api(home: Home, ground: "Ground") -> AsyncIterator["ApiAccess"]:
    """The API server in this process, or the one that another process of this home runs."""
    settings = ground.settings
    if "apiserver" in settings.parts:
        from drumroll.assembly.local_api import serve_api

        # opened here, in the host's network namespace, before anything enters the cluster's own
        with open_listener(settings.api_listen, settings.api_port, "--api-port") as listener:
            async with serve_api(home, settings, ground.network, listener) as access:
                yield access
        return
    from drumroll.assembly.local_api import connect_api

    async with connect_api(home) as access:
        yield access


@contextlib.asynccontextmanager
async def _queries(settings: Settings) -> AsyncIterator[socket.socket | None]:
    """The host's socket for queries of the mesh's metrics, at the port that it had before if that is free."""
    if "proxy" not in settings.parts:
        yield None
        return
    try:
        listener = socket.create_server(("127.0.0.1", settings.metrics_port))
    except OSError:
        listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        yield listener


async def _run_parts(settings: Settings, ground: "Ground", access: "ApiAccess", queries: socket.socket | None) -> None:
    parts = settings.parts
    async with asyncio.TaskGroup() as group:
        if "controllers" in parts:
            from drumroll.controllers.run import run_controllers

            group.create_task(
                keep_running(
                    "controllers",
                    lambda: run_controllers(access.client, now=now, root_ca=access.root_ca, metrics=access.metrics),
                )
            )
        if "node" in parts or "proxy" in parts:
            await ground.prepare()
        if ground.network.isolation == "loopback" or "node" in parts or "proxy" in parts:
            await access.open_to_pods(ground.api_address)
        if "rollouts" in parts:  # in the cluster's network by now: what an analysis asks is there and nowhere else
            from drumroll.rollouts.run import run_rollouts

            group.create_task(
                keep_running("rollouts", lambda: run_rollouts(access.client, now=now, metrics=access.metrics))
            )
        if "node" in parts:
            group.create_task(keep_running("node", lambda: ground.run_node(access.client, NODE_NAME)))
        if "proxy" in parts:
            group.create_task(keep_running("proxy", lambda: ground.run_proxy(access.client, queries)))
        await asyncio.get_running_loop().create_future()  # the API server alone is a cluster too


async def keep_running(part: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a part until cancelled; one that fails is logged in full and started again after a second.

    A fault in one part must not take the API down, nor the other parts: level-triggered loops pick up where it left.
    """
    while True:
        try:
            await run()
        except Exception:
            log.exception("part_failed part=%s", part)
            await asyncio.sleep(1)
        else:
            log.error("part_ended part=%s", part)
            await asyncio.sleep(1)


def _describe_parts(home: Home, settings: Settings, ground: "Ground") -> None:
    shared = {"isolation": ground.network.isolation}
    addresses = {
        "apiserver": {"address": f"https://{settings.api_listen}:{settings.api_port}"},
        "proxy": {
            "http": f"http://{settings.listen}:{settings.http_port}",
            "https": f"https://{settings.listen}:{settings.https_port}",
            "metrics": f"http://127.0.0.1:{settings.metrics_port}",
        },
    }
    for part in settings.parts:
        describe(home, part, {**shared, **addresses.get(part, {})})


def _announcement(settings: Settings, ground: "Ground") -> Announcement:
    has_proxy = "proxy" in settings.parts
    return Announcement(
        api=f"https://{settings.api_listen}:{settings.api_port}",
        isolation=ground.network.isolation,
        why=ground.why,
        http=f"http://{settings.listen}:{settings.http_port}" if has_proxy else "",
        https=f"https://{settings.listen}:{settings.https_port}" if has_proxy else "",
    )


def _with_free_web_ports(home: Home, settings: Settings) -> Settings:
    """The Ingress ports, checked to be free now (Envoy binds them later) and chosen where 0 was asked for."""
    if "proxy" not in settings.parts:
        return settings
    from drumroll.assembly.outliving import outliving_processes

    stored = load_settings(home) if "envoy" in outliving_processes(home) else None
    if stored and (stored.http_port, stored.https_port) == (settings.http_port, settings.https_port):
        return settings  # our own Envoy holds them
    with (
        open_listener(settings.listen, settings.http_port, "--http-port") as http,
        open_listener(settings.listen, settings.https_port, "--https-port") as https,
    ):
        return replace(settings, http_port=http.getsockname()[1], https_port=https.getsockname()[1])


def configure_logging(to: Path | None) -> None:
    """Plain lines with the time; to a file for a daemon, to stderr in the foreground."""
    handler = logging.FileHandler(to) if to else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
