"""What a write may not touch is reset, and generations grow: the step between decoding and validation.

Each kind's rules are small functions in two tables. Source: pkg/registry/*/*/strategy.go, apiserver registry/rest.
"""

from collections.abc import Callable, Mapping
from typing import Any

from drumroll.domain.custom.names import prepare_definition_create, prepare_definition_update
from drumroll.domain.custom.strategy import prepare_custom_create, prepare_custom_update
from drumroll.domain.quality_of_service import quality_of_service
from drumroll.objects.custom import CustomKind
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj

_SYSTEM = ("uid", "creationTimestamp", "selfLink")
_DELETION = ("deletionTimestamp", "deletionGracePeriodSeconds")
_WITH_STATUS = {
    ("", "Namespace"), ("", "Node"), ("", "Pod"), ("", "Service"), ("apps", "Deployment"), ("apps", "ReplicaSet"),
    ("networking.k8s.io", "Ingress"), ("autoscaling", "HorizontalPodAutoscaler"), ("policy", "PodDisruptionBudget"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("", "ReplicationController"), ("", "ResourceQuota"), ("", "PersistentVolume"), ("", "PersistentVolumeClaim"),
    ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("batch", "Job"), ("batch", "CronJob"),
    ("storage.k8s.io", "VolumeAttachment"), ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
}  # fmt: skip


def prepare_create(kind: Kind, obj: Obj) -> None:
    """Make `obj`, in place, what a new object of `kind` may be: no status of its own, generation 1, not deleting.

    uid, creationTimestamp and a generated name are the API server's to set.
    """
    meta = obj.setdefault("metadata", {})
    for field in _DELETION:
        meta.pop(field, None)
    if kind.generation:
        meta["generation"] = 1
    if isinstance(kind, CustomKind):
        prepare_custom_create(kind, obj)
        return
    create = _CREATE.get((kind.group, kind.name))
    if create is not None:
        create(obj)


def prepare_update(kind: Kind, new: Obj, old: Obj) -> None:
    """Keep in `new`, in place, what an update may not change, and raise its generation when it asks for something new.

    Values that validation must refuse, such as another uid, stay for it to see. `old` is not changed.
    """
    _keep_system_metadata(new, old)
    if isinstance(kind, CustomKind):
        prepare_custom_update(kind, new, old)
        return
    identity = (kind.group, kind.name)
    if identity in _WITH_STATUS:
        _keep(new, old, "status")
    update = _UPDATE.get(identity)
    if update is not None:
        update(new, old)
    if kind.generation and _asks_for_more(identity, new, old):
        new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1


def prepare_status(kind: Kind, new: Obj, old: Obj) -> None:
    """Keep in `new`, in place, everything but its status (and a Deployment's annotations). The generation stays."""
    status, version = new.get("status"), new["metadata"].get("resourceVersion")
    annotations, managed = new["metadata"].get("annotations"), new["metadata"].get("managedFields")
    uid = new["metadata"].get("uid") or old["metadata"].get("uid")
    for field in [field for field in new if field not in ("apiVersion", "kind", "status", "metadata")]:
        if field not in old:
            del new[field]
    new.update({field: value for field, value in old.items() if field not in ("apiVersion", "kind")})
    meta = new["metadata"] = dict(old["metadata"])
    _put(new, "status", status)
    _put(meta, "resourceVersion", version)
    _put(meta, "uid", uid)  # another one stays for validation to see: clients send it to mean this very object
    if managed is not None:
        meta["managedFields"] = managed
    if kind.name == "Deployment":
        _put(meta, "annotations", annotations)
    if kind.name == "Pod" and status is not None and not status.get("qosClass"):
        status["qosClass"] = (old.get("status") or {}).get("qosClass") or quality_of_service(old.get("spec") or {})


def prepare_added_containers(kind: Kind, new: Obj, old: Obj) -> None:
    """Keep in `new`, in place, everything but the containers added to a running pod."""
    added = (new.get("spec") or {}).get("ephemeralContainers")
    _keep_all_but(new, old)
    spec = new["spec"] = dict(old.get("spec") or {})
    _put(spec, "ephemeralContainers", added)
    prepare_update(kind, new, old)


def prepare_resize(kind: Kind, new: Obj, old: Obj) -> None:
    """Keep in `new`, in place, everything but what its containers may use; other containers stay for validation."""
    wanted, before = new.get("spec") or {}, old.get("spec") or {}
    spec = dict(before)
    for field in ("containers", "initContainers"):
        given, known = wanted.get(field) or [], before.get(field) or []
        if [one.get("name") for one in given] != [one.get("name") for one in known]:
            return
        if known:
            spec[field] = [_resized(one, former) for one, former in zip(given, known, strict=True)]
    _keep_all_but(new, old)
    new["spec"] = spec
    prepare_update(kind, new, old)


def _resized(container: Obj, former: Obj) -> Obj:
    kept = {field: value for field, value in former.items() if field not in ("resources", "resizePolicy")}
    for field in ("resources", "resizePolicy"):
        _put(kept, field, container.get(field))
    return kept


def _keep_all_but(new: Obj, old: Obj) -> None:
    """The old object, by the name, uid and revision that the client gave, with the owners of fields known so far."""
    given = {field: new["metadata"].get(field) for field in ("name", "namespace", "uid", "resourceVersion")}
    managed = new["metadata"].get("managedFields")
    head: Obj = {field: new[field] for field in ("apiVersion", "kind") if field in new}
    new.clear()
    new.update(old)
    new.update(head)
    meta = new["metadata"] = dict(old["metadata"])
    for field, value in given.items():
        if value:
            meta[field] = value
    _put(meta, "managedFields", managed)


def _put(obj: Obj, field: str, value: Any) -> None:
    if value is None:
        obj.pop(field, None)
    else:
        obj[field] = value


def _keep(new: Obj, old: Obj, field: str) -> None:
    _put(new, field, old.get(field))


def _keep_system_metadata(new: Obj, old: Obj) -> None:
    before, after = old["metadata"], new.setdefault("metadata", {})
    _put(after, "generation", before.get("generation"))
    for field in _SYSTEM:
        if not after.get(field):
            _put(after, field, before.get(field))
    if before.get("deletionTimestamp"):  # deletion cannot be undone
        after["deletionTimestamp"] = before["deletionTimestamp"]
    if before.get("deletionGracePeriodSeconds") is not None and after.get("deletionGracePeriodSeconds") is None:
        after["deletionGracePeriodSeconds"] = before["deletionGracePeriodSeconds"]


def _asks_for_more(identity: tuple[str, str], new: Obj, old: Obj) -> bool:
    """Whether the update changes what the object wishes for, by the rules of its kind."""
    before, after = old["metadata"], new["metadata"]
    if identity == ("discovery.k8s.io", "EndpointSlice"):
        without = {"metadata", "apiVersion", "kind"}
        content = {k: v for k, v in new.items() if k not in without} == {
            k: v for k, v in old.items() if k not in without
        }
        return not content or (before.get("labels") or {}) != (after.get("labels") or {})
    if (new.get("spec") or {}) != (old.get("spec") or {}):
        return True
    if identity == ("apps", "Deployment"):
        return bool((before.get("annotations") or {}) != (after.get("annotations") or {}))
    return False


def _create_namespace(namespace: Obj) -> None:
    spec = namespace.setdefault("spec", {})
    finalizers = spec.get("finalizers") or []
    if "kubernetes" not in finalizers:
        spec["finalizers"] = [*finalizers, "kubernetes"]
    namespace["status"] = {"phase": "Active"}


def _create_pod(pod: Obj) -> None:
    spec = pod.setdefault("spec", {})
    pod["status"] = {"phase": "Pending", "qosClass": quality_of_service(spec)}
    if spec.get("schedulingGates"):
        pod["status"]["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
                "lastProbeTime": None,
                "lastTransitionTime": None,
            }
        ]
    # What the original's priority admission adds in a cluster without priority classes.
    if not spec.get("priorityClassName"):
        if spec.get("priority") is None:
            spec["priority"] = 0
        if not spec.get("preemptionPolicy"):
            spec["preemptionPolicy"] = "PreemptLowerPriority"


def _create_service(service: Obj) -> None:
    service["status"] = {"loadBalancer": {}}
    _normalize_cluster_ips(service, None)
    spec = service.setdefault("spec", {})
    if spec.get("type") != "ExternalName":
        _set_ip_families(spec)


def _set_ip_families(spec: Obj) -> None:
    """One IPv4 family; a headless Service without selector is dual-stack because nobody checks its endpoints."""
    free = spec.get("clusterIP") == "None" and not spec.get("selector")
    if not spec.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = "RequireDualStack" if free else "SingleStack"
    if not spec.get("ipFamilies"):
        spec["ipFamilies"] = ["IPv4", "IPv6"] if free else ["IPv4"]


def _normalize_cluster_ips(new: Obj, old: Obj | None) -> None:
    """Clients write clusterIP or clusterIPs; the one that they changed decides. Source: registry/core/service."""
    spec = new.setdefault("spec", {})
    if old is None:
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        elif spec.get("clusterIPs") and not spec.get("clusterIP"):
            spec["clusterIP"] = spec["clusterIPs"][0]
        return
    before = old.get("spec") or {}
    ip, ips = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    old_ip, old_ips = before.get("clusterIP") or "", before.get("clusterIPs") or []
    if ip != old_ip and ips == old_ips:
        _put(spec, "clusterIPs", [ip] if ip else None)
    elif ip == old_ip and ips != old_ips:
        _put(spec, "clusterIP", ips[0] if ips else None)


def _update_service(new: Obj, old: Obj) -> None:
    after, before = new.setdefault("spec", {}), old.get("spec") or {}
    _normalize_cluster_ips(new, old)
    _keep_allocated(after, before)
    _drop_unneeded(after, before)
    if _needs_cluster_ip(after):
        _set_ip_families(after)


def _needs_cluster_ip(spec: Obj) -> bool:
    return spec.get("type") in ("ClusterIP", "NodePort", "LoadBalancer", None, "")


def needs_node_ports(spec: Obj) -> bool:
    """Whether the ports of a Service of that spec have node ports."""
    if spec.get("type") == "LoadBalancer":
        return bool(spec.get("allocateLoadBalancerNodePorts", True))
    return spec.get("type") == "NodePort"


def _keep_allocated(after: Obj, before: Obj) -> None:
    """A client that leaves out what was allocated for it keeps it: `kubectl replace` with the original file."""
    if _needs_cluster_ip(after) and _needs_cluster_ip(before):
        if not after.get("clusterIP") and before.get("clusterIP"):
            after["clusterIP"] = before["clusterIP"]
        if not after.get("clusterIPs") and after.get("clusterIP") == before.get("clusterIP"):
            _put(after, "clusterIPs", before.get("clusterIPs"))
    if needs_node_ports(after) and needs_node_ports(before):
        known = {(p.get("protocol"), p.get("port")): p.get("nodePort") for p in before.get("ports") or ()}
        taken = {port["nodePort"] for port in after.get("ports") or () if port.get("nodePort")}
        for port in after.get("ports") or ():
            former = known.get((port.get("protocol"), port.get("port")))
            if not port.get("nodePort") and former and former not in taken:
                port["nodePort"] = former
                taken.add(former)
    if _needs_health_check(after) and _needs_health_check(before) and not after.get("healthCheckNodePort"):
        _put(after, "healthCheckNodePort", before.get("healthCheckNodePort"))


def _needs_health_check(spec: Obj) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _drop_unneeded(after: Obj, before: Obj) -> None:
    """What only the old type needed goes, unless the client changed it in the same write: then validation says so."""

    def drop(needs: Callable[[Obj], bool], *fields: str) -> None:
        if needs(before) and not needs(after):
            for field in fields:
                if after.get(field) == before.get(field):
                    after.pop(field, None)

    drop(_needs_cluster_ip, "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
    if needs_node_ports(before) and not needs_node_ports(after):
        ports = [port.get("nodePort") for port in before.get("ports") or ()]
        if [port.get("nodePort") for port in after.get("ports") or ()] == ports:
            for port in after.get("ports") or ():
                port.pop("nodePort", None)
    drop(_needs_health_check, "healthCheckNodePort")
    drop(_is_load_balancer, "allocateLoadBalancerNodePorts", "loadBalancerClass")
    drop(_is_external, "externalTrafficPolicy")


def _is_load_balancer(spec: Obj) -> bool:
    return spec.get("type") == "LoadBalancer"


def _is_external(spec: Obj) -> bool:
    kind = spec.get("type")
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def _update_definition(new: Obj, _: Obj) -> None:
    prepare_definition_update(new)


def _update_namespace(new: Obj, old: Obj) -> None:
    _keep(new.setdefault("spec", {}), old.get("spec") or {}, "finalizers")


def _create_job(job: Obj) -> None:
    """A job selects its own pods by its uid, unless its maker wants to select them.

    Source: pkg/registry/batch/job/strategy.go.
    """
    job["status"] = {}
    spec, uid, name = job.setdefault("spec", {}), job["metadata"].get("uid", ""), job["metadata"].get("name", "")
    if spec.get("manualSelector"):
        return
    metadata = spec.setdefault("template", {}).setdefault("metadata", {})
    labels = {"controller-uid": uid, "job-name": name}
    labels |= {f"batch.kubernetes.io/{label}": value for label, value in labels.items()}
    metadata["labels"] = {**labels, **(metadata.get("labels") or {})}  # validation refuses others
    if not job["metadata"].get("labels"):
        job["metadata"]["labels"] = dict(metadata["labels"])
    match = "batch.kubernetes.io/controller-uid"
    selector = dict(spec.get("selector") or {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), match: uid}
    spec["selector"] = selector


def _clear_status(**status: Any) -> Callable[[Obj], None]:
    def clear(obj: Obj) -> None:
        obj["status"] = dict(status)

    return clear


_CREATE: Mapping[tuple[str, str], Callable[[Obj], None]] = {
    ("", "Namespace"): _create_namespace,
    ("", "Pod"): _create_pod,
    ("", "Service"): _create_service,
    ("apps", "Deployment"): _clear_status(),
    ("apps", "ReplicaSet"): _clear_status(replicas=0),
    ("networking.k8s.io", "Ingress"): _clear_status(loadBalancer={}),
    ("autoscaling", "HorizontalPodAutoscaler"): _clear_status(desiredReplicas=0, currentMetrics=None),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): prepare_definition_create,
    ("policy", "PodDisruptionBudget"): _clear_status(
        disruptionsAllowed=0, currentHealthy=0, desiredHealthy=0, expectedPods=0
    ),
    ("", "ReplicationController"): _clear_status(replicas=0),
    ("", "ResourceQuota"): _clear_status(),
    ("", "PersistentVolume"): _clear_status(phase="Pending"),
    ("", "PersistentVolumeClaim"): _clear_status(phase="Pending"),
    ("apps", "StatefulSet"): _clear_status(replicas=0, availableReplicas=0),
    ("apps", "DaemonSet"): _clear_status(
        currentNumberScheduled=0, desiredNumberScheduled=0, numberMisscheduled=0, numberReady=0
    ),
    ("batch", "Job"): _create_job,
    ("batch", "CronJob"): _clear_status(),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): _clear_status(),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): _clear_status(),
}
_UPDATE: Mapping[tuple[str, str], Callable[[Obj, Obj], None]] = {
    ("", "Namespace"): _update_namespace,
    ("", "Service"): _update_service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _update_definition,
}
