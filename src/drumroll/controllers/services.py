"""Which Services a pod stands behind, and which pods stand behind a Service."""

from collections.abc import Iterable

from drumroll.client.informer import Informer
from drumroll.domain.endpoints_of_pods import zones_of
from drumroll.domain.roster import Roster
from drumroll.objects.kinds import NODE, POD, SERVICE
from drumroll.objects.meta import Key, Obj, key_of, labels_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Keys


def services_of_pod(services: Informer) -> Keys:
    """The Services whose selector matches the pod as it was or as it is."""

    def keys(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        states = [obj for obj in (old, new) if obj is not None]
        for service in services.by_namespace(key_of(states[0]).namespace):
            selector = (service["spec"].get("selector") or {}).items()
            if selector and any(selector <= labels_of(pod).items() for pod in states):
                yield key_of(service)

    return keys


class Rosters:
    """The roster of every Service that was asked for, up to date with the pods."""

    def __init__(self, caches: Caches) -> None:
        self._pods, self._nodes = caches.of(POD), caches.of(NODE)
        self._by_namespace: dict[str, dict[str, Roster]] = {}
        self._pods.subscribe(self._pod_changed)
        caches.of(SERVICE).subscribe(self._service_changed)

    def of(self, service: Obj) -> Roster:
        """Who stands behind the Service now."""
        key, zones = key_of(service), zones_of(self._nodes.items())
        here = self._by_namespace.setdefault(key.namespace, {})
        known = here.get(key.name)
        if known is None or not known.suits(service, zones):
            known = here[key.name] = Roster(service, zones, self._pods.by_namespace(key.namespace))
        return known

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        pod = new if new is not None else old
        if pod is None:
            return
        for roster in self._by_namespace.get(pod["metadata"]["namespace"], {}).values():
            if new is not None:
                roster.put(new)
            else:
                roster.drop(pod["metadata"]["name"])

    def _service_changed(self, old: Obj | None, new: Obj | None) -> None:
        if new is None and old is not None:
            self._by_namespace.get(key_of(old).namespace, {}).pop(key_of(old).name, None)
