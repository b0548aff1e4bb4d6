"""What every sample service knows about itself: configuration from mounted files, users, health, who answered."""

# ruff: noqa: PTH112, PTH208, PTH118, PTH113, PTH123
# pathlib would add a quarter to the start-up time.

import os
import socket
from base64 import b64encode

from serving import Response

ROOT = os.environ.get("DRUMROLL_ROOT", "")  # where mounts appear when the pod is a plain process
VERSION = os.environ.get("VERSION", "0.0.1")
POD = os.environ.get("HOSTNAME") or socket.gethostname()
IDENTITY = (("X-Service-Version", VERSION), ("X-Pod", POD))
UP = Response(200, b'{"outcome":"UP","status":"UP","checks":[]}')
DOWN = Response(503, b'{"outcome":"DOWN","status":"DOWN","checks":[]}')
NOT_FOUND = Response(404, b'{"error":"not found"}')
WHO_ARE_YOU = Response(401, b'{"error":"unauthorized"}', headers=(("WWW-Authenticate", 'Basic realm="shop"'),))


def settings(folder):
    """Every `name: value` line of the files in a mounted folder; an absent folder has none."""
    path, found = ROOT + folder, {}
    if not os.path.isdir(path):
        return found
    for name in sorted(os.listdir(path)):
        file = os.path.join(path, name)
        if name.startswith("..") or not os.path.isfile(file):
            continue
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                key, colon, value = line.partition(":")
                if colon and value.strip() and not line.lstrip().startswith("#"):
                    found[key.strip()] = value.strip().strip('"')
    return found


def credentials(users):
    """The Authorization headers that the users of a `name: password` mapping send."""
    return {"Basic " + b64encode(f"{name}:{password}".encode()).decode() for name, password in users.items()}


def address_of(service, port):
    """Where another service is: from the variables that the cluster sets, else by its name."""
    prefix = service.upper().replace("-", "_")
    host = os.environ.get(f"{prefix}_SERVICE_HOST")
    return (host, int(os.environ.get(f"{prefix}_SERVICE_PORT", port))) if host else (service, port)


def admin(server, name, is_ready):
    """The handler of an admin port: health and metrics."""

    def handle(request):
        path = request.path.split("?")[0]
        if path == "/health/live":
            return UP
        if path in {"/health/ready", "/health"}:
            return UP if is_ready() else DOWN
        if path == "/metrics":
            return server.metrics(name)
        return NOT_FOUND

    return handle
