"""Ports that we listen on: opened, or found free, with a sentence when they are not to be had."""

import errno
import secrets
import socket

from drumroll.assembly.home import Refusal

FREE_PORTS = range(10_000, 30_000)
"""Below the kernel's range for outgoing connections: a port found free there may be taken by one a moment later."""
TRIES = 50


def open_listener(address: str, port: int, option: str) -> socket.socket:
    """A listening TCP socket; port 0 finds a free one. Raises Refusal when the port is taken or not ours to bind."""
    if port == 0:
        return _on_free_port(address, option)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(2048)
    except PermissionError as error:
        listener.close()
        raise Refusal(
            f"this user may not listen on port {port}. Choose one above 1023 with {option} PORT (0 finds a free one)."
        ) from error
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise Refusal(f"no interface of this machine has the address {address}; choose with --listen.") from error
        raise Refusal(
            f"cannot listen on {address}:{port}: {error.strerror}. "
            f"Stop what uses the port, or choose another with {option} PORT (0 finds a free one)."
        ) from error
    return listener


def _on_free_port(address: str, option: str) -> socket.socket:
    for _ in range(TRIES):
        try:
            return open_listener(address, FREE_PORTS[secrets.randbelow(len(FREE_PORTS))], option)
        except Refusal as refusal:
            last = refusal
    raise last
