"""From a path to what it names. The grammar is the API's; the words in it come from the table of kinds."""

from dataclasses import dataclass

from drumroll.apiserver.failures import no_resource
from drumroll.apiserver.registry import STATIC, Registry
from drumroll.objects.kinds import Kind


@dataclass(frozen=True, slots=True)
class Target:
    """A collection (`name` empty), an object or a subresource. `namespace` is empty for all namespaces."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> str:
        """The store's key of the object."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def prefix(self) -> str:
        """The store's key prefix of the collection."""
        return f"{self.namespace}/" if self.namespace else ""


def parse(path: str, registry: Registry = STATIC) -> Target | None:
    """What a path below /api or /apis names; None when it is no resource path at all.

    Raises NotFound when it has the form of one, and no such resource is served.
    """
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        group, tail = "", parts[1:]
    elif parts[0] == "apis" and len(parts) > 2:
        group, tail = parts[1], parts[2:]
    else:
        return None
    if len(tail) < 2 or not registry.has_group(group):
        return None
    version, tail = tail[0], tail[1:]
    if not registry.has_version(group, version):
        raise no_resource()
    return _target(group, version, tail, registry)


def _target(group: str, version: str, tail: list[str], registry: Registry) -> Target:
    if not all(tail):
        raise no_resource()
    namespace = ""
    is_inside_namespace = tail[0] == "namespaces" and len(tail) > 2 and (group or tail[2] not in ("status", "finalize"))
    if is_inside_namespace:
        namespace, tail = tail[1], tail[2:]
    kind = registry.find(group, version, tail[0])
    if kind is None or (namespace and not kind.namespaced) or len(tail) > 3:
        raise no_resource()
    name, subresource = (*tail[1:3], "", "")[:2]
    if subresource and subresource not in kind.subresources:
        raise no_resource()
    if name and kind.namespaced and not namespace:
        raise no_resource()
    return Target(kind, namespace, name, subresource)
