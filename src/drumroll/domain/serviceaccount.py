"""What every namespace has from the start: its default ServiceAccount and the cluster's CA certificate.

Source: kubernetes pkg/controller/serviceaccount/serviceaccounts_controller.go,
pkg/controller/certificates/rootcacertpublisher/publisher.go.
"""

from drumroll.domain.actions import NOTHING, Create, Plan, patch_of
from drumroll.objects.kinds import CONFIG_MAP
from drumroll.objects.meta import Obj, annotations_of, is_deleting

DEFAULT = "default"
ROOT_CA = "kube-root-ca.crt"
DESCRIPTION = "kubernetes.io/description"
DESCRIBED = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


def reconcile_default_account(namespace: Obj, account: Obj | None) -> Plan:
    """Create the ServiceAccount that pods use which name none."""
    if account is not None or is_deleting(namespace):
        return NOTHING
    meta = {"name": DEFAULT, "namespace": namespace["metadata"]["name"]}
    return Plan((Create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),))


def reconcile_root_ca(namespace: Obj, config_map: Obj | None, root_ca: str) -> Plan:
    """Publish the CA's certificate (PEM), and restore it when it was changed."""
    if is_deleting(namespace):
        return NOTHING
    data = {"ca.crt": root_ca}
    annotations = {DESCRIPTION: DESCRIBED}
    if config_map is None:
        meta = {"name": ROOT_CA, "namespace": namespace["metadata"]["name"], "annotations": annotations}
        return Plan((Create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}),))
    if config_map.get("data") == data and DESCRIPTION in annotations_of(config_map):
        return NOTHING
    others = {name: None for name in config_map.get("data") or {} if name not in data}
    return Plan(
        (patch_of(CONFIG_MAP, config_map, {"metadata": {"annotations": annotations}, "data": {**others, **data}}),)
    )
