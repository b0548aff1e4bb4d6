"""The one table of kinds: routes, discovery, OpenAPI, garbage collection, CLI and docs all derive from it."""

from dataclasses import dataclass

from drumroll.objects.meta import Obj

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that the API serves. `subresources` are those with objects of their own shape or rules."""

    group: str
    version: str
    name: str
    plural: str
    singular: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    generation: bool = False
    verbs: tuple[str, ...] = ALL_VERBS

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`deployments.apps`, or `pods` for the core group: the name that messages use."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of a collection, an object or a subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{scope}/{self.plural}{tail}"


NAMESPACE = Kind("", "v1", "Namespace", "namespaces", "namespace", False, ("ns",), (), ("status", "finalize"))
NODE = Kind("", "v1", "Node", "nodes", "node", False, ("no",), (), ("status",))
POD = Kind(
    "", "v1", "Pod", "pods", "pod", True, ("po",), ("all",),
    ("status", "attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "resize"),
    generation=True,
)  # fmt: skip
SERVICE = Kind("", "v1", "Service", "services", "service", True, ("svc",), ("all",), ("status",))
ENDPOINTS = Kind("", "v1", "Endpoints", "endpoints", "endpoints", True, ("ep",))
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", "configmap", True, ("cm",))
SECRET = Kind("", "v1", "Secret", "secrets", "secret")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", True, ("sa",), (), ("token",))
EVENT = Kind("", "v1", "Event", "events", "event", True, ("ev",))
EVENTS_EVENT = Kind("events.k8s.io", "v1", "Event", "events", "event", True, ("ev",))
DEPLOYMENT = Kind(
    "apps", "v1", "Deployment", "deployments", "deployment", True, ("deploy",), ("all",),
    ("status", "scale"), generation=True,
)  # fmt: skip
REPLICA_SET = Kind(
    "apps", "v1", "ReplicaSet", "replicasets", "replicaset", True, ("rs",), ("all",),
    ("status", "scale"), generation=True,
)  # fmt: skip
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice", generation=True)
INGRESS = Kind(
    "networking.k8s.io", "v1", "Ingress", "ingresses", "ingress", True, ("ing",), (), ("status",), generation=True
)
INGRESS_CLASS = Kind(
    "networking.k8s.io", "v1", "IngressClass", "ingressclasses", "ingressclass", False, generation=True
)
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases", "lease")
HORIZONTAL_POD_AUTOSCALER = Kind(
    "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "horizontalpodautoscaler",
    True, ("hpa",), ("all",), ("status",),
)  # fmt: skip
POD_DISRUPTION_BUDGET = Kind(
    "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "poddisruptionbudget", True, ("pdb",), (),
    ("status",), generation=True,
)  # fmt: skip

REPLICATION_CONTROLLER = Kind(
    "", "v1", "ReplicationController", "replicationcontrollers", "replicationcontroller", True, ("rc",), ("all",),
    ("status", "scale"), generation=True,
)  # fmt: skip
POD_TEMPLATE = Kind("", "v1", "PodTemplate", "podtemplates", "podtemplate", generation=True)
LIMIT_RANGE = Kind("", "v1", "LimitRange", "limitranges", "limitrange", True, ("limits",))
RESOURCE_QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas", "resourcequota", True, ("quota",), (), ("status",))
PERSISTENT_VOLUME = Kind(
    "", "v1", "PersistentVolume", "persistentvolumes", "persistentvolume", False, ("pv",), (), ("status",)
)
PERSISTENT_VOLUME_CLAIM = Kind(
    "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim", True, ("pvc",), (),
    ("status",),
)  # fmt: skip
STATEFUL_SET = Kind(
    "apps", "v1", "StatefulSet", "statefulsets", "statefulset", True, ("sts",), ("all",),
    ("status", "scale"), generation=True,
)  # fmt: skip
DAEMON_SET = Kind(
    "apps", "v1", "DaemonSet", "daemonsets", "daemonset", True, ("ds",), ("all",), ("status",), generation=True
)
CONTROLLER_REVISION = Kind("apps", "v1", "ControllerRevision", "controllerrevisions", "controllerrevision")
HORIZONTAL_POD_AUTOSCALER_V1 = Kind(
    "autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "horizontalpodautoscaler",
    True, ("hpa",), ("all",), ("status",),
)  # fmt: skip
JOB = Kind("batch", "v1", "Job", "jobs", "job", True, (), ("all",), ("status",), generation=True)
CRON_JOB = Kind("batch", "v1", "CronJob", "cronjobs", "cronjob", True, ("cj",), ("all",), ("status",), generation=True)
NETWORK_POLICY = Kind(
    "networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "networkpolicy", True, ("netpol",), generation=True
)
PRIORITY_CLASS = Kind(
    "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "priorityclass", False, ("pc",), generation=True
)
RUNTIME_CLASS = Kind("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", "runtimeclass", False)
STORAGE_CLASS = Kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", "storageclass", False, ("sc",))
VOLUME_ATTACHMENT = Kind(
    "storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", "volumeattachment", False, (), (), ("status",)
)
VOLUME_ATTRIBUTES_CLASS = Kind(
    "storage.k8s.io", "v1", "VolumeAttributesClass", "volumeattributesclasses", "volumeattributesclass", False, ("vac",)
)
CSI_DRIVER = Kind("storage.k8s.io", "v1", "CSIDriver", "csidrivers", "csidriver", False, generation=True)
CSI_NODE = Kind("storage.k8s.io", "v1", "CSINode", "csinodes", "csinode", False)
CSI_STORAGE_CAPACITY = Kind("storage.k8s.io", "v1", "CSIStorageCapacity", "csistoragecapacities", "csistoragecapacity")
FLOW_SCHEMA = Kind(
    "flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", "flowschemas", "flowschema", False, (), (), ("status",),
    generation=True,
)  # fmt: skip
PRIORITY_LEVEL_CONFIGURATION = Kind(
    "flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration", "prioritylevelconfigurations",
    "prioritylevelconfiguration", False, (), (), ("status",), generation=True,
)  # fmt: skip
CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", "customresourcedefinition",
    False, ("crd", "crds"), ("api-extensions",), ("status",), generation=True,
)  # fmt: skip

_RBAC, _AUTHENTICATION, _AUTHORIZATION = "rbac.authorization.k8s.io", "authentication.k8s.io", "authorization.k8s.io"
ROLE = Kind(_RBAC, "v1", "Role", "roles", "role")
ROLE_BINDING = Kind(_RBAC, "v1", "RoleBinding", "rolebindings", "rolebinding")
CLUSTER_ROLE = Kind(_RBAC, "v1", "ClusterRole", "clusterroles", "clusterrole", False)
CLUSTER_ROLE_BINDING = Kind(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", False)


def _review(group: str, name: str, *, namespaced: bool = False) -> Kind:
    return Kind(group, "v1", name, f"{name.lower()}s", name.lower(), namespaced, verbs=("create",))


TOKEN_REVIEW = _review(_AUTHENTICATION, "TokenReview")
SELF_SUBJECT_REVIEW = _review(_AUTHENTICATION, "SelfSubjectReview")
SUBJECT_ACCESS_REVIEW = _review(_AUTHORIZATION, "SubjectAccessReview")
LOCAL_SUBJECT_ACCESS_REVIEW = _review(_AUTHORIZATION, "LocalSubjectAccessReview", namespaced=True)
SELF_SUBJECT_ACCESS_REVIEW = _review(_AUTHORIZATION, "SelfSubjectAccessReview")
SELF_SUBJECT_RULES_REVIEW = _review(_AUTHORIZATION, "SelfSubjectRulesReview")
REVIEWS = (
    TOKEN_REVIEW, SELF_SUBJECT_REVIEW, SUBJECT_ACCESS_REVIEW, LOCAL_SUBJECT_ACCESS_REVIEW, SELF_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_RULES_REVIEW,
)  # fmt: skip
"""Questions in the form of objects: answered at once, never stored, so nothing that walks `KINDS` meets them."""

KINDS: tuple[Kind, ...] = (
    NAMESPACE, NODE, POD, SERVICE, ENDPOINTS, CONFIG_MAP, SECRET, SERVICE_ACCOUNT, EVENT, REPLICATION_CONTROLLER,
    POD_TEMPLATE, LIMIT_RANGE, RESOURCE_QUOTA, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM,
    DEPLOYMENT, REPLICA_SET, STATEFUL_SET, DAEMON_SET, CONTROLLER_REVISION,
    EVENTS_EVENT,
    HORIZONTAL_POD_AUTOSCALER, HORIZONTAL_POD_AUTOSCALER_V1,
    JOB, CRON_JOB,
    INGRESS, INGRESS_CLASS, NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    ROLE, ROLE_BINDING, CLUSTER_ROLE, CLUSTER_ROLE_BINDING,
    STORAGE_CLASS, VOLUME_ATTACHMENT, VOLUME_ATTRIBUTES_CLASS, CSI_DRIVER, CSI_NODE, CSI_STORAGE_CAPACITY,
    CUSTOM_RESOURCE_DEFINITION,
    PRIORITY_CLASS,
    LEASE,
    RUNTIME_CLASS,
    ENDPOINT_SLICE,
    FLOW_SCHEMA, PRIORITY_LEVEL_CONFIGURATION,
)  # fmt: skip
"""In the order in which discovery lists groups."""

STORED_AS: dict[Kind, Kind] = {EVENTS_EVENT: EVENT, HORIZONTAL_POD_AUTOSCALER_V1: HORIZONTAL_POD_AUTOSCALER}
"""Kinds that are another view of the objects of a stored kind."""

_AFTER_EVENTS = KINDS.index(EVENTS_EVENT) + 1
SERVED: tuple[Kind, ...] = (*KINDS[:_AFTER_EVENTS], *REVIEWS, *KINDS[_AFTER_EVENTS:])
"""Everything that has a path: the stored kinds and the reviews."""

_ARGO, _GATEWAY = "argoproj.io", "gateway.networking.k8s.io"
ROLLOUT = Kind(
    _ARGO, "v1alpha1", "Rollout", "rollouts", "rollout", True, ("ro",), (), ("status", "scale"), generation=True
)
ANALYSIS_TEMPLATE = Kind(
    _ARGO, "v1alpha1", "AnalysisTemplate", "analysistemplates", "analysistemplate", True, ("at",), generation=True
)
CLUSTER_ANALYSIS_TEMPLATE = Kind(
    _ARGO, "v1alpha1", "ClusterAnalysisTemplate", "clusteranalysistemplates", "clusteranalysistemplate",
    False, ("cat",), generation=True,
)  # fmt: skip
ANALYSIS_RUN = Kind(_ARGO, "v1alpha1", "AnalysisRun", "analysisruns", "analysisrun", True, ("ar",), generation=True)
EXPERIMENT = Kind(_ARGO, "v1alpha1", "Experiment", "experiments", "experiment", True, ("exp",), generation=True)
GATEWAY_CLASS = Kind(
    _GATEWAY, "v1", "GatewayClass", "gatewayclasses", "gatewayclass", False, ("gc",), ("gateway-api",), ("status",),
    generation=True,
)  # fmt: skip
GATEWAY = Kind(
    _GATEWAY, "v1", "Gateway", "gateways", "gateway", True, ("gtw",), ("gateway-api",), ("status",), generation=True
)
HTTP_ROUTE = Kind(
    _GATEWAY, "v1", "HTTPRoute", "httproutes", "httproute", True, (), ("gateway-api",), ("status",), generation=True
)
GRPC_ROUTE = Kind(
    _GATEWAY, "v1", "GRPCRoute", "grpcroutes", "grpcroute", True, (), ("gateway-api",), ("status",), generation=True
)
REFERENCE_GRANT = Kind(
    _GATEWAY, "v1beta1", "ReferenceGrant", "referencegrants", "referencegrant", True, ("refgrant",), ("gateway-api",),
    generation=True,
)  # fmt: skip
TRAFFIC_SPLIT = Kind("split.smi-spec.io", "v1alpha4", "TrafficSplit", "trafficsplits", "trafficsplit", True, ("ts",))

AB_TEST = Kind(
    "drumroll.dev", "v1alpha1", "ABTest", "abtests", "abtest", True, ("abt",), (), ("status",), generation=True
)
COMPARISON = Kind(
    "drumroll.dev", "v1alpha1", "Comparison", "comparisons", "comparison", True, ("cmp",), (), ("status",),
    generation=True,
)  # fmt: skip

INSTALLED: tuple[Kind, ...] = (
    ROLLOUT, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, ANALYSIS_RUN, EXPERIMENT,
    GATEWAY_CLASS, GATEWAY, HTTP_ROUTE, GRPC_ROUTE, REFERENCE_GRANT, TRAFFIC_SPLIT, AB_TEST, COMPARISON,
)  # fmt: skip
"""Kinds of CustomResourceDefinitions that every cluster of ours has from the start."""

BY_RESOURCE: dict[tuple[str, str, str], Kind] = {(k.group, k.version, k.plural): k for k in SERVED}
BY_KIND: dict[tuple[str, str], Kind] = {(k.api_version, k.name): k for k in KINDS}
_BY_KIND = BY_KIND | {(k.api_version, k.name): k for k in INSTALLED}


def kind_of(obj: Obj) -> Kind:
    """The kind of an object by its apiVersion and kind. Raises KeyError when it is neither built in nor installed."""
    return _BY_KIND[obj["apiVersion"], obj["kind"]]
