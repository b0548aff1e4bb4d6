"""What a GitOps controller does in a loop, for all that people deploy: apply in dry run and find nothing to do."""

import copy

import pytest
import pytest_asyncio

from drumroll.objects.kinds import KINDS

pytestmark = pytest.mark.asyncio
POD = {"containers": [{"name": "web", "image": "app:1", "ports": [{"containerPort": 80}],
                       "env": [{"name": "A", "value": "b"}], "resources": {"limits": {"memory": "1024Mi"}},
                       "livenessProbe": {"httpGet": {"port": 80}}, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
       "volumes": [{"name": "v", "emptyDir": {}}]}  # fmt: skip
LABELS = {"app": "web"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD}
SELECTED = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}
JOB = {"template": {"spec": {**POD, "restartPolicy": "Never"}}}
MANIFESTS = {
    "ConfigMap": {"data": {"a": "b"}},
    "Secret": {"data": {"a": "Yg=="}, "type": "Opaque"},
    "ServiceAccount": {"imagePullSecrets": [{"name": "s"}]},
    "Service": {"spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": "http"}]}},
    "Deployment": {"spec": {"replicas": 2, **SELECTED}},
    "StatefulSet": {"spec": {"serviceName": "web", **SELECTED, "volumeClaimTemplates": [
        {"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"],
                                             "resources": {"requests": {"storage": "1024Mi"}}}}]}},
    "DaemonSet": {"spec": SELECTED},
    "Job": {"spec": JOB},
    "CronJob": {"spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": JOB}}},
    "Ingress": {"spec": {"rules": [{"host": "a.b", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}},
    "NetworkPolicy": {"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 3, "scaleTargetRef": {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}},
    "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}}},
    "PersistentVolumeClaim": {"spec": {"accessModes": ["ReadWriteOnce"],
                                       "resources": {"requests": {"storage": "0.5Gi"}}}},
    "ResourceQuota": {"spec": {"hard": {"cpu": "1000m", "pods": "10"}}},
    "LimitRange": {"spec": {"limits": [{"type": "Container", "default": {"cpu": "0.5"}}]}},
    "Role": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "RoleBinding": {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"},
                    "subjects": [{"kind": "ServiceAccount", "name": "web"}]},
    "PriorityClass": {"value": 5},
    "StorageClass": {"provisioner": "a.b/c"},
    "ClusterRole": {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": LABELS}]}},
    "IngressClass": {"spec": {"controller": "a.b/c"}},
    "Namespace": {},
}  # fmt: skip


@pytest_asyncio.fixture
async def gitops(server):
    await server.made("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    return server


@pytest.mark.parametrize("name", MANIFESTS)
async def test_what_is_applied_again_changes_nothing(gitops, name):
    kind = [kind for kind in KINDS if kind.name == name][-1 if name == "HorizontalPodAutoscaler" else 0]
    namespace = "shop" if kind.namespaced else ""
    head = {"apiVersion": kind.api_version, "kind": name, "metadata": {"name": "web", "labels": LABELS}}
    manifest = {**head, **copy.deepcopy(MANIFESTS[name])}
    path = kind.path(namespace, "web")
    apply = "fieldManager=gitops&force=true"
    content = {"content_type": "application/apply-patch+yaml"}
    first = await gitops.made("PATCH", f"{path}?{apply}", manifest, **content)
    for _ in range(2):
        tried = await gitops.made("PATCH", f"{path}?{apply}&dryRun=All", manifest, **content)
        assert tried == first
    assert await gitops.made("PATCH", f"{path}?{apply}", manifest, **content) == first
    assert await gitops.made("GET", path) == first


async def test_what_another_changed_is_seen_and_undone(gitops):
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, **MANIFESTS["Deployment"]}
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    apply, content = "fieldManager=gitops&force=true", {"content_type": "application/apply-patch+yaml"}
    first = await gitops.made("PATCH", f"{path}?{apply}", manifest, **content)
    await gitops.made("PATCH", path, {"spec": {"replicas": 5}})
    tried = await gitops.made("PATCH", f"{path}?{apply}&dryRun=All", manifest, **content)
    assert (tried["spec"]["replicas"], tried["metadata"]["generation"]) == (2, 3)
    assert (await gitops.made("GET", path))["spec"]["replicas"] == 5
    again = await gitops.made("PATCH", f"{path}?{apply}", manifest, **content)
    assert again["spec"] == first["spec"]
