"""What the API fills in when a user leaves it out, and how absent values look once stored.

Defaults also make two spellings of the same wish equal ("0.1" and "100m", `paused: false` and nothing), so that
comparing objects compares what was meant.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping

from drumroll.domain.custom.defaults import set_custom_defaults
from drumroll.domain.custom.names import set_definition_defaults
from drumroll.domain.defaults.access import set_binding_defaults, set_role_defaults
from drumroll.domain.defaults.batch import (
    set_cron_job_defaults,
    set_daemon_set_defaults,
    set_job_defaults,
    set_persistent_volume_claim_defaults,
    set_pod_template_defaults,
    set_replication_controller_defaults,
    set_stateful_set_defaults,
)
from drumroll.domain.defaults.network import (
    set_endpoint_slice_defaults,
    set_endpoints_defaults,
    set_ingress_class_defaults,
    set_ingress_defaults,
    set_service_defaults,
)
from drumroll.domain.defaults.pod import drop_zero
from drumroll.domain.defaults.policy import (
    set_csi_driver_defaults,
    set_flow_schema_defaults,
    set_limit_range_defaults,
    set_network_policy_defaults,
    set_persistent_volume_defaults,
    set_priority_class_defaults,
    set_priority_level_defaults,
    set_resource_quota_defaults,
    set_storage_class_defaults,
)
from drumroll.domain.defaults.workload import (
    set_deployment_defaults,
    set_horizontal_pod_autoscaler_defaults,
    set_pod_defaults,
    set_pod_disruption_budget_defaults,
    set_replica_set_defaults,
)
from drumroll.objects.custom import CustomKind
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj

_META_ZERO = ("labels", "annotations", "finalizers", "ownerReferences", "generateName", "creationTimestamp", "selfLink")
_NODE_INFO = (
    "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
    "kubeProxyVersion", "operatingSystem", "architecture",
)  # fmt: skip


def set_defaults(kind: Kind, obj: Obj) -> None:
    """Fill in, in place, everything that the API adds to an object of `kind`. Applying it twice changes nothing.

    Tolerates objects that validation will refuse, but not wrong types: decode first.
    """
    meta = obj.get("metadata")
    if meta is None:
        meta = obj["metadata"] = {}
    drop_zero(meta, _META_ZERO)
    if isinstance(kind, CustomKind):
        set_custom_defaults(kind, obj)
        return
    defaults = _BY_KIND.get((kind.group, kind.name))
    if defaults is not None:
        defaults(obj)


def _namespace(namespace: Obj) -> None:
    name = namespace["metadata"].get("name")
    if name:
        labels = namespace["metadata"].setdefault("labels", {})
        labels.setdefault("kubernetes.io/metadata.name", name)
    namespace.setdefault("spec", {})
    status = namespace.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Active"


def _node(node: Obj) -> None:
    node.setdefault("spec", {})
    status = node.setdefault("status", {})
    if status.get("allocatable") is None and status.get("capacity"):
        status["allocatable"] = dict(status["capacity"])
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    info = status.setdefault("nodeInfo", {})
    for field in _NODE_INFO:
        info.setdefault(field, "")
    for condition in status.get("conditions") or ():
        condition.setdefault("lastHeartbeatTime", None)
        condition.setdefault("lastTransitionTime", None)


def _config_map(config_map: Obj) -> None:
    drop_zero(config_map, ("data", "binaryData"))


def _secret(secret: Obj) -> None:
    if not secret.get("type"):
        secret["type"] = "Opaque"
    texts = secret.pop("stringData", None)
    if texts:
        encoded = {name: b64encode(text.encode()).decode() for name, text in texts.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}
    drop_zero(secret, ("data",))


def _event(event: Obj) -> None:
    event.setdefault("involvedObject", {})
    event.setdefault("source", {})
    for field in ("firstTimestamp", "lastTimestamp", "eventTime"):
        event.setdefault(field, None)
    for field in ("reportingComponent", "reportingInstance"):
        event.setdefault(field, "")
    drop_zero(event, ("count", "type", "reason", "message", "action"))


def _events_event(event: Obj) -> None:
    for field in ("eventTime", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"):
        event.setdefault(field, None)
    event.setdefault("regarding", {})
    event.setdefault("deprecatedSource", {})


def _lease(lease: Obj) -> None:
    lease.setdefault("spec", {})


_BY_KIND: Mapping[tuple[str, str], Callable[[Obj], None]] = {
    ("", "Namespace"): _namespace,
    ("", "Node"): _node,
    ("", "Pod"): set_pod_defaults,
    ("", "Service"): set_service_defaults,
    ("", "Endpoints"): set_endpoints_defaults,
    ("", "ConfigMap"): _config_map,
    ("", "Secret"): _secret,
    ("", "Event"): _event,
    ("events.k8s.io", "Event"): _events_event,
    ("apps", "Deployment"): set_deployment_defaults,
    ("apps", "ReplicaSet"): set_replica_set_defaults,
    ("discovery.k8s.io", "EndpointSlice"): set_endpoint_slice_defaults,
    ("networking.k8s.io", "Ingress"): set_ingress_defaults,
    ("networking.k8s.io", "IngressClass"): set_ingress_class_defaults,
    ("coordination.k8s.io", "Lease"): _lease,
    ("autoscaling", "HorizontalPodAutoscaler"): set_horizontal_pod_autoscaler_defaults,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): set_definition_defaults,
    ("policy", "PodDisruptionBudget"): set_pod_disruption_budget_defaults,
    ("", "ReplicationController"): set_replication_controller_defaults,
    ("", "PodTemplate"): set_pod_template_defaults,
    ("", "LimitRange"): set_limit_range_defaults,
    ("", "ResourceQuota"): set_resource_quota_defaults,
    ("", "PersistentVolume"): set_persistent_volume_defaults,
    ("", "PersistentVolumeClaim"): set_persistent_volume_claim_defaults,
    ("apps", "StatefulSet"): set_stateful_set_defaults,
    ("apps", "DaemonSet"): set_daemon_set_defaults,
    ("batch", "Job"): set_job_defaults,
    ("batch", "CronJob"): set_cron_job_defaults,
    ("networking.k8s.io", "NetworkPolicy"): set_network_policy_defaults,
    ("scheduling.k8s.io", "PriorityClass"): set_priority_class_defaults,
    ("storage.k8s.io", "StorageClass"): set_storage_class_defaults,
    ("storage.k8s.io", "CSIDriver"): set_csi_driver_defaults,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): set_flow_schema_defaults,
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): set_priority_level_defaults,
    ("rbac.authorization.k8s.io", "Role"): set_role_defaults,
    ("rbac.authorization.k8s.io", "ClusterRole"): set_role_defaults,
    ("rbac.authorization.k8s.io", "RoleBinding"): set_binding_defaults,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): set_binding_defaults,
}
