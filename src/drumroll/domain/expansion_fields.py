"""What fieldRef and resourceFieldRef stand for. Source: kubernetes pkg/fieldpath, pkg/api/v1/resource/helpers.go."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from drumroll.objects.meta import Obj, annotations_of, labels_of
from drumroll.objects.quantity import parse_quantity

_SUBSCRIPT = re.compile(r"^(metadata\.(?:annotations|labels))\['(.*)'\]$")


@dataclass(frozen=True, slots=True)
class PodPlace:
    """Facts of a pod that are known before they are written to its status."""

    pod_ip: str
    host_ip: str
    cpu_cores: int
    memory_bytes: int


def field_value(pod: Obj, path: str, place: PodPlace) -> str:
    """The text of a fieldRef. Raises ValueError for a path that is not supported."""
    meta, spec = pod["metadata"], pod["spec"]
    if match := _SUBSCRIPT.match(path):
        source = labels_of(pod) if match[1].endswith("labels") else annotations_of(pod)
        return source.get(match[2], "")
    known = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta.get("namespace", ""),
        "metadata.uid": meta.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.podIP": place.pod_ip,
        "status.podIPs": place.pod_ip,
        "status.hostIP": place.host_ip,
        "status.hostIPs": place.host_ip,
    }
    if path in known:
        return str(known[path])
    if path == "metadata.labels":
        return _format_map(labels_of(pod))
    if path == "metadata.annotations":
        return _format_map(annotations_of(pod))
    raise ValueError(f"unsupported fieldPath: {path}")


def _format_map(pairs: Mapping[str, str]) -> str:
    def quoted(value: str) -> str:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'

    return "\n".join(f"{key}={quoted(value)}" for key, value in sorted(pairs.items()))


def resource_value(container: Mapping[str, Any], reference: Mapping[str, Any], place: PodPlace) -> str:
    """The text of a resourceFieldRef, rounded up to its divisor. Without a limit, the node's capacity counts."""
    kind, _, resource = str(reference["resource"]).partition(".")
    resources = container.get("resources") or {}
    found = (resources.get(kind) or {}).get(resource)
    if found is None and kind == "limits":
        found = {"cpu": place.cpu_cores, "memory": place.memory_bytes}.get(resource)
    divisor = parse_quantity(reference.get("divisor") or "1")
    value = parse_quantity(found if found is not None else 0) / (divisor or Decimal(1))
    return str(int(value.to_integral_value(ROUND_CEILING)))
