"""Connections to a pod's own localhost, from outside its network namespace."""

import asyncio
import socket
from pathlib import Path

from drumroll.node.network_namespace import run_inside


async def connect_inside(namespace: Path, port: int) -> socket.socket:
    """A connection to what listens on localhost in `namespace`, over IPv4 or else IPv6. Raises OSError.

    A socket belongs to the namespace in which it was made; it may be connected from anywhere.
    """
    refusal: OSError | None = None
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            sock = await asyncio.to_thread(_make, namespace, family)
        except OSError as error:
            refusal = refusal or error
            continue
        try:
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except OSError as error:
            sock.close()
            refusal = refusal or error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise refusal or ConnectionRefusedError


def _make(namespace: Path, family: socket.AddressFamily) -> socket.socket:
    sock = run_inside(namespace, lambda: socket.socket(family, socket.SOCK_STREAM))
    sock.setblocking(False)
    return sock
