"""Rules for pods and pod templates. Source: pkg/apis/core/validation/validation.go."""

import json
from difflib import unified_diff

from drumroll.domain.validation.container import (
    PodContext,
    validate_containers,
    validate_identities,
    validate_init_containers,
)
from drumroll.domain.validation.field import Errors, forbidden, in_range, invalid, one_of, required, unsupported
from drumroll.domain.validation.metadata import (
    validate_annotations,
    validate_labels,
    validate_metadata,
    validate_metadata_update,
)
from drumroll.domain.validation.names import (
    address_faults,
    label_faults,
    qualified_faults,
    subdomain_faults,
    value_faults,
)
from drumroll.domain.validation.volume import validate_volumes
from drumroll.objects.meta import Obj

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_MOST_SECONDS = 2**31 - 1
_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate_pod(pod: Obj) -> Errors:
    """The rules for a new pod."""
    yield from _validate_whole(pod)
    spec = pod.get("spec") or {}
    if spec.get("ephemeralContainers"):
        yield forbidden("spec.ephemeralContainers", "cannot be set on create")
    if spec.get("nodeName") and spec.get("schedulingGates"):
        yield forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")


def _validate_whole(pod: Obj) -> Errors:
    yield from validate_metadata(pod["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from validate_pod_spec(pod.get("spec") or {}, "spec")


def validate_template(template: Obj, path: str) -> Errors:
    """The rules for the template of a workload's pods."""
    meta = template.get("metadata") or {}
    yield from validate_labels(meta.get("labels"), f"{path}.labels")
    yield from validate_annotations(meta.get("annotations"), f"{path}.annotations")
    spec = template.get("spec") or {}
    yield from validate_pod_spec(spec, f"{path}.spec", is_template=True)
    if spec.get("ephemeralContainers"):
        yield forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")


def validate_pod_spec(spec: Obj, path: str, is_template: bool = False) -> Errors:
    """The rules for what a pod runs, and where and how."""
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is None:
        yield required(f"{path}.terminationGracePeriodSeconds")
    volumes = spec.get("volumes") or []
    if volumes:
        yield from validate_volumes(volumes, f"{path}.volumes")
    known = {volume.get("name") or "": volume for volume in volumes}
    context = PodContext(known, grace, is_template)
    main = spec.get("containers") or []
    yield from validate_containers(main, context, f"{path}.containers")
    if spec.get("initContainers"):
        yield from validate_init_containers(spec["initContainers"], main, context, f"{path}.initContainers")
    if spec.get("hostNetwork"):
        yield from _validate_host_network(main, path, is_template)
    yield from one_of(f"{path}.restartPolicy", spec.get("restartPolicy"), _RESTART_POLICIES)
    yield from one_of(f"{path}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    yield from validate_labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    if spec.get("securityContext"):
        yield from validate_identities(spec["securityContext"], f"{path}.securityContext")
    yield from _validate_dns(spec, path)
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        for fault in qualified_faults(gate.get("conditionType") or ""):
            yield invalid(f"{path}.readinessGates[{index}].conditionType", gate.get("conditionType") or "", fault)
    yield from _validate_names(spec, path)
    if spec.get("tolerations"):
        yield from _validate_tolerations(spec["tolerations"], f"{path}.tolerations")
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        yield from _validate_host_alias(alias, f"{path}.hostAliases[{index}]")
    if spec.get("preemptionPolicy") is not None:
        yield from one_of(f"{path}.preemptionPolicy", spec["preemptionPolicy"], _PREEMPTION_POLICIES)


def _validate_host_network(containers: list[Obj], path: str, is_template: bool) -> Errors:
    for index, container in enumerate(containers):
        for position, port in enumerate(container.get("ports") or ()):
            on_host = port.get("hostPort") or 0
            if (on_host or not is_template) and on_host != port.get("containerPort"):
                where = f"{path}.containers[{index}].ports[{position}].hostPort"
                yield invalid(where, on_host, "must match `containerPort` when `hostNetwork` is true")


def _validate_dns(spec: Obj, path: str) -> Errors:
    config, where = spec.get("dnsConfig"), f"{path}.dnsConfig"
    servers = (config or {}).get("nameservers") or []
    if spec.get("dnsPolicy") == "None":
        if config is None:
            yield required(where, "must provide `dnsConfig` when `dnsPolicy` is None")
            return
        if not servers:
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            yield required(f"{where}.nameservers", text)
            return
    if len(servers) > 3:
        yield invalid(f"{where}.nameservers", servers, "must not have more than 3 nameservers")
    for index, server in enumerate(servers):
        for fault in address_faults(server):
            yield invalid(f"{where}.nameservers[{index}]", server, fault)


def _validate_names(spec: Obj, path: str) -> Errors:
    for field, rule in (("serviceAccountName", subdomain_faults), ("nodeName", subdomain_faults)):
        name = spec.get(field)
        for fault in rule(name) if name else ():
            yield invalid(f"{path}.{field}", name, fault)
    seconds = spec.get("activeDeadlineSeconds")
    if seconds is not None:
        yield from in_range(f"{path}.activeDeadlineSeconds", seconds, 1, _MOST_SECONDS)
    rules = (
        ("hostname", label_faults), ("subdomain", label_faults), ("priorityClassName", subdomain_faults),
        ("runtimeClassName", subdomain_faults),
    )  # fmt: skip
    for field, rule in rules:
        name = spec.get(field)
        for fault in rule(name) if name else ():
            yield invalid(f"{path}.{field}", name, fault)


def _validate_tolerations(tolerations: list[Obj], path: str) -> Errors:
    for index, toleration in enumerate(tolerations):
        where, key = f"{path}[{index}]", toleration.get("key") or ""
        operator, value = toleration.get("operator") or "", toleration.get("value") or ""
        effect = toleration.get("effect") or ""
        for fault in qualified_faults(key) if key else ():
            yield invalid(f"{where}.key", key, fault)
        if not key and operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield invalid(f"{where}.operator", operator, text)
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            yield invalid(f"{where}.effect", effect, text)
        if operator in ("Equal", ""):
            faults = value_faults(value)
            if faults:
                yield invalid(f"{where}.operator", value, ";".join(faults))
        elif operator == "Exists":
            if value:
                yield invalid(f"{where}.operator", value, "value must be empty when `operator` is 'Exists'")
        else:
            yield unsupported(f"{where}.operator", operator, ("Equal", "Exists"))
        if effect and effect not in _EFFECTS:
            yield unsupported(f"{where}.effect", effect, _EFFECTS)


def _validate_host_alias(alias: Obj, path: str) -> Errors:
    for fault in address_faults(alias.get("ip") or ""):
        yield invalid(f"{path}.ip", alias.get("ip") or "", fault)
    for index, name in enumerate(alias.get("hostnames") or ()):
        for fault in subdomain_faults(name):
            yield invalid(f"{path}.hostnames[{index}]", name, fault)


def validate_pod_update(new: Obj, old: Obj) -> Errors:
    """A pod's spec is what its containers were started with: hardly anything of it may change."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after == before:
        return
    yield from _validate_whole(new)
    for field in ("containers", "initContainers"):
        if len(after.get(field) or ()) != len(before.get(field) or ()):
            yield forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            return
    yield from _validate_deadline(after.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    yield from _validate_added_tolerations(after.get("tolerations") or [], before.get("tolerations") or [])
    allowed = _with_updates_undone(after, before)
    if allowed != before:
        yield forbidden("spec", f"{_UPDATABLE}\n{_difference(before, allowed)}")


def _validate_deadline(new: int | None, old: int | None) -> Errors:
    path = "spec.activeDeadlineSeconds"
    if new is not None and old is not None and new > old:
        yield invalid(path, new, "must be less than or equal to previous value")
    elif new is None and old is not None:
        yield invalid(path, None, "must not update from a positive integer to nil value")


def _validate_added_tolerations(new: list[Obj], old: list[Obj]) -> Errors:
    def without_seconds(toleration: Obj) -> Obj:
        return {field: value for field, value in toleration.items() if field != "tolerationSeconds"}

    kept = [without_seconds(toleration) for toleration in new]
    if any(without_seconds(toleration) not in kept for toleration in old):
        text = "existing toleration can not be modified except its tolerationSeconds"
        yield forbidden("spec.tolerations", text)


def _with_updates_undone(after: Obj, before: Obj) -> Obj:
    """The new spec with the old values of what may change: equal to the old spec when all is well."""
    undone = dict(after)
    for field in ("containers", "initContainers"):
        if after.get(field):
            pairs = zip(after[field], before[field], strict=True)
            undone[field] = [{**new, "image": old.get("image")} for new, old in pairs]
    fields = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    if (before.get("terminationGracePeriodSeconds") or 0) < 0 and after.get("terminationGracePeriodSeconds") == 1:
        fields.append("terminationGracePeriodSeconds")
    for field in fields:
        undone.pop(field, None)
        if before.get(field) is not None:
            undone[field] = before[field]
    return undone


def _difference(before: Obj, after: Obj) -> str:
    old, new = (json.dumps(spec, indent=1, sort_keys=True).splitlines() for spec in (before, after))
    lines = list(unified_diff(old, new, lineterm="", n=3))[2:]
    return "".join(f"{line}\n" for line in lines)
