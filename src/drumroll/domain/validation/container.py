"""Rules for containers: image, ports, pulling, resizing, life. Source: pkg/apis/core/validation/validation.go."""

from collections.abc import Mapping
from dataclasses import dataclass

from drumroll.domain.validation.environment import validate_environment, validate_environment_sources
from drumroll.domain.validation.field import (
    Errors,
    duplicate,
    each,
    forbidden,
    in_range,
    invalid,
    not_found,
    one_of,
    required,
    unsupported,
)
from drumroll.domain.validation.mounts import validate_devices, validate_mounts
from drumroll.domain.validation.names import label_faults, port_name_faults
from drumroll.domain.validation.probe import validate_lifecycle, validate_probes
from drumroll.domain.validation.resources import validate_resources
from drumroll.domain.validation.security import validate_container_security
from drumroll.objects.meta import Obj

PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_ONLY_SIDECARS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_NOT_EPHEMERAL = (
    "ports", "resources", "resizePolicy", "restartPolicy", "livenessProbe", "readinessProbe", "startupProbe",
    "lifecycle",
)  # fmt: skip
_EPHEMERAL = "cannot be set for an Ephemeral Container"
_RESIZED, _RESIZINGS = ("cpu", "memory"), ("NotRequired", "RestartContainer")


@dataclass(frozen=True, slots=True)
class PodContext:
    """What the rules for one container need to know of its pod. `grace` is in seconds."""

    volumes: Mapping[str, Obj]
    grace: int | None
    is_template: bool
    restart_policy: str = "Always"
    host_users: bool = True
    claims: frozenset[str] = frozenset()


def validate_containers(containers: list[Obj], context: PodContext, path: str) -> Errors:
    """The pod's main containers: at least one, with unique names and host ports."""
    if not containers:
        yield required(path)
    names: set[str] = set()
    for index, container in enumerate(containers):
        where, name = f"{path}[{index}]", container.get("name") or ""
        yield from _validate_container(container, context, where)
        if name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name)
        yield from validate_lifecycle(container.get("lifecycle"), context.grace, f"{where}.lifecycle")
        yield from validate_probes(container, where)
        if container.get("restartPolicy") is not None:
            yield forbidden(f"{where}.restartPolicy", "may not be set for non-init containers")
    yield from _validate_host_ports(containers, path)


def validate_init_containers(containers: list[Obj], main: list[Obj], context: PodContext, path: str) -> Errors:
    """Containers that run first, or, with restartPolicy Always, beside the main ones."""
    names = {container.get("name") or "" for container in main}
    for index, container in enumerate(containers):
        where, name = f"{path}[{index}]", container.get("name") or ""
        yield from _validate_container(container, context, where)
        policy = container.get("restartPolicy")
        if policy not in (None, "Always"):
            yield unsupported(f"{where}.restartPolicy", policy, ["Always"])
        if name in names:
            yield duplicate(f"{where}.name", name)
        names |= {name} - {""}
        yield from _validate_host_ports([container], path)
        if policy == "Always":
            yield from validate_lifecycle(container.get("lifecycle"), context.grace, f"{where}.lifecycle")
            yield from validate_probes(container, where)
        else:
            for field in _ONLY_SIDECARS:
                if container.get(field) is not None:
                    text = "may not be set for init containers without restartPolicy=Always"
                    yield forbidden(f"{where}.{field}", text)


def validate_ephemeral_containers(spec: Obj, context: PodContext, path: str) -> Errors:
    """Containers added to a running pod to look at it: they serve nobody, so they have no ports and no probes."""
    others = {one.get("name") for field in ("containers", "initContainers") for one in spec.get(field) or ()}
    names = set(others)
    for index, container in enumerate(spec.get("ephemeralContainers") or ()):
        where, name = f"{path}[{index}]", container.get("name") or ""
        yield from _validate_container(container, context, where)
        yield from validate_image(container, where)
        if name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name)
        target = container.get("targetContainerName") or ""
        if target and target not in others:
            yield not_found(f"{where}.targetContainerName", target)
        for field in _NOT_EPHEMERAL:
            if container.get(field):
                yield forbidden(f"{where}.{field}", _EPHEMERAL)
        for position, mount in enumerate(container.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    yield forbidden(f"{where}.volumeMounts[{position}].{field}", _EPHEMERAL)


def _validate_container(container: Obj, context: PodContext, path: str) -> Errors:
    name = container.get("name") or ""
    if not name:
        yield required(f"{path}.name")
    else:
        yield from each(f"{path}.name", name, label_faults(name))
    if not container.get("image"):
        yield required(f"{path}.image")
    yield from one_of(f"{path}.terminationMessagePolicy", container.get("terminationMessagePolicy"), _MESSAGE_POLICIES)
    if container.get("ports"):
        yield from _validate_ports(container["ports"], f"{path}.ports")
    if container.get("env"):
        yield from validate_environment(container["env"], f"{path}.env")
    if container.get("envFrom"):
        yield from validate_environment_sources(container["envFrom"], f"{path}.envFrom")
    if container.get("volumeMounts"):
        yield from validate_mounts(container, context.volumes, f"{path}.volumeMounts")
    if container.get("volumeDevices"):
        yield from validate_devices(container, context.volumes, f"{path}.volumeDevices")
    yield from one_of(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), _PULL_POLICIES)
    if container.get("resources"):
        yield from validate_resources(container["resources"], f"{path}.resources", context.claims)
    if container.get("resizePolicy"):
        yield from _validate_resizing(container["resizePolicy"], context.restart_policy, f"{path}.resizePolicy")
    if container.get("securityContext"):
        security = container["securityContext"]
        yield from validate_container_security(security, f"{path}.securityContext", context.host_users)


def validate_image(container: Obj, path: str) -> Errors:
    """An image's name has no blanks around it; templates may, for reasons of age."""
    image = container.get("image") or ""
    if image != image.strip():
        yield invalid(f"{path}.image", image, "must not have leading or trailing whitespace")


def _validate_resizing(policies: list[Obj], restart_policy: str, path: str) -> Errors:
    """What a change of resources does to a running container."""
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        resource, action = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if resource in seen:
            yield duplicate(f"{path}[{index}]", resource)
        seen.add(resource)
        yield from one_of(path, resource, _RESIZED)
        yield from one_of(path, action, _RESIZINGS)
        if restart_policy == "Never" and action != "NotRequired":
            yield invalid(path, action, "must be 'NotRequired' when `restartPolicy` is 'Never'")


def _validate_ports(ports: list[Obj], path: str) -> Errors:
    names: set[str] = set()
    for index, port in enumerate(ports):
        where, name = f"{path}[{index}]", port.get("name") or ""
        faults = port_name_faults(name) if name else ()
        for fault in faults:
            yield invalid(f"{where}.name", name, fault)
        if name and not faults:
            if name in names:
                yield duplicate(f"{where}.name", name)
            names.add(name)
        number = port.get("containerPort") or 0
        if number:
            yield from in_range(f"{where}.containerPort", number, 1, 65535)
        else:
            yield required(f"{where}.containerPort")
        if port.get("hostPort"):
            yield from in_range(f"{where}.hostPort", port["hostPort"], 1, 65535)
        yield from one_of(f"{where}.protocol", port.get("protocol"), PROTOCOLS)


def _validate_host_ports(containers: list[Obj], path: str) -> Errors:
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for position, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort"):
                text = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
                if text in taken:
                    yield duplicate(f"{path}[{index}].ports[{position}].hostPort", text)
                taken.add(text)
