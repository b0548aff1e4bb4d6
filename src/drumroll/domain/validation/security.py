"""Rules for the security contexts of pods and containers. Source: pkg/apis/core/validation/validation.go."""

import re
from collections.abc import Iterator, Mapping

from drumroll.domain.validation.field import (
    Errors,
    duplicate,
    each,
    forbidden,
    in_range,
    in_words_of_go,
    invalid,
    known,
    required,
    too_long,
    unsupported,
)
from drumroll.domain.validation.names import subdomain_faults
from drumroll.domain.validation.paths import validate_local_path
from drumroll.objects.meta import Obj

_MOST_ID = 2**31 - 1
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_SYSCTL = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_SYSCTL_RE = re.compile(_SYSCTL)
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "fs.mqueue.")
_CONTEXT = (
    "capabilities", "privileged", "seLinuxOptions", "windowsOptions", "runAsUser", "runAsGroup", "runAsNonRoot",
    "readOnlyRootFilesystem", "allowPrivilegeEscalation", "procMount", "seccompProfile", "appArmorProfile",
)  # fmt: skip
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_NOT_BOTH = "cannot set `allowPrivilegeEscalation` to false and "
_USER_NAME = "runAsUserName"


def validate_pod_security(spec: Obj, path: str) -> Errors:
    """What holds for all containers of a pod; `path` is the spec's."""
    security, path = spec.get("securityContext") or {}, f"{path}.securityContext"
    for field in ("fsGroup", "runAsUser", "runAsGroup"):
        if security.get(field) is not None:
            yield from in_range(f"{path}.{field}", security[field], 0, _MOST_ID)
    for index, group in enumerate(security.get("supplementalGroups") or ()):
        yield from in_range(f"{path}.supplementalGroups[{index}]", group, 0, _MOST_ID)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield invalid(f"{path}.shareProcessNamespace", True, text)
    if security.get("sysctls"):
        yield from _validate_sysctls(security["sysctls"], spec, f"{path}.sysctls")
    yield from known(f"{path}.fsGroupChangePolicy", security.get("fsGroupChangePolicy"), ("Always", "OnRootMismatch"))
    yield from _validate_profiles(security, path)
    policy = security.get("supplementalGroupsPolicy")
    yield from known(f"{path}.supplementalGroupsPolicy", policy, ("Merge", "Strict"))
    yield from known(f"{path}.seLinuxChangePolicy", security.get("seLinuxChangePolicy"), ("MountOption", "Recursive"))


def _validate_sysctls(sysctls: list[Obj], spec: Obj, path: str) -> Errors:
    names: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        name, where = sysctl.get("name") or "", f"{path}[{index}].name"
        if not name:
            yield required(where)
        elif len(name) > 253 or not _SYSCTL_RE.match(name):
            yield invalid(where, name, f"must have at most 253 characters and match regex {_SYSCTL}")
        elif name in names:
            yield duplicate(where, name)
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith("net."):
            yield invalid(where, name, "may not be specified when 'hostNetwork' is true")
        elif spec.get("hostIPC") and (dotted == "kernel.sem" or dotted.startswith(_IPC_SYSCTLS)):
            yield invalid(where, name, "may not be specified when 'hostIPC' is true")
        names.add(name)


def validate_container_security(security: Obj, path: str, host_users: bool) -> Errors:
    """What one container may do. With `host_users` it has the node's user ids."""
    for field in ("runAsUser", "runAsGroup"):
        if security.get(field) is not None:
            yield from in_range(f"{path}.{field}", security[field], 0, _MOST_ID)
    mount = security.get("procMount")
    yield from known(f"{path}.procMount", mount, ("Default", "Unmasked"))
    if host_users and mount == "Unmasked":
        yield invalid(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`")
    yield from _validate_seccomp(security.get("seccompProfile"), f"{path}.seccompProfile")
    if security.get("allowPrivilegeEscalation") is False:
        if security.get("privileged"):
            yield invalid(path, _shown(security), f"{_NOT_BOTH}`privileged` to true")
        for capability in (security.get("capabilities") or {}).get("add") or ():
            if capability == "CAP_SYS_ADMIN":
                yield invalid(path, _shown(security), f"{_NOT_BOTH}`capabilities.Add` CAP_SYS_ADMIN")
    yield from _validate_windows(security.get("windowsOptions"), f"{path}.windowsOptions")
    yield from _validate_app_armor(security.get("appArmorProfile"), f"{path}.appArmorProfile")


def _shown(security: Obj) -> Obj | None:
    capabilities = in_words_of_go(security.get("capabilities"), "add", "drop")
    shown = in_words_of_go(security, *_CONTEXT) or {}
    return {("SELinuxOptions" if field == "SeLinuxOptions" else field): value for field, value in shown.items()} | {
        "Capabilities": capabilities
    }


def _validate_profiles(security: Obj, path: str) -> Errors:
    yield from _validate_seccomp(security.get("seccompProfile"), f"{path}.seccompProfile")
    yield from _validate_windows(security.get("windowsOptions"), f"{path}.windowsOptions")
    yield from _validate_app_armor(security.get("appArmorProfile"), f"{path}.appArmorProfile")


def _validate_seccomp(profile: Obj | None, path: str) -> Errors:
    if profile is None:
        return
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    if not kind:
        yield required(f"{path}.type", "type is required when seccompProfile is set")
    elif kind not in _PROFILES:
        yield unsupported(f"{path}.type", kind, _PROFILES)
    if kind == "Localhost":
        if local is None:
            yield required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost")
        else:
            yield from validate_local_path(local, f"{path}.localhostProfile")
    elif local is not None:
        shown = in_words_of_go(profile, "type", "localhostProfile")
        yield invalid(f"{path}.localhostProfile", shown, "can only be set when seccomp type is Localhost")


def _validate_app_armor(profile: Obj | None, path: str) -> Errors:
    if profile is None:
        return
    kind, local, where = profile.get("type") or "", profile.get("localhostProfile"), f"{path}.localhostProfile"
    needed = "must be set when AppArmor type is Localhost"
    if kind == "Localhost":
        if local is None:
            yield required(where, needed)
            return
        if local != local.strip():
            yield invalid(where, local, "must not be padded with whitespace")
        elif not local:
            yield required(where, needed)
        if len(local) > 4095:
            yield too_long(where, 4095)
    elif kind in _PROFILES:
        if local is not None:
            yield invalid(where, local, "can only be set when AppArmor type is Localhost")
    elif kind:
        yield unsupported(f"{path}.type", kind, _PROFILES)
    else:
        yield required(f"{path}.type", "type is required when appArmorProfile is set")


def _validate_windows(options: Obj | None, path: str) -> Errors:
    if options is None:
        return
    name, content = options.get("gmsaCredentialSpecName"), options.get("gmsaCredentialSpec")
    if name is not None:
        yield from each(f"{path}.gmsaCredentialSpecName", name, subdomain_faults(name))
    if content == "":
        yield invalid(f"{path}.gmsaCredentialSpec", content, "gmsaCredentialSpec cannot be an empty string")
    elif content is not None and len(content) > 64 * 1024:
        yield invalid(f"{path}.gmsaCredentialSpec", content, "gmsaCredentialSpec size must be under 64 KiB")
    if options.get(_USER_NAME) is not None:
        faults = _user_faults(options[_USER_NAME])
        yield from each(f"{path}.{_USER_NAME}", options[_USER_NAME], (f"{_USER_NAME}{fault}" for fault in faults))


def _user_faults(name: str) -> Iterator[str]:
    """What is wrong with DOMAIN\\USER, as words that follow the field's name."""
    if not name:
        yield " cannot be an empty string"
    elif any(ord(mark) < 32 or ord(mark) == 127 for mark in name):
        yield " cannot contain control characters"
    elif name.count("\\") > 1:
        yield " cannot contain more than one backslash"
    else:
        domain, slash, user = name.rpartition("\\")
        if len(domain) >= 256:
            yield "'s Domain length must be under 256 characters"
        label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
        shapes = (r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}', rf"{label}(?:\.{label})*")
        if slash and not any(re.fullmatch(shape, domain) for shape in shapes):
            yield "'s Domain doesn't match the NetBios nor the DNS format"
        if not user:
            yield "'s User cannot be empty"
        elif len(user) > 104:
            yield "'s User length must not be longer than 104 characters"
        if re.fullmatch("[. ]+", user):
            yield "'s User cannot contain only periods or spaces"
        if re.search(r'["/\\:;|=,+*?<>@\[\]]', user):
            yield "'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"


def validate_security_annotations(annotations: Mapping[str, str], names: set[str], path: str) -> Errors:
    """The old way to ask for profiles, by annotations; `names` are those of all containers."""
    if _SECCOMP_POD in annotations:
        yield from _validate_old_seccomp(annotations[_SECCOMP_POD], f"{path}.{_SECCOMP_POD}")
    for key, profile in annotations.items():
        if key.startswith(_SECCOMP_CONTAINER):
            yield from _validate_old_seccomp(profile, f"{path}.{key}")
    for key, profile in annotations.items():
        if key.startswith(_APP_ARMOR):
            name = key.removeprefix(_APP_ARMOR)
            if name not in names:
                yield invalid(f"{path}[{key}]", name, "container not found")
            if profile not in ("", "runtime/default", "unconfined") and not profile.startswith("localhost/"):
                yield invalid(f"{path}[{key}]", profile, f'invalid AppArmor profile name: "{profile}"')


def validate_same_security_annotations(new: Mapping[str, str], old: Mapping[str, str], path: str) -> Errors:
    """What was asked for by annotations stays as long as the pod does."""
    for key in old:
        if new.get(key) != old[key] and key.startswith(_APP_ARMOR):
            yield forbidden(f"{path}[{key}]", "may not remove or update AppArmor annotations")
    for key in new:
        if key not in old and key.startswith(_APP_ARMOR):
            yield forbidden(f"{path}[{key}]", "may not add AppArmor annotations")


def _validate_old_seccomp(profile: str, path: str) -> Errors:
    if profile.startswith("localhost/"):
        yield from validate_local_path(profile.removeprefix("localhost/"), path)
    elif profile not in ("runtime/default", "docker/default", "unconfined"):
        yield invalid(path, profile, "must be a valid seccomp profile")
