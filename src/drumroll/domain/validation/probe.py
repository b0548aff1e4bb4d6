"""Rules for probes and life-cycle hooks. Source: pkg/apis/core/validation/validation.go."""

from typing import Any

from drumroll.domain.validation.field import Errors, forbidden, in_range, invalid, not_negative, required, unsupported
from drumroll.domain.validation.names import header_faults, port_name_faults
from drumroll.objects.meta import Obj

_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def validate_probes(container: Obj, path: str) -> Errors:
    """A container's three probes; only readiness may need several successes, and it never ends the container."""
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(field)
        if probe is None:
            continue
        where = f"{path}.{field}"
        yield from _validate_probe(probe, where)
        if field == "readinessProbe":
            if probe.get("terminationGracePeriodSeconds") is not None:
                text = "must not be set for readinessProbes"
                yield invalid(f"{where}.terminationGracePeriodSeconds", probe["terminationGracePeriodSeconds"], text)
        elif probe.get("successThreshold") != 1:
            yield invalid(f"{where}.successThreshold", probe.get("successThreshold") or 0, "must be 1")


def _validate_probe(probe: Obj, path: str) -> Errors:
    yield from _validate_handler(probe, None, path)
    for field in _NUMBERS:
        value = probe.get(field)
        if value is not None and value < 0:
            yield from not_negative(f"{path}.{field}", value)
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        yield invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")


def validate_lifecycle(lifecycle: Obj | None, grace: int | None, path: str) -> Errors:
    """The hooks after start and before stop; `grace` is the pod's, in seconds, and bounds a sleep."""
    for field in ("postStart", "preStop"):
        if lifecycle and lifecycle.get(field) is not None:
            yield from _validate_handler(lifecycle[field], grace, f"{path}.{field}")


def _validate_handler(handler: Obj, grace: int | None, path: str) -> Errors:
    found = [field for field in _HANDLERS if handler.get(field) is not None]
    if not found:
        yield required(path, "must specify a handler type")
        return
    yield from _validate_action(found[0], handler[found[0]], grace, f"{path}.{found[0]}")
    for field in found[1:]:
        yield forbidden(f"{path}.{field}", "may not specify more than 1 handler type")


def _validate_action(kind: str, action: Obj, grace: int | None, path: str) -> Errors:
    match kind:
        case "exec":
            if not action.get("command"):
                yield required(f"{path}.command")
        case "httpGet":
            yield from _validate_http_get(action, path)
        case "tcpSocket" | "grpc":
            yield from validate_port(action.get("port", 0), f"{path}.port")
        case "sleep":
            seconds = action.get("seconds", 0)
            if grace is not None and not 0 <= seconds <= grace:
                text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                yield invalid(path, seconds, text)


def _validate_http_get(action: Obj, path: str) -> Errors:
    if not action.get("path"):
        yield required(f"{path}.path")
    yield from validate_port(action.get("port", 0), f"{path}.port")
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        yield unsupported(f"{path}.scheme", action.get("scheme") or "", ("HTTP", "HTTPS"))
    for header in action.get("httpHeaders") or ():
        for fault in header_faults(header.get("name") or ""):
            yield invalid(f"{path}.httpHeaders", header.get("name") or "", fault)


def validate_port(port: Any, path: str) -> Errors:
    """A port by number or by name."""
    if isinstance(port, str):
        for fault in port_name_faults(port):
            yield invalid(path, port, fault)
    else:
        yield from in_range(path, port or 0, 1, 65535)
