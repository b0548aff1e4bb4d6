"""The gRPC health check as a probe: grpc.health.v1.Health/Check, plaintext. Source: kubernetes pkg/probe/grpc."""

from collections.abc import Mapping
from typing import Any

from drumroll.domain.probe import Verdict
from drumroll.node.probing import ProbeResult

SERVING = 1
STATUS_NAMES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


async def check_health(action: Mapping[str, Any], pod_ip: str, timeout: float) -> ProbeResult:
    """The verdict of a gRPC server on itself."""
    import grpc

    address = f"{pod_ip}:{action['port']}"
    service = str(action.get("service") or "").encode()
    request = b"\x0a" + bytes([len(service)]) + service if service else b""  # HealthCheckRequest{service = 1}
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer: bytes = await call(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            return ProbeResult(Verdict.FAILURE, _failure(error.code().name, error.details() or "", address, timeout))
    status = answer[1] if len(answer) > 1 else 0
    if status == SERVING:
        return ProbeResult(Verdict.SUCCESS, "service healthy")
    return ProbeResult(Verdict.FAILURE, f'service unhealthy (responded with "{STATUS_NAMES.get(status, status)}")')


def _failure(code: str, details: str, address: str, timeout: float) -> str:
    if code == "UNIMPLEMENTED":
        return f"this server does not implement the grpc health protocol (grpc.health.v1.Health): {details}"
    if code == "DEADLINE_EXCEEDED":
        return f"timeout: health rpc did not complete within {timeout:g}s"
    if code == "UNAVAILABLE":
        return f'timeout: failed to connect service "{address}" within {timeout:g}s: {details}'
    return f"error: health rpc probe failed: {details}"
