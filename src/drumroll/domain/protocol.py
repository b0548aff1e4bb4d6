"""Which protocol a Service port speaks, from what its author said about it.

Order of evidence: `appProtocol`, the port's name, an Ingress or route that uses it, a few well-known port
numbers whose protocols let the server speak first, and last of all detection by looking at the first bytes.
"""

from typing import Any, Literal

from drumroll.objects.meta import Obj

Protocol = Literal["http", "http2", "tcp", "detect"]
"""`http` is HTTP/1.1 to the pod, `http2` is HTTP/2 without TLS (gRPC too); `detect` decides per connection."""

_APP_PROTOCOLS: dict[str, Protocol] = {
    "http": "http", "http1": "http", "ws": "http", "kubernetes.io/ws": "http",
    "http2": "http2", "h2c": "http2", "grpc": "http2", "kubernetes.io/h2c": "http2", "grpc-web": "http",
    "https": "tcp", "tls": "tcp", "wss": "tcp", "kubernetes.io/wss": "tcp", "tcp": "tcp",
    "mongo": "tcp", "mysql": "tcp", "redis": "tcp", "postgres": "tcp", "postgresql": "tcp", "amqp": "tcp",
}  # fmt: skip
"""Source: KEP-1422, KEP-3726 (standard names), and the names that service meshes read from ports."""

_SERVER_SPEAKS_FIRST = frozenset({21, 22, 25, 110, 143, 587, 3306, 5432, 5672, 6379, 11211, 27017})


def protocol_of(port: Obj, *, routed: bool) -> Protocol:
    """The protocol of one entry of a Service's `spec.ports`; `routed` says that an Ingress or route sends to it."""
    declared = _declared(port)
    if declared is not None and not (routed and declared == "tcp"):
        return declared
    if routed:
        return "http"
    if _numbers(port) & _SERVER_SPEAKS_FIRST:
        return "tcp"
    return "detect"


def _declared(port: Obj) -> Protocol | None:
    app_protocol = str(port.get("appProtocol") or "").lower()
    if app_protocol:
        return _APP_PROTOCOLS.get(app_protocol, "tcp" if "/" in app_protocol else None)
    name = str(port.get("name") or "").lower()
    if name in _APP_PROTOCOLS:
        return _APP_PROTOCOLS[name]
    return _APP_PROTOCOLS.get(name.split("-", 1)[0]) if "-" in name else None


def _numbers(port: Obj) -> set[Any]:
    return {port.get("port"), port.get("targetPort")}
