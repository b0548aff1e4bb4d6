"""Which revision of its owner a pod is."""

from drumroll.objects.meta import Obj, labels_of

ROLLOUT_HASH, DEPLOYMENT_HASH = "rollouts-pod-template-hash", "pod-template-hash"


def revision_of(pod: Obj) -> str:
    """The hash of the template that the pod was made from; empty for a pod without such an owner."""
    labels = labels_of(pod)
    return labels.get(ROLLOUT_HASH) or labels.get(DEPLOYMENT_HASH) or ""
