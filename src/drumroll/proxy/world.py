"""The informers that the proxy watches, and the questions that it asks of them."""

import asyncio
from collections.abc import Iterable, Iterator

from drumroll.client.client import Client
from drumroll.client.informer import Informer
from drumroll.domain.endpoint_life import SliceEndpoint
from drumroll.domain.pod import is_finished
from drumroll.domain.routing import slice_endpoints
from drumroll.objects.kinds import ENDPOINT_SLICE, INGRESS, INGRESS_CLASS, POD, SECRET, SERVICE
from drumroll.objects.meta import Key, Obj, is_deleting, labels_of, uid_of
from drumroll.proxy.gateway_world import GatewayWorld

SERVICE_LABEL = "kubernetes.io/service-name"


def service_of(piece: Obj) -> Key:
    """The Service that an EndpointSlice belongs to."""
    return Key(piece["metadata"]["namespace"], labels_of(piece).get(SERVICE_LABEL, ""))


def _services(piece: Obj) -> Iterable[str]:
    return (str(service_of(piece)),)


def _pods(piece: Obj) -> Iterable[str]:
    endpoints = piece.get("endpoints") or ()
    return {uid for endpoint in endpoints if (uid := (endpoint.get("targetRef") or {}).get("uid"))}


def _addresses(pod: Obj) -> Iterable[str]:
    ip = pod_ip(pod)
    return (ip,) if ip else ()


def _uids(pod: Obj) -> Iterable[str]:
    return (uid_of(pod),)


def pod_ip(pod: Obj) -> str:
    """The pod's address, empty before it has one."""
    ip: str = (pod.get("status") or {}).get("podIP") or ""
    return ip


def caller_ip(pod: Obj | None) -> str:
    """The address from which only this pod calls; empty when it has the machine's, none yet or none any more."""
    return "" if pod is None or pod["spec"].get("hostNetwork") or is_finished(pod) else pod_ip(pod)


class World:
    """Read-only copies of what the proxy needs."""

    def __init__(self, client: Client) -> None:
        self.services = Informer(client, SERVICE)
        self.slices = Informer(client, ENDPOINT_SLICE, indexes={"service": _services, "pod": _pods})
        self.ingresses = Informer(client, INGRESS)
        self.classes = Informer(client, INGRESS_CLASS)
        self.secrets = Informer(client, SECRET)
        self.pods = Informer(client, POD, indexes={"ip": _addresses, "uid": _uids})
        self.gateways = GatewayWorld(client)
        self._endpoints: dict[str, dict[str, list[tuple[SliceEndpoint, str]]]] = {}  # by slice and port, as last read
        self.slices.subscribe(self._slice_changed)
        self.all = (self.services, self.slices, self.ingresses, self.classes, self.secrets, self.pods)

    async def wait_synced(self) -> None:
        """Return when every copy is a real past state."""
        await asyncio.gather(*(informer.wait_synced() for informer in self.all), self.gateways.wait_known())

    def slices_of(self, service: Key) -> list[Obj]:
        """A Service's EndpointSlices."""
        return self.slices.indexed("service", str(service))

    def endpoints_of(self, service: Key, port_name: str) -> Iterator[tuple[SliceEndpoint, str]]:
        """Every endpoint of a Service for one port, with the uid of its pod; each state of a slice is read once."""
        for piece in self.slices_of(service):
            known = self._endpoints.setdefault(uid_of(piece), {})
            if port_name not in known:
                known[port_name] = slice_endpoints([piece], port_name)
            yield from known[port_name]

    def _slice_changed(self, old: Obj | None, new: Obj | None) -> None:
        if old is not None:
            self._endpoints.pop(uid_of(old), None)

    def services_of_pod(self, pod: Obj) -> set[Key]:
        """The Services whose slices hold the pod."""
        return {service_of(piece) for piece in self.slices.indexed("pod", uid_of(pod))}

    def pod(self, uid: str) -> Obj | None:
        """A pod by its uid."""
        return next(iter(self.pods.indexed("uid", uid)), None)

    def is_inhabited(self, ip: str) -> bool:
        """True while a pod that may still run programs has the address."""
        return any(not is_finished(pod) for pod in self.pods.indexed("ip", ip))

    def addresses(self, namespace: str) -> list[str]:
        """From where the pods of a namespace call, in order."""
        return sorted({ip for pod in self.pods.by_namespace(namespace) if (ip := caller_ip(pod))})

    def has_replacement(self, service: Key) -> bool:
        """True when the Service selects a pod that is there to stay: ready, or on its way."""
        found = self.services.get(service)
        selector = ((found or {}).get("spec") or {}).get("selector")
        if not selector:
            return False
        return any(
            not is_deleting(pod) and not is_finished(pod) and selector.items() <= labels_of(pod).items()
            for pod in self.pods.by_namespace(service.namespace)
        )
