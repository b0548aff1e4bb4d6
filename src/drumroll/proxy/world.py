"""The informers that the proxy watches, and the questions that it asks of them."""

import asyncio
from collections.abc import Iterable

from drumroll.client.client import Client
from drumroll.client.informer import Informer
from drumroll.domain.pod import is_finished
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
        self.all = (self.services, self.slices, self.ingresses, self.classes, self.secrets, self.pods)

    async def wait_synced(self) -> None:
        """Return when every copy is a real past state."""
        await asyncio.gather(*(informer.wait_synced() for informer in self.all), self.gateways.wait_known())

    def slices_of(self, service: Key) -> list[Obj]:
        """A Service's EndpointSlices."""
        return self.slices.indexed("service", str(service))

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
        """From where the pods of a namespace call, in order; not those that have the machine's address."""
        own = [pod for pod in self.pods.by_namespace(namespace) if not pod["spec"].get("hostNetwork")]
        return sorted({ip for pod in own if (ip := pod_ip(pod)) and not is_finished(pod)})

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
