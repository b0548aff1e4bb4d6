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
    ("status", "binding", "eviction", "log"), generation=True,
)  # fmt: skip
SERVICE = Kind("", "v1", "Service", "services", "service", True, ("svc",), ("all",), ("status",))
ENDPOINTS = Kind("", "v1", "Endpoints", "endpoints", "endpoints", True, ("ep",))
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", "configmap", True, ("cm",))
SECRET = Kind("", "v1", "Secret", "secrets", "secret")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", True, ("sa",))
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

KINDS: tuple[Kind, ...] = (
    NAMESPACE, NODE, POD, SERVICE, ENDPOINTS, CONFIG_MAP, SECRET, SERVICE_ACCOUNT, EVENT, EVENTS_EVENT, DEPLOYMENT,
    REPLICA_SET, ENDPOINT_SLICE, INGRESS, INGRESS_CLASS, LEASE, HORIZONTAL_POD_AUTOSCALER, POD_DISRUPTION_BUDGET,
)  # fmt: skip
"""In the order in which discovery lists groups."""

BY_RESOURCE: dict[tuple[str, str, str], Kind] = {(k.group, k.version, k.plural): k for k in KINDS}
BY_KIND: dict[tuple[str, str], Kind] = {(k.api_version, k.name): k for k in KINDS}


def kind_of(obj: Obj) -> Kind:
    """The kind of an object by its apiVersion and kind. Raises KeyError when it is not served."""
    return BY_KIND[obj["apiVersion"], obj["kind"]]
