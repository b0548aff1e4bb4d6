"""The controllers of progressive delivery alone, against any API server: `drumroll controller`."""

import asyncio
import logging
import os
import signal
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drumroll.assembly.home import Refusal
from drumroll.client.client import Client
from drumroll.client.http import HttpTransport
from drumroll.client.kubeconfig import Connection, KubeconfigError, load_user_config
from drumroll.domain.leadership import Times
from drumroll.objects.clock import now
from drumroll.objects.errors import ApiError
from drumroll.objects.meta import Key

log = logging.getLogger("drumroll.assembly")

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LEASE_NAME = "drumroll-controller"
LOGIN_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Options:
    """Which API server, and how to share the work: `lease_namespace` is where the Lease is (empty: no election)."""

    kubeconfigs: Sequence[Path] = ()
    context: str = ""
    lease_namespace: str = "drumroll-system"
    times: Times = field(default_factory=Times)


def find_connection(options: Options) -> Connection:
    """The API server that the options name; in a pod without a kubeconfig, the pod's own cluster. Raises Refusal."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if host and not any(path.exists() for path in options.kubeconfigs) and (ACCOUNT / "token").exists():
        server = f"https://{host}:{port}" if ":" not in host else f"https://[{host}]:{port}"
        authority = (ACCOUNT / "ca.crt").read_bytes()
        return Connection(server, authority, token_file=ACCOUNT / "token")
    try:
        connection, _ = load_user_config(options.kubeconfigs, options.context)
    except KubeconfigError as error:
        raise Refusal(f"{error}. Name one with --kubeconfig FILE.") from error
    return connection


async def run_controller_alone(options: Options) -> None:
    """Run until SIGTERM or SIGINT. Raises Refusal when the API server cannot be reached or lacks our kinds."""
    fault = options.times.fault()
    if fault:
        raise Refusal(f"{fault}.")
    connection = find_connection(options)
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    assert main is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, main.cancel)
    async with HttpTransport(connection) as transport:
        client = Client(transport, user_agent="drumroll-controller")
        await check_kinds(client, connection.server)
        async with asyncio.TaskGroup() as group:
            group.create_task(_stay_logged_in(transport, options), name="login")
            group.create_task(_run(client, options), name="controller")


async def _stay_logged_in(transport: HttpTransport, options: Options) -> None:
    """Read the kubeconfig again and again: what clouds' programs hand out holds for some minutes."""
    while True:
        await asyncio.sleep(LOGIN_SECONDS)
        try:
            connection = await asyncio.to_thread(find_connection, options)
        except (Refusal, OSError) as error:
            log.warning("login_not_renewed message=%s", error)  # what we have may still hold
            continue
        await transport.renew(connection)


async def check_kinds(client: Client, server: str) -> None:
    """Raises Refusal when the API server does not answer, or has no Rollouts."""
    from drumroll.rollouts.run import missing_kinds

    try:
        missing = await missing_kinds(client)
    except ApiError as error:
        raise Refusal(f"cannot use the API server at {server}: {error.message}") from error
    if missing:
        names = ", ".join(kind.resource for kind in missing)
        raise Refusal(
            f"the API server at {server} does not know {names}. Install the definitions first: "
            "kubectl apply --server-side -f deploy/crds.yaml."
        )


async def _run(client: Client, options: Options) -> None:
    from drumroll.rollouts.election import Election
    from drumroll.rollouts.run import run_rollouts

    async def work() -> None:
        await run_rollouts(client, now=now)

    if not options.lease_namespace:
        log.info("running without_election=true")
        await work()
        return
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    key = Key(options.lease_namespace, LEASE_NAME)
    await Election(client, key, identity, times=options.times, now=now).lead(work)
