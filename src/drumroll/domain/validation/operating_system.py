"""Rules for pods that say which operating system they need. Source: pkg/apis/core/validation/validation.go."""

from collections.abc import Iterator

from drumroll.domain.validation.field import Errors, forbidden, invalid, required, unsupported
from drumroll.objects.meta import Obj

_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_NOT_ON_WINDOWS = (
    "securityContext.appArmorProfile", "securityContext.seLinuxOptions", "hostUsers", "hostPID", "hostIPC",
    "securityContext.seccompProfile", "securityContext.fsGroup", "securityContext.fsGroupChangePolicy",
    "securityContext.sysctls", "shareProcessNamespace", "securityContext.runAsUser", "securityContext.runAsGroup",
    "securityContext.supplementalGroups", "securityContext.supplementalGroupsPolicy",
    "securityContext.seLinuxChangePolicy",
)  # fmt: skip
_NOT_IN_CONTAINERS = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)  # fmt: skip
_NO_WINDOWS = "windows options cannot be set for a linux pod"


def all_containers(spec: Obj, path: str) -> Iterator[tuple[Obj, str]]:
    """Each container of a pod with its path, in the order in which the original visits them."""
    for field in _CONTAINER_LISTS:
        for index, container in enumerate(spec.get(field) or ()):
            yield container, f"{path}.{field}[{index}]"


def validate_operating_system(spec: Obj, path: str) -> Errors:
    """A pod for one system has no settings of the other."""
    name = spec["os"].get("name") or ""
    if not name:
        yield required(f"{path}.os.name", "cannot be empty")
    elif name == "linux":
        yield from _validate_linux(spec, path)
    elif name == "windows":
        yield from _validate_windows(spec, path)
    else:
        yield unsupported(f"{path}.os", name, ("linux", "windows"))


def _validate_linux(spec: Obj, path: str) -> Errors:
    if (spec.get("securityContext") or {}).get("windowsOptions") is not None:
        yield forbidden(f"{path}.securityContext.windowsOptions", _NO_WINDOWS)
    for container, where in all_containers(spec, path):
        if (container.get("securityContext") or {}).get("windowsOptions") is not None:
            yield forbidden(f"{where}.securityContext.windowsOptions", _NO_WINDOWS)


def _validate_windows(spec: Obj, path: str) -> Errors:
    security = spec.get("securityContext") or {}
    for field in _NOT_ON_WINDOWS:
        _, dot, inner = field.partition(".")
        value = security.get(inner) if dot else spec.get(field)
        if value is not None and value is not (False if field in ("hostPID", "hostIPC") else None):
            yield forbidden(f"{path}.{field}", "cannot be set for a windows pod")
    for container, where in all_containers(spec, path):
        for field in _NOT_IN_CONTAINERS:
            if (container.get("securityContext") or {}).get(field) is not None:
                yield forbidden(f"{where}.securityContext.{field}", "cannot be set for a windows pod")


def validate_host_processes(spec: Obj, path: str) -> Errors:
    """Containers of Windows that are processes of the node: all of a pod's, or none."""
    whole = _host_process(spec)
    n_containers = n_on_host = 0
    for container, where in all_containers(spec, path):
        n_containers += 1
        own = _host_process(container)
        if whole is not None and own is not None and whole != own:
            text = f"pod hostProcess value must be identical if both are specified, was {str(whole).lower()}"
            yield invalid(f"{where}.securityContext.windowsOptions.hostProcess", own, text)
        n_on_host += bool(own if own is not None else whole)
    if not n_on_host:
        return
    if n_on_host != n_containers:
        text = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        yield invalid(path, "", text)
    if not spec.get("hostNetwork"):
        text = "hostNetwork must be true if pod contains any hostProcess containers"
        yield invalid(f"{path}.hostNetwork", False, text)


def _host_process(holder: Obj) -> bool | None:
    options = (holder.get("securityContext") or {}).get("windowsOptions") or {}
    found: bool | None = options.get("hostProcess")
    return found


def validate_host_users(spec: Obj, path: str) -> Errors:
    """A pod with user ids of its own shares no other namespace with the node."""
    if spec.get("hostUsers") is not False:
        return
    for field, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
        if spec.get(field):
            yield forbidden(f"{path}.{shown}", "when `pod.Spec.HostUsers` is false")
