"""The pods behind one Service, kept as they change, so that a turn need not read all of them again.

Each change of one pod asks for a turn of the controllers of endpoints. Reading ten thousand pods anew in each of these
took more than half of all time, and held everything up for a tenth of a second.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping

from drumroll.domain.endpoints_of_pods import Backend, Port, backend_of
from drumroll.objects.meta import Obj


class Roster:
    """The backends of a Service as it was when the roster was made.

    A backend, and its endpoint, stays the same object as long as nothing in it changes: what was compared with it once
    is compared again at no cost.
    """

    def __init__(self, service: Obj, zones: Mapping[str, str], pods: Iterable[Obj] = ()) -> None:
        """`zones` are by node; `pods` are those of the Service's namespace."""
        self._service = service
        self._zones = zones
        self._backends: dict[str, Backend] = {}
        self._names: list[str] = []  # in order
        self.endpoints: dict[tuple[Port, ...], dict[str, Obj]] = {}
        """By ports, then by the pod's uid."""
        for pod in pods:
            self.put(pod)

    def suits(self, service: Obj, zones: Mapping[str, str]) -> bool:
        """Whether a roster made now would be the same."""
        is_same = self._service is service or self._service["spec"] == service["spec"]
        return is_same and self._zones == zones

    def backends(self) -> list[Backend]:
        """All of them, in order of their names."""
        return [self._backends[name] for name in self._names]

    def put(self, pod: Obj) -> None:
        """A pod came or changed; it may be none that the Service selects."""
        name = pod["metadata"]["name"]
        found = backend_of(self._service, pod, self._zones)
        if found == self._backends.get(name):
            return
        self.drop(name)
        if found is not None:
            self._backends[name] = found
            insort(self._names, name)
            self.endpoints.setdefault(found.ports, {})[found.uid] = found.endpoint

    def drop(self, name: str) -> None:
        """The pod of that name is gone."""
        known = self._backends.pop(name, None)
        if known is None:
            return
        del self._names[bisect_left(self._names, name)]
        group = self.endpoints[known.ports]
        del group[known.uid]
        if not group:
            del self.endpoints[known.ports]
