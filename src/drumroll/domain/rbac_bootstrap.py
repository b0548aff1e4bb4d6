"""The roles and bindings that every cluster has. Source: kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy.

Those of components that Drumroll does not have (schedulers, node authorizers, controllers' own accounts) are left out.
"""

from collections.abc import Iterable

from drumroll.domain.rbac import GROUP, aggregated
from drumroll.objects.meta import Obj

VERSION = f"{GROUP}/v1"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_UPDATED = {f"{GROUP}/autoupdate": "true"}
_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_HEALTH = ("/healthz", "/livez", "/readyz")
_SCALE = ("replicationcontrollers/scale",)
_APPS = (
    "daemonsets", "deployments", "deployments/rollback", "deployments/scale", "replicasets", "replicasets/scale",
    "statefulsets", "statefulsets/scale",
)  # fmt: skip
_CORE_WRITE = (
    "configmaps", "events", "persistentvolumeclaims", "replicationcontrollers", *_SCALE, "secrets", "serviceaccounts",
    "services", "services/proxy",
)  # fmt: skip
_CORE_READ = (
    "configmaps", "endpoints", "persistentvolumeclaims", "persistentvolumeclaims/status", "pods",
    "replicationcontrollers", *_SCALE, "serviceaccounts", "services", "services/status",
)  # fmt: skip
_CORE_LOOK = (
    "bindings", "events", "limitranges", "namespaces/status", "pods/log", "pods/status",
    "replicationcontrollers/status", "resourcequotas", "resourcequotas/status",
)  # fmt: skip
_INTO_PODS = ("pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy")
_BATCH = ("cronjobs", "jobs")
_NETWORK = ("ingresses", "networkpolicies")
_STATUS_OF_APPS = ("daemonsets/status", "deployments/status", "replicasets/status", "statefulsets/status")
_STATUS_OF_BATCH = ("cronjobs/status", "jobs/status")


def _rule(verbs: Iterable[str], groups: Iterable[str], resources: Iterable[str]) -> Obj:
    return {"verbs": list(verbs), "apiGroups": list(groups), "resources": list(resources)}


def _paths(*paths: str) -> Obj:
    return {"verbs": ["get"], "nonResourceURLs": list(paths)}


_EVERYTHING: list[Obj] = [_rule(["*"], ["*"], ["*"]), {"verbs": ["*"], "nonResourceURLs": ["*"]}]
_VIEW = [
    _rule(_READ, [""], _CORE_READ),
    _rule(_READ, [""], _CORE_LOOK),
    _rule(_READ, [""], ["namespaces"]),
    _rule(_READ, ["discovery.k8s.io"], ["endpointslices"]),
    _rule(_READ, ["apps"], sorted(({*_APPS, "controllerrevisions", *_STATUS_OF_APPS}) - {"deployments/rollback"})),
    _rule(_READ, ["autoscaling"], ["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
    _rule(_READ, ["batch"], sorted((*_BATCH, *_STATUS_OF_BATCH))),
    _rule(_READ, ["policy"], ["poddisruptionbudgets", "poddisruptionbudgets/status"]),
    _rule(_READ, ["networking.k8s.io"], ["ingresses", "ingresses/status", "networkpolicies"]),
]
_EDIT = [
    _rule(_READ, [""], _INTO_PODS),
    _rule(["impersonate"], [""], ["serviceaccounts"]),
    _rule(_WRITE, [""], ["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"]),
    _rule(["create"], [""], ["pods/eviction"]),
    _rule(_WRITE, [""], _CORE_WRITE),
    _rule(["create"], [""], ["serviceaccounts/token"]),
    _rule(_WRITE, ["apps"], _APPS),
    _rule(_WRITE, ["autoscaling"], ["horizontalpodautoscalers"]),
    _rule(_WRITE, ["batch"], _BATCH),
    _rule(_WRITE, ["policy"], ["poddisruptionbudgets"]),
    _rule(_WRITE, ["networking.k8s.io"], _NETWORK),
    _rule((*_WRITE, *_READ), ["coordination.k8s.io"], ["leases"]),
]
_ADMIN = [
    _rule(["create"], ["authorization.k8s.io"], ["localsubjectaccessreviews"]),
    _rule((*_WRITE, *_READ), [GROUP], ["rolebindings", "roles"]),
]


def _role(name: str, rules: list[Obj], labels: dict[str, str] | None = None) -> Obj:
    metadata = {"name": name, "labels": {**_LABELS, **(labels or {})}, "annotations": dict(_UPDATED)}
    return {"apiVersion": VERSION, "kind": "ClusterRole", "metadata": metadata, "rules": rules}


def _joined(name: str, label: str, parts: list[Obj], labels: dict[str, str] | None = None) -> Obj:
    """A role that grows with every ClusterRole which has the label; its first rules are those of `parts`."""
    selectors = [{"matchLabels": {f"{GROUP}/{label}": "true"}}]
    role = _role(name, aggregated(selectors, parts, name), labels)
    return {**role, "aggregationRule": {"clusterRoleSelectors": selectors}}


def _binding(role: str, *groups: str, name: str = "") -> Obj:
    metadata = {"name": name or role, "labels": dict(_LABELS), "annotations": dict(_UPDATED)}
    return {
        "apiVersion": VERSION,
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": GROUP, "kind": "Group", "name": group} for group in groups],
    }


def bootstrap_roles() -> list[Obj]:
    """The ClusterRoles, complete: the aggregated ones have their rules already."""
    to = {step: f"aggregate-to-{step}" for step in ("admin", "edit", "view")}
    labels = {step: {f"{GROUP}/{label}": "true"} for step, label in to.items()}
    view = _role("system:aggregate-to-view", _VIEW, labels["view"])
    edit = _role("system:aggregate-to-edit", _EDIT, labels["edit"])
    admin = _role("system:aggregate-to-admin", _ADMIN, labels["admin"])
    as_view = _joined("view", to["view"], [view], labels["edit"])
    as_edit = _joined("edit", to["edit"], [edit, as_view], labels["admin"])
    whole = [as_view, as_edit, _joined("admin", to["admin"], [admin, as_edit])]
    return [_role("cluster-admin", _EVERYTHING), view, edit, admin, *whole, *_system_roles()]


def _system_roles() -> list[Obj]:
    """What everybody may ask, and what parts of a cluster may."""
    reviews = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
    return [
        _role(
            "system:discovery",
            [_paths("/api", "/api/*", "/apis", "/apis/*", *_HEALTH, "/openapi", "/openapi/*", "/version", "/version/")],
        ),
        _role("system:public-info-viewer", [_paths(*_HEALTH, "/version", "/version/")]),
        _role("system:monitoring", [_paths("/metrics", *(f"{path}{end}" for path in _HEALTH for end in ("", "/*")))]),
        _role(
            "system:basic-user",
            [
                _rule(["create"], ["authorization.k8s.io"], reviews),
                _rule(["create"], ["authentication.k8s.io"], ["selfsubjectreviews"]),
            ],
        ),
        _role(
            "system:service-account-issuer-discovery",
            [_paths("/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks")],
        ),
        _role(
            "system:auth-delegator",
            [
                _rule(["create"], ["authentication.k8s.io"], ["tokenreviews"]),
                _rule(["create"], ["authorization.k8s.io"], ["subjectaccessreviews"]),
            ],
        ),
    ]


def bootstrap_bindings() -> list[Obj]:
    """The ClusterRoleBindings."""
    return [
        _binding("cluster-admin", "system:masters"),
        _binding("system:discovery", "system:authenticated"),
        _binding("system:basic-user", "system:authenticated"),
        _binding("system:public-info-viewer", "system:authenticated", "system:unauthenticated"),
        _binding("system:monitoring", "system:monitoring"),
        _binding("system:service-account-issuer-discovery", "system:serviceaccounts"),
    ]
