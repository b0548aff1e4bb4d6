"""Rules for containers: image, ports, environment, mounts, security. Source: pkg/apis/core/validation/validation.go."""

from dataclasses import dataclass

from drumroll.domain.validation.field import (
    Errors,
    duplicate,
    forbidden,
    in_range,
    invalid,
    not_found,
    one_of,
    required,
    unsupported,
)
from drumroll.domain.validation.names import (
    config_key_faults,
    label_faults,
    port_name_faults,
    qualified_faults,
    subdomain_faults,
    variable_faults,
)
from drumroll.domain.validation.probe import validate_lifecycle, validate_probes
from drumroll.domain.validation.resources import validate_resources
from drumroll.objects.meta import Obj

PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_FIELD_PATHS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_RESOURCE_FIELDS = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage",
    "requests.memory",
)  # fmt: skip
_ONLY_SIDECARS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_MOST_ID = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class PodContext:
    """What the rules for one container need to know of its pod. `grace` is in seconds."""

    volumes: dict[str, Obj]
    grace: int | None
    is_template: bool


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
    names = {container.get("name") for container in main}
    for index, container in enumerate(containers):
        where, name = f"{path}[{index}]", container.get("name") or ""
        yield from _validate_container(container, context, where)
        policy = container.get("restartPolicy")
        if policy not in (None, "Always"):
            yield unsupported(f"{where}.restartPolicy", policy, ["Always"])
        if name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name)
        yield from _validate_host_ports([container], path)
        if policy == "Always":
            yield from validate_lifecycle(container.get("lifecycle"), context.grace, f"{where}.lifecycle")
            yield from validate_probes(container, where)
        else:
            for field in _ONLY_SIDECARS:
                if container.get(field) is not None:
                    text = "may not be set for init containers without restartPolicy=Always"
                    yield forbidden(f"{where}.{field}", text)


def _validate_container(container: Obj, context: PodContext, path: str) -> Errors:
    name, image = container.get("name") or "", container.get("image") or ""
    if not name:
        yield required(f"{path}.name")
    for fault in label_faults(name) if name else ():
        yield invalid(f"{path}.name", name, fault)
    if not image:
        yield required(f"{path}.image")
    elif not context.is_template and image != image.strip():
        yield invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    yield from one_of(f"{path}.terminationMessagePolicy", container.get("terminationMessagePolicy"), _MESSAGE_POLICIES)
    if container.get("ports"):
        yield from _validate_ports(container["ports"], f"{path}.ports")
    if container.get("env"):
        yield from _validate_environment(container["env"], f"{path}.env")
    for index, source in enumerate(container.get("envFrom") or ()):
        yield from _validate_environment_source(source, index, f"{path}.envFrom")
    if container.get("volumeMounts"):
        yield from _validate_mounts(container, context.volumes, f"{path}.volumeMounts")
    yield from one_of(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), _PULL_POLICIES)
    if container.get("resources"):
        yield from validate_resources(container["resources"], f"{path}.resources")
    if container.get("securityContext"):
        yield from validate_identities(container["securityContext"], f"{path}.securityContext")
        yield from _validate_privileges(container["securityContext"], f"{path}.securityContext")


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


def _validate_environment(variables: list[Obj], path: str) -> Errors:
    for index, variable in enumerate(variables):
        name = variable.get("name") or ""
        if not name:
            yield required(f"{path}[{index}].name")
        for fault in variable_faults(name) if name else ():
            yield invalid(f"{path}[{index}].name", name, fault)
        if variable.get("valueFrom") is not None:
            yield from _validate_value_source(variable, f"{path}[{index}].valueFrom")


def _validate_value_source(variable: Obj, path: str) -> Errors:
    source = variable["valueFrom"]
    n_sources = 0
    if source.get("fieldRef") is not None:
        n_sources += 1
        yield from validate_field_reference(source["fieldRef"], _FIELD_PATHS, f"{path}.fieldRef")
    if source.get("resourceFieldRef") is not None:
        n_sources += 1
        yield from _validate_resource_reference(source["resourceFieldRef"], f"{path}.resourceFieldRef")
    for field in ("configMapKeyRef", "secretKeyRef"):
        if source.get(field) is not None:
            n_sources += 1
            yield from _validate_key_reference(source[field], f"{path}.{field}")
    if not n_sources:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        yield invalid(path, "", text)
    elif variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif n_sources > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def validate_field_reference(reference: Obj, supported: tuple[str, ...], path: str) -> Errors:
    """A field of the pod that becomes a variable or a file."""
    field = reference.get("fieldPath") or ""
    if not field:
        yield required(f"{path}.fieldPath")
        return
    base, bracket, rest = field.partition("['")
    if bracket and rest.endswith("']"):
        key = rest[:-2]
        if base not in ("metadata.annotations", "metadata.labels"):
            yield invalid(path, base, "does not support subscript")
        for fault in qualified_faults(key.lower() if base == "metadata.annotations" else key):
            yield invalid(path, key, fault)
    elif field not in supported:
        if field.split(".")[0] in ("metadata", "spec", "status") and field in _KNOWN_FIELDS:
            yield unsupported(f"{path}.fieldPath", field, supported)
        else:
            text = f"error converting fieldPath: field label not supported: {field}"
            yield invalid(f"{path}.fieldPath", field, text)


_KNOWN_FIELDS = (*_FIELD_PATHS, "metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName",
                 "status.phase", "spec.hostNetwork")  # fmt: skip


def _validate_resource_reference(reference: Obj, path: str) -> Errors:
    resource = reference.get("resource") or ""
    if not resource:
        yield required(f"{path}.resource")
    elif resource not in _RESOURCE_FIELDS and not resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        yield unsupported(f"{path}.resource", resource, _RESOURCE_FIELDS)


def _validate_key_reference(reference: Obj, path: str) -> Errors:
    name, key = reference.get("name") or "", reference.get("key") or ""
    for fault in subdomain_faults(name):
        yield invalid(f"{path}.name", name, fault)
    if not key:
        yield required(f"{path}.key")
    for fault in config_key_faults(key) if key else ():
        yield invalid(f"{path}.key", key, fault)


def _validate_environment_source(source: Obj, index: int, path: str) -> Errors:
    where, prefix = f"{path}[{index}]", source.get("prefix") or ""
    for fault in variable_faults(prefix) if prefix else ():
        yield invalid(f"{where}.prefix", prefix, fault)
    n_sources = 0
    for field in ("configMapRef", "secretRef"):
        if source.get(field) is not None:
            n_sources += 1
            name = source[field].get("name") or ""
            if not name:
                yield required(f"{where}.{field}.name")
            for fault in subdomain_faults(name) if name else ():
                yield invalid(f"{where}.{field}.name", name, fault)
    if not n_sources:
        yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
    elif n_sources > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def _validate_mounts(container: Obj, volumes: dict[str, Obj], path: str) -> Errors:
    mounted: set[str] = set()
    for index, mount in enumerate(container["volumeMounts"]):
        where = f"{path}[{index}]"
        name, target = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            yield required(f"{where}.name")
        if name not in volumes:
            yield not_found(f"{where}.name", name)
        if not target:
            yield required(f"{where}.mountPath")
        if target in mounted:
            yield invalid(f"{where}.mountPath", target, "must be unique")
        mounted.add(target)
        for field in ("subPath", "subPathExpr"):
            if mount.get(field):
                yield from validate_local_path(mount[field], f"{path}.{field}")
        if mount.get("subPath") and mount.get("subPathExpr"):
            text = "subPathExpr and subPath are mutually exclusive"
            yield invalid(f"{where}.subPathExpr", mount["subPathExpr"], text)
        if mount.get("mountPropagation") is not None:
            supported = ("Bidirectional", "HostToContainer", "None")
            yield from one_of(f"{path}.mountPropagation", mount["mountPropagation"], supported)


def validate_local_path(path: str, field: str) -> Errors:
    """A path that stays below where it starts."""
    if path.startswith("/"):
        yield invalid(field, path, "must be a relative path")
    if ".." in path.split("/"):
        yield invalid(field, path, "must not contain '..'")


def validate_identities(security: Obj, path: str) -> Errors:
    """User and group ids of a pod or container."""
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        if security.get(field) is not None:
            yield from in_range(f"{path}.{field}", security[field], 0, _MOST_ID)
    for index, group in enumerate(security.get("supplementalGroups") or ()):
        yield from in_range(f"{path}.supplementalGroups[{index}]", group, 0, _MOST_ID)


def _validate_privileges(security: Obj, path: str) -> Errors:
    if security.get("allowPrivilegeEscalation") is not False:
        return
    if security.get("privileged"):
        text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        yield invalid(path, security, text)
    if "CAP_SYS_ADMIN" in ((security.get("capabilities") or {}).get("add") or ()):
        text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
        yield invalid(path, security, text)
