"""Questions to Envoy's admin socket. Blocking and small: callers use a thread."""

import socket
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote

import orjson

from drumroll.domain.endpoint_life import Address, Reading
from drumroll.objects.meta import Obj

TIMEOUT_SECONDS = 2.0


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def get(admin: Path, path: str) -> bytes | None:
    """The body of a 200, or None: no Envoy answers there, or it answers otherwise."""
    connection = _UnixConnection(admin)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return body if response.status == 200 else None


def is_ready(admin: Path) -> bool:
    """True when an Envoy answers and has loaded its first configuration."""
    return get(admin, "/ready") is not None


def read_clusters(admin: Path, names: Iterable[str] = ()) -> dict[str, dict[Address, Reading]] | None:
    """Every host that Envoy holds with its counts, by cluster (only `names` when given); None without an answer."""
    wanted = sorted(names)
    # Envoy's filter is an RE2 search over names. A long list is cheaper to take whole than to match.
    pattern = f"^({'|'.join(name.replace('.', '[.]') for name in wanted)})$" if 0 < len(wanted) <= 50 else ""
    body = get(admin, "/clusters?format=json" + (f"&filter={quote(pattern, safe='')}" if pattern else ""))
    if body is None:
        return None
    statuses = orjson.loads(body).get("cluster_statuses") or ()
    return {status["name"]: _hosts(status) for status in statuses if not wanted or status["name"] in wanted}


def _hosts(status: Obj) -> dict[Address, Reading]:
    found = {}
    for host in status.get("host_statuses") or ():
        place = (host.get("address") or {}).get("socket_address")
        if place:
            found[Address(place["address"], int(place["port_value"]))] = _reading(host)
    return found


def _reading(host: Obj) -> Reading:
    counts = {stat["name"]: int(stat.get("value") or 0) for stat in host.get("stats") or ()}
    return Reading(counts.get("rq_active", 0), counts.get("rq_total", 0), counts.get("cx_total", 0))
