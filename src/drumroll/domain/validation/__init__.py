"""What makes an object valid: every broken rule is reported at once, in the original's order and words.

Rules see defaulted objects: call `set_defaults` and the strategy first. A write of an object whose spec did not
change skips the rules for it: what is stored is valid.
"""

from collections.abc import Callable, Mapping

from drumroll.domain.validation import (
    autoscaler,
    batch,
    claim,
    cluster,
    configuration,
    endpoints,
    ingress,
    job,
    network_policy,
    persistent_volume,
    pod,
    pod_update,
    policy,
    quota,
    rbac,
    service,
    status,
    storage,
    workload,
)
from drumroll.domain.validation.field import Errors
from drumroll.domain.validation.metadata import validate_metadata_update
from drumroll.objects.custom import CustomKind
from drumroll.objects.errors import FieldError
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj


def validate_create(kind: Kind, obj: Obj) -> list[FieldError]:
    """All rules that a new object breaks; empty when it is valid."""
    if isinstance(kind, CustomKind):
        from drumroll.domain.custom.validation import validate_custom

        return validate_custom(kind, obj)
    rules = _CREATE.get((kind.group, kind.name))
    return list(rules(obj)) if rules else []


def validate_update(kind: Kind, new: Obj, old: Obj) -> list[FieldError]:
    """All rules that changing `old` into `new` breaks; empty when the change is valid.

    As in the original, rules for metadata are checked by the endpoint and by the kind, and reported by both.
    """
    if isinstance(kind, CustomKind):
        from drumroll.domain.custom.validation import validate_custom_update

        return validate_custom_update(kind, new, old)
    errors = list(validate_metadata_update(new["metadata"], old["metadata"], by_kind=False))
    rules = _UPDATE.get((kind.group, kind.name))
    if rules is not None:
        return [*errors, *rules(new, old)]
    return [*errors, *errors, *validate_create(kind, new)]


def validate_status(kind: Kind, new: Obj, old: Obj) -> list[FieldError]:
    """All rules that writing the status of `old` as `new` has it breaks: it is the same object, counts are counts."""
    if isinstance(kind, CustomKind):
        from drumroll.domain.custom.validation import validate_custom_update

        return validate_custom_update(kind, new, old)
    errors = list(validate_metadata_update(new["metadata"], old["metadata"], by_kind=False))
    if kind.name == "CustomResourceDefinition":
        from drumroll.domain.custom.definitions import validate_definition_status

        return [*errors, *validate_definition_status(new)]
    return [*errors, *errors, *status.validate_observed((kind.group, kind.name), new, old)]


def validate_added_containers(_: Kind, new: Obj, old: Obj) -> list[FieldError]:
    """All rules that adding containers to a running pod breaks."""
    return pod_update.validate_added_containers(new, old)


def validate_resize(_: Kind, new: Obj, old: Obj) -> list[FieldError]:
    """All rules that giving a pod other resources breaks."""
    return pod_update.validate_resize(new, old)


def _definition(crd: Obj) -> Errors:
    from drumroll.domain.custom.definitions import validate_definition

    return validate_definition(crd)


def _definition_update(new: Obj, old: Obj) -> Errors:
    from drumroll.domain.custom.definitions import validate_definition_update

    return validate_definition_update(new, old)


_CREATE: Mapping[tuple[str, str], Callable[[Obj], Errors]] = {
    ("", "Namespace"): cluster.validate_namespace,
    ("", "Node"): cluster.validate_node,
    ("", "Pod"): pod.validate_pod,
    ("", "Service"): service.validate_service,
    ("", "Endpoints"): endpoints.validate_endpoints,
    ("", "ConfigMap"): configuration.validate_config_map,
    ("", "Secret"): configuration.validate_secret,
    ("", "ServiceAccount"): cluster.validate_service_account,
    ("", "Event"): cluster.validate_event,
    ("events.k8s.io", "Event"): cluster.validate_events_event,
    ("apps", "Deployment"): workload.validate_deployment,
    ("apps", "ReplicaSet"): workload.validate_replica_set,
    ("discovery.k8s.io", "EndpointSlice"): endpoints.validate_endpoint_slice,
    ("networking.k8s.io", "Ingress"): ingress.validate_ingress,
    ("networking.k8s.io", "IngressClass"): ingress.validate_ingress_class,
    ("coordination.k8s.io", "Lease"): cluster.validate_lease,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaler.validate_horizontal_pod_autoscaler,
    ("policy", "PodDisruptionBudget"): autoscaler.validate_pod_disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("", "ReplicationController"): batch.validate_replication_controller,
    ("", "PodTemplate"): batch.validate_pod_template,
    ("", "LimitRange"): quota.validate_limit_range,
    ("", "ResourceQuota"): quota.validate_resource_quota,
    ("", "PersistentVolume"): persistent_volume.validate_persistent_volume,
    ("", "PersistentVolumeClaim"): claim.validate_persistent_volume_claim,
    ("apps", "StatefulSet"): batch.validate_stateful_set,
    ("apps", "DaemonSet"): batch.validate_daemon_set,
    ("apps", "ControllerRevision"): storage.validate_controller_revision,
    ("batch", "Job"): job.validate_job,
    ("batch", "CronJob"): job.validate_cron_job,
    ("networking.k8s.io", "NetworkPolicy"): network_policy.validate_network_policy,
    ("scheduling.k8s.io", "PriorityClass"): policy.validate_priority_class,
    ("node.k8s.io", "RuntimeClass"): storage.validate_runtime_class,
    ("storage.k8s.io", "StorageClass"): storage.validate_storage_class,
    ("storage.k8s.io", "VolumeAttachment"): storage.validate_cluster_wide,
    ("storage.k8s.io", "VolumeAttributesClass"): storage.validate_cluster_wide,
    ("storage.k8s.io", "CSIDriver"): storage.validate_cluster_wide,
    ("storage.k8s.io", "CSINode"): storage.validate_cluster_wide,
    ("storage.k8s.io", "CSIStorageCapacity"): storage.validate_namespaced,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): storage.validate_cluster_wide,
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): storage.validate_cluster_wide,
    ("rbac.authorization.k8s.io", "Role"): rbac.validate_role,
    ("rbac.authorization.k8s.io", "ClusterRole"): rbac.validate_cluster_role,
    ("rbac.authorization.k8s.io", "RoleBinding"): rbac.validate_role_binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): rbac.validate_cluster_role_binding,
}
_UPDATE: Mapping[tuple[str, str], Callable[[Obj, Obj], Errors]] = {
    ("", "Namespace"): cluster.validate_namespace_update,
    ("", "Node"): cluster.validate_node_update,
    ("", "Pod"): pod_update.validate_pod_update,
    ("", "Service"): service.validate_service_update,
    ("", "ConfigMap"): configuration.validate_config_map_update,
    ("", "Secret"): configuration.validate_secret_update,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition_update,
    ("apps", "Deployment"): workload.validate_deployment_update,
    ("apps", "ReplicaSet"): workload.validate_replica_set_update,
    ("discovery.k8s.io", "EndpointSlice"): endpoints.validate_endpoint_slice_update,
    ("networking.k8s.io", "Ingress"): ingress.validate_ingress_update,
    ("networking.k8s.io", "IngressClass"): ingress.validate_ingress_class_update,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaler.validate_horizontal_pod_autoscaler_update,
    ("policy", "PodDisruptionBudget"): autoscaler.validate_pod_disruption_budget_update,
    ("", "ReplicationController"): batch.validate_replication_controller_update,
    ("", "ResourceQuota"): quota.validate_resource_quota_update,
    ("", "PersistentVolume"): persistent_volume.validate_persistent_volume_update,
    ("", "PersistentVolumeClaim"): claim.validate_persistent_volume_claim_update,
    ("apps", "StatefulSet"): batch.validate_stateful_set_update,
    ("apps", "DaemonSet"): batch.validate_daemon_set_update,
    ("apps", "ControllerRevision"): storage.validate_controller_revision_update,
    ("batch", "Job"): job.validate_job_update,
    ("batch", "CronJob"): job.validate_cron_job_update,
    ("scheduling.k8s.io", "PriorityClass"): policy.validate_priority_class_update,
    ("networking.k8s.io", "NetworkPolicy"): network_policy.validate_network_policy_update,
    ("node.k8s.io", "RuntimeClass"): storage.validate_runtime_class_update,
    ("storage.k8s.io", "StorageClass"): storage.validate_storage_class_update,
    ("rbac.authorization.k8s.io", "RoleBinding"): rbac.validate_role_binding_update,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): rbac.validate_cluster_role_binding_update,
}
