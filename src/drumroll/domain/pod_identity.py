"""What a pod gets from its ServiceAccount: a token and the way to the API, and pull secrets.

Source: kubernetes plugin/pkg/admission/serviceaccount/admission.go.
"""

from drumroll.objects.meta import Obj

TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 60 * 60 + 7
VOLUME_PREFIX = "kube-api-access-"


def give_identity(pod: Obj, account: Obj, suffix: str) -> None:
    """Complete a new pod, in place. `suffix` (five letters) makes the volume's name its own."""
    spec = pod["spec"]
    if _mounts_token(spec, account):
        _mount_token(spec, suffix)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(reference) for reference in account["imagePullSecrets"]]


def _mounts_token(spec: Obj, account: Obj) -> bool:
    """The pod's word counts before its account's; by default a token is mounted."""
    for holder in (spec, account):
        if holder.get("automountServiceAccountToken") is not None:
            return bool(holder["automountServiceAccountToken"])
    return True


def _mount_token(spec: Obj, suffix: str) -> None:
    volumes = spec.get("volumes") or []
    known = next((v["name"] for v in volumes if str(v.get("name") or "").startswith(VOLUME_PREFIX)), "")
    name = known or f"{VOLUME_PREFIX}{suffix}"
    is_needed = False
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            mounts = container.get("volumeMounts") or []
            if not any(mount.get("mountPath") == TOKEN_FOLDER for mount in mounts):
                container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": TOKEN_FOLDER}]
                is_needed = True
    if is_needed and not known:
        spec["volumes"] = [*volumes, _volume(name)]


def _volume(name: str) -> Obj:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}
