"""Which part of the loopback addresses a cluster uses, so that several clusters share a machine without meeting.

Without network namespaces every cluster's pods and Services are addresses of the one loopback interface. Each home
takes one of 64 equal parts of 127.244.0.0/16 (pods) and 127.96.0.0/16 (Services): 1,024 addresses of each.
"""

import socket
from ipaddress import IPv4Network

PARTS = 64
PREFIX = 22
_HTTPS = 443  # the Service `kubernetes`, first of every range, listens here for as long as its Envoy lives


def part_of(network: IPv4Network, index: int) -> IPv4Network:
    """The part number `index` of a /16."""
    return IPv4Network((int(network.network_address) + index * 2 ** (32 - PREFIX), PREFIX))


def choose_range(identity: str, services: IPv4Network, port_offset: int) -> int:
    """A part whose first Service address nobody listens on; which one is tried first depends on the home."""
    first = int(identity, 16) % PARTS
    candidates = [(first + step) % PARTS for step in range(PARTS)]
    return next((index for index in candidates if _is_free(part_of(services, index), port_offset)), first)


def _is_free(services: IPv4Network, port_offset: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((str(services.network_address + 1), _HTTPS + port_offset))
        except OSError:
            return False
    return True
