"""A container's environment and command line. Source: kubernetes pkg/kubelet/kubelet_pods.go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drumroll.domain.expansion import expand
from drumroll.domain.expansion_fields import PodPlace, field_value, resource_value
from drumroll.domain.expansion_services import service_environment
from drumroll.domain.pod import all_containers
from drumroll.node.agent_context import NodeContext
from drumroll.node.runtime import RootImage
from drumroll.node.volumes_content import decoded_data
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import CONFIG_MAP, SECRET, Kind
from drumroll.objects.meta import Obj


class ConfigError(Exception):
    """Something that the container's configuration names is missing: CreateContainerConfigError."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """How to run a container."""

    argv: tuple[str, ...]
    env: dict[str, str]
    working_dir: str


async def build_invocation(context: NodeContext, pod: Obj, container: Obj, image: RootImage, pod_ip: str) -> Invocation:
    """Command, environment and working folder of a container. Raises ConfigError."""
    place = context.place(pod_ip)
    declared = await _Builder(context, pod, container, place).build()
    env = {**image.env, "HOSTNAME": hostname_of(pod), **declared}
    command = [expand(part, declared) for part in container.get("command") or ()]
    args = [expand(part, declared) for part in container.get("args") or ()]
    argv = (*command, *args) if command else (*image.entrypoint, *(args or image.command))
    if not argv:
        raise ConfigError(f'no command specified: neither container "{container["name"]}" nor its image has one')
    return Invocation(tuple(argv), env, container.get("workingDir") or image.working_dir or "/")


def hostname_of(pod: Obj) -> str:
    """The pod's host name: its own or its name, at most 63 characters."""
    name = str(pod["spec"].get("hostname") or pod["metadata"]["name"])
    return name[:63].rstrip("-.")


class _Builder:
    """Collects variables in order: Services, envFrom, env."""

    def __init__(self, context: NodeContext, pod: Obj, container: Obj, place: PodPlace) -> None:
        self._context = context
        self._pod = pod
        self._container = container
        self._place = place
        self._namespace = pod["metadata"]["namespace"]
        self._fetched: dict[tuple[str, str], dict[str, bytes] | None] = {}

    async def build(self) -> dict[str, str]:
        values: dict[str, str] = {}
        for source in self._container.get("envFrom") or ():
            values |= await self._from(source)
        links = self._service_links()
        for variable in self._container.get("env") or ():
            value = await self._value(variable, {**links, **values})
            if value is not None:
                values[variable["name"]] = value
        return {**links, **values}

    def _service_links(self) -> dict[str, str]:
        namespace = self._namespace if self._pod["spec"].get("enableServiceLinks", True) else ""
        return service_environment(self._context.services.items(), namespace, self._context.network.low_port_offset)

    async def _from(self, source: Mapping[str, Any]) -> dict[str, str]:
        kind = CONFIG_MAP if source.get("configMapRef") else SECRET
        reference = source.get("configMapRef") or source["secretRef"]
        data = await self._data(kind, reference["name"])
        if data is None:
            if reference.get("optional"):
                return {}
            raise ConfigError(f'{kind.singular} "{reference["name"]}" not found')
        prefix = source.get("prefix") or ""
        return {f"{prefix}{key}": value.decode(errors="replace") for key, value in data.items()}

    async def _value(self, variable: Mapping[str, Any], known: Mapping[str, str]) -> str | None:
        source = variable.get("valueFrom")
        if not source:
            return expand(variable.get("value") or "", known)
        if reference := source.get("fieldRef"):
            try:
                return field_value(self._pod, reference["fieldPath"], self._place)
            except ValueError as error:
                raise ConfigError(str(error)) from error
        if reference := source.get("resourceFieldRef"):
            name = reference.get("containerName") or self._container["name"]
            container = next(c for c in all_containers(self._pod) if c["name"] == name)
            return resource_value(container, reference, self._place)
        kind, reference = (
            (CONFIG_MAP, source["configMapKeyRef"]) if "configMapKeyRef" in source else (SECRET, source["secretKeyRef"])
        )
        return await self._key(kind, reference)

    async def _key(self, kind: Kind, reference: Mapping[str, Any]) -> str | None:
        data = await self._data(kind, reference["name"])
        if data is not None and reference["key"] in data:
            return data[reference["key"]].decode(errors="replace")
        if reference.get("optional"):
            return None
        if data is None:
            raise ConfigError(f'{kind.singular} "{reference["name"]}" not found')
        raise ConfigError(f"couldn't find key {reference['key']} in {kind.name} {self._namespace}/{reference['name']}")

    async def _data(self, kind: Kind, name: str) -> dict[str, bytes] | None:
        if (kind.name, name) not in self._fetched:
            try:
                obj = await self._context.client.get(kind, self._namespace, name)
            except NotFound:
                self._fetched[kind.name, name] = None
            else:
                self._fetched[kind.name, name] = decoded_data({"kind": kind.name, **obj})
        return self._fetched[kind.name, name]
