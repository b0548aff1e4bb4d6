"""Rules for pods and pod templates. Source: pkg/apis/core/validation/validation.go."""

import re
from collections.abc import Mapping

from drumroll.domain.validation.affinity import validate_affinity, validate_spread, validate_tolerations
from drumroll.domain.validation.container import (
    PodContext,
    validate_containers,
    validate_ephemeral_containers,
    validate_image,
    validate_init_containers,
)
from drumroll.domain.validation.field import (
    Errors,
    duplicate,
    each,
    forbidden,
    in_range,
    in_words_of_go,
    invalid,
    one_of,
    required,
)
from drumroll.domain.validation.metadata import validate_annotations, validate_labels, validate_metadata
from drumroll.domain.validation.names import (
    address_faults,
    label_faults,
    qualified_faults,
    search_faults,
    subdomain_faults,
)
from drumroll.domain.validation.operating_system import (
    all_containers,
    validate_host_processes,
    validate_host_users,
    validate_operating_system,
)
from drumroll.domain.validation.resources import validate_pod_resources, validate_resources
from drumroll.domain.validation.security import validate_pod_security, validate_security_annotations
from drumroll.domain.validation.volume import usable_volumes, validate_volumes
from drumroll.objects.meta import Obj, annotations_of

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
_MOST_SECONDS = 2**31 - 1
_MIRROR = "kubernetes.io/config.mirror"
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_NAMED = (
    ("serviceAccountName", subdomain_faults), ("nodeName", subdomain_faults), ("hostname", label_faults),
    ("subdomain", label_faults), ("priorityClassName", subdomain_faults), ("runtimeClassName", subdomain_faults),
)  # fmt: skip


def validate_pod(pod: Obj) -> Errors:
    """The rules for a new pod."""
    yield from validate_whole_pod(pod)
    spec = pod.get("spec") or {}
    if spec.get("ephemeralContainers"):
        yield forbidden("spec.ephemeralContainers", "cannot be set on create")
    if spec.get("nodeName") and spec.get("schedulingGates"):
        yield forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")


def validate_whole_pod(pod: Obj) -> Errors:
    """The rules that hold for a pod at all times."""
    yield from validate_metadata(pod["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec = pod.get("spec") or {}
    yield from validate_pod_annotations(annotations_of(pod), spec, "metadata.annotations")
    yield from validate_pod_spec(spec, "spec", pod_name=pod["metadata"].get("name") or "")
    if not spec.get("serviceAccountName"):
        for index, volume in enumerate(spec.get("volumes") or ()):
            for position, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
                if source.get("serviceAccountToken") is not None:
                    where = f"spec.volumes[{index}].projected.sources[{position}].serviceAccountToken"
                    yield forbidden(where, "must not be specified when serviceAccountName is not set")
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            yield from validate_image(container, f"spec.{field}[{index}]")


def validate_pod_annotations(annotations: Mapping[str, str], spec: Obj, path: str) -> Errors:
    """Annotations of pods that mean something to the original's own parts."""
    if not annotations:
        return
    if _MIRROR in annotations and not spec.get("nodeName"):
        text = "must set spec.nodeName if mirror pod annotation is set"
        yield invalid(f"{path}[{_MIRROR}]", annotations[_MIRROR], text)
    cost = annotations.get(_DELETION_COST)
    if cost is not None and not (re.fullmatch(r"0|-[0-9]+|[1-9][0-9]*", cost) and -(2**31) <= int(cost) < 2**31):
        yield invalid(f"{path}[{_DELETION_COST}]", cost, "must be a 32bit integer")
    names = {container.get("name") or "" for container, _ in all_containers(spec, "")}
    yield from validate_security_annotations(annotations, names, path)


def validate_template(template: Obj, path: str) -> Errors:
    """The rules for the template of a workload's pods."""
    meta = template.get("metadata") or {}
    yield from validate_labels(meta.get("labels"), f"{path}.labels")
    yield from validate_annotations(meta.get("annotations"), f"{path}.annotations")
    spec = template.get("spec") or {}
    yield from validate_pod_annotations(meta.get("annotations") or {}, spec, f"{path}.annotations")
    yield from validate_pod_spec(spec, f"{path}.spec", is_template=True)
    if spec.get("ephemeralContainers"):
        yield forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")


def validate_pod_spec(spec: Obj, path: str, is_template: bool = False, pod_name: str = "") -> Errors:
    """The rules for what a pod runs, and where and how."""
    if spec.get("terminationGracePeriodSeconds") is None:
        yield required(f"{path}.terminationGracePeriodSeconds")
    if spec.get("volumes"):
        yield from validate_volumes(spec["volumes"], f"{path}.volumes", pod_name, is_template)
    if spec.get("resourceClaims"):
        yield from _validate_claims(spec["resourceClaims"], f"{path}.resourceClaims")
    yield from _validate_all_containers(spec, path, is_template)
    if spec.get("resources"):
        yield from validate_pod_resources(spec, path)
    if spec.get("hostNetwork"):
        yield from _validate_host_network(spec.get("containers") or [], path, is_template)
    yield from one_of(f"{path}.restartPolicy", spec.get("restartPolicy"), _RESTART_POLICIES)
    yield from one_of(f"{path}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    yield from validate_labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    if spec.get("securityContext") or spec.get("shareProcessNamespace"):
        yield from validate_pod_security(spec, path)
    if spec.get("affinity"):
        yield from validate_affinity(spec["affinity"], f"{path}.affinity")
    if spec.get("dnsConfig") is not None or spec.get("dnsPolicy") == "None":
        yield from _validate_dns(spec, f"{path}.dnsConfig")
    yield from _validate_conditions(spec, path)
    if spec.get("topologySpreadConstraints"):
        yield from validate_spread(spec["topologySpreadConstraints"], f"{path}.topologySpreadConstraints")
    yield from validate_host_processes(spec, path)
    yield from validate_host_users(spec, path)
    yield from _validate_rest(spec, path)


def _validate_all_containers(spec: Obj, path: str, is_template: bool) -> Errors:
    volumes = spec.get("volumes") or []
    context = PodContext(
        usable_volumes(volumes, path, is_template) if volumes else {},
        spec.get("terminationGracePeriodSeconds"),
        is_template,
        spec.get("restartPolicy") or "",
        spec.get("hostUsers") is not False,
        frozenset(claim.get("name") or "" for claim in spec.get("resourceClaims") or ()) - {""},
    )
    main = spec.get("containers") or []
    yield from validate_containers(main, context, f"{path}.containers")
    if spec.get("initContainers"):
        yield from validate_init_containers(spec["initContainers"], main, context, f"{path}.initContainers")
    if spec.get("ephemeralContainers"):
        yield from validate_ephemeral_containers(spec, context, f"{path}.ephemeralContainers")


def _validate_claims(claims: list[Obj], path: str) -> Errors:
    names: set[str] = set()
    for index, claim in enumerate(claims):
        where, name = f"{path}[{index}]", claim.get("name") or ""
        if not name:
            yield required(f"{where}.name")
        elif name in names:
            yield duplicate(f"{where}.name", name)
        else:
            yield from each(f"{where}.name", name, label_faults(name))
            names.add(name)
        fields = ("resourceClaimName", "resourceClaimTemplateName")
        given = [field for field in fields if claim.get(field) is not None]
        if len(given) != 1:
            many = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            none = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            yield invalid(where, in_words_of_go(claim, "name", *fields), many if given else none)
        for field in given:
            yield from each(f"{where}.{field}", claim[field], subdomain_faults(claim[field]))


def _validate_host_network(containers: list[Obj], path: str, is_template: bool) -> Errors:
    for index, container in enumerate(containers):
        for position, port in enumerate(container.get("ports") or ()):
            on_host = port.get("hostPort") or 0
            if (on_host or not is_template) and on_host != port.get("containerPort"):
                where = f"{path}.containers[{index}].ports[{position}].hostPort"
                yield invalid(where, on_host, "must match `containerPort` when `hostNetwork` is true")


def _validate_dns(spec: Obj, path: str) -> Errors:
    config = spec.get("dnsConfig")
    servers, searches = ((config or {}).get(field) or [] for field in ("nameservers", "searches"))
    if spec.get("dnsPolicy") == "None":
        if config is None:
            yield required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
            return
        if not servers:
            yield required(f"{path}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
            return
    if len(servers) > 3:
        yield invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers")
    for index, server in enumerate(servers):
        yield from each(f"{path}.nameservers[{index}]", server, address_faults(server))
    if len(searches) > 32:
        yield invalid(f"{path}.searches", searches, "must not have more than 32 search paths")
    if len(" ".join(searches)) > 2048:
        text = "must not have more than 2048 characters (including spaces) in the search list"
        yield invalid(f"{path}.searches", searches, text)
    for index, search in enumerate(searches):
        if search != ".":
            domain = search.removesuffix(".")
            yield from each(f"{path}.searches[{index}]", domain, search_faults(domain))
    for index, option in enumerate((config or {}).get("options") or ()):
        if not option.get("name"):
            yield required(f"{path}.options[{index}]", "must not be empty")


def _validate_conditions(spec: Obj, path: str) -> Errors:
    """What a pod waits for: conditions to be ready, gates to be scheduled."""
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType") or ""
        yield from each(f"{path}.readinessGates[{index}].conditionType", kind, qualified_faults(kind))
    names: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        name, where = gate.get("name") or "", f"{path}.schedulingGates[{index}]"
        yield from each(where, name, qualified_faults(name))
        if name in names:
            yield duplicate(where, name)
        names.add(name)


def _validate_rest(spec: Obj, path: str) -> Errors:
    for field, rule in _NAMED:
        if field == "hostname" and spec.get("activeDeadlineSeconds") is not None:
            yield from in_range(f"{path}.activeDeadlineSeconds", spec["activeDeadlineSeconds"], 1, _MOST_SECONDS)
        if field == "priorityClassName":
            if spec.get("tolerations"):
                yield from validate_tolerations(spec["tolerations"], f"{path}.tolerations")
            for index, alias in enumerate(spec.get("hostAliases") or ()):
                yield from _validate_host_alias(alias, f"{path}.hostAliases[{index}]")
        if spec.get(field):
            yield from each(f"{path}.{field}", spec[field], rule(spec[field]))
    if spec.get("preemptionPolicy") is not None:
        yield from one_of(f"{path}.preemptionPolicy", spec["preemptionPolicy"], _PREEMPTION_POLICIES)
    if spec.get("overhead"):
        yield from validate_resources({"limits": spec["overhead"]}, f"{path}.overhead")
    if spec.get("os") is not None:
        yield from validate_operating_system(spec, path)


def _validate_host_alias(alias: Obj, path: str) -> Errors:
    address = alias.get("ip") or ""
    yield from each(f"{path}.ip", address, address_faults(address))
    for index, name in enumerate(alias.get("hostnames") or ()):
        yield from each(f"{path}.hostnames[{index}]", name, subdomain_faults(name))
