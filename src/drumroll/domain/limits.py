"""What a LimitRange adds to a new pod, and what it refuses.

Source: plugin/pkg/admission/limitranger/admission.go.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from drumroll.domain.pod_amounts import container_amounts, pod_amounts, printed
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

NOTE = "kubernetes.io/limit-ranger"


def set_limits(pod: Obj, limit_ranges: Iterable[Obj]) -> None:
    """Give the containers, in place, the requests and limits that they do not name, and note which they got."""
    notes: list[str] = []
    for limit_range in limit_ranges:
        limits, requests = _defaults(limit_range)
        for field, word in (("containers", "container"), ("initContainers", "init container")):
            for container in (pod.get("spec") or {}).get(field) or ():
                resources = container.setdefault("resources", {})
                for part, defaults, noun in (("requests", requests, "request"), ("limits", limits, "limit")):
                    added = _fill(resources, part, defaults)
                    if added:
                        notes.append(f"{', '.join(added)} {noun} for {word} {container.get('name', '')}")
    if notes:
        annotations = dict(pod["metadata"].get("annotations") or {})
        annotations[NOTE] = f"LimitRanger plugin set: {'; '.join(notes)}"
        pod["metadata"]["annotations"] = annotations


def _defaults(limit_range: Obj) -> tuple[dict[str, str], dict[str, str]]:
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        if item.get("type") == "Container":
            limits |= item.get("default") or {}
            requests |= item.get("defaultRequest") or {}
    return limits, requests


def _fill(resources: Obj, part: str, defaults: Mapping[str, str]) -> list[str]:
    given = resources.get(part) or {}
    added = sorted(name for name in defaults if name not in given)
    if added:
        resources[part] = {**given, **{name: defaults[name] for name in added}}
    return added


def pod_faults(pod: Obj, limit_ranges: Iterable[Obj]) -> list[str]:
    """Which bounds the pod, or one of its containers, breaks; each in the original's words."""
    spec = pod.get("spec") or {}
    found: list[str] = []
    for limit_range in limit_ranges:
        for item in (limit_range.get("spec") or {}).get("limits") or ():
            if item.get("type") == "Container":
                for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                    requests, limits = (container_amounts(container, part) for part in ("requests", "limits"))
                    found += _faults(item, requests, limits)
            elif item.get("type") == "Pod":
                found += _faults(item, pod_amounts(spec, "requests"), pod_amounts(spec, "limits"))
    return found


def claim_faults(claim: Obj, limit_ranges: Iterable[Obj]) -> list[str]:
    """Which bounds a PersistentVolumeClaim breaks."""
    requests = container_amounts(claim.get("spec") or {}, "requests")
    found: list[str] = []
    for limit_range in limit_ranges:
        for item in (limit_range.get("spec") or {}).get("limits") or ():
            if item.get("type") == "PersistentVolumeClaim":
                found += _request_faults(item, requests)
    return found


def _request_faults(item: Obj, requests: Mapping[str, Decimal]) -> Iterator[str]:
    for word in ("min", "max"):
        for name, text in sorted((item.get(word) or {}).items()):
            head, bound, seen = (
                f"{word}imum {name} usage per {item['type']} is {text}",
                parse_quantity(text),
                requests.get(name),
            )
            if seen is None:
                yield f"{head}.  No request is specified"
            elif seen < bound if word == "min" else seen > bound:
                yield f"{head}, but request is {printed(name, seen)}"


def _faults(item: Obj, requests: Mapping[str, Decimal], limits: Mapping[str, Decimal]) -> Iterator[str]:
    kind = item["type"]
    for name, text in sorted((item.get("min") or {}).items()):
        yield from _below(f"minimum {name} usage per {kind} is {text}", name, text, requests, limits)
    for name, text in sorted((item.get("max") or {}).items()):
        yield from _above(f"maximum {name} usage per {kind} is {text}", name, text, requests, limits)
    for name, text in sorted((item.get("maxLimitRequestRatio") or {}).items()):
        head, request, limit = (
            f"{name} max limit to request ratio per {kind} is {text}",
            requests.get(name),
            limits.get(name),
        )
        if not request:
            yield f"{head}, but no request is specified or request is 0"
        elif not limit:
            yield f"{head}, but no limit is specified or limit is 0"
        elif limit / request > parse_quantity(text):
            yield f"{head}, but provided ratio is {limit / request:.6f}"


def _below(
    head: str, name: str, text: str, requests: Mapping[str, Decimal], limits: Mapping[str, Decimal]
) -> Iterator[str]:
    least = parse_quantity(text)
    if name not in requests:
        yield f"{head}.  No request is specified"
    elif requests[name] < least:
        yield f"{head}, but request is {printed(name, requests[name])}"
    elif name in limits and limits[name] < least:
        yield f"{head}, but limit is {printed(name, limits[name])}"


def _above(
    head: str, name: str, text: str, requests: Mapping[str, Decimal], limits: Mapping[str, Decimal]
) -> Iterator[str]:
    most = parse_quantity(text)
    if name not in limits:
        yield f"{head}.  No limit is specified"
    elif limits[name] > most:
        yield f"{head}, but limit is {printed(name, limits[name])}"
    elif name in requests and requests[name] > most:
        yield f"{head}, but request is {printed(name, requests[name])}"
