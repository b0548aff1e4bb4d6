"""Which Services a pod stands behind."""

from collections.abc import Iterable

from drumroll.client.informer import Informer
from drumroll.objects.meta import Key, Obj, key_of, labels_of
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
