"""What `kubectl set image`, `rollout undo` and `rollout status` do, through the client; decisions are pure."""

import asyncio
from collections.abc import Iterable

from drumroll.client.client import Client
from drumroll.demo.timeline import HASH, is_ready
from drumroll.objects import wire
from drumroll.objects.kinds import DEPLOYMENT, POD, REPLICA_SET
from drumroll.objects.meta import Obj, annotations_of, controller_of, is_deleting

REVISION = "deployment.kubernetes.io/revision"
CHANGE_CAUSE = "kubernetes.io/change-cause"
POLL_SECONDS = 0.1


class RolloutFailed(Exception):
    """A Deployment did not get where it should; the message says how far it got and why."""


def is_rolled_out(deployment: Obj) -> bool:
    """True when every replica runs the present template and is available, and no old one is left.

    Source: kubectl's `rollout status` (polymorphichelpers/rollout_status.go).
    """
    status, wanted = deployment.get("status") or {}, int(deployment["spec"].get("replicas", 1))
    if int(status.get("observedGeneration", 0)) < int(deployment["metadata"].get("generation", 0)):
        return False
    updated = int(status.get("updatedReplicas", 0))
    return updated >= wanted and int(status.get("replicas", 0)) <= updated <= int(status.get("availableReplicas", 0))


def deadline_exceeded(deployment: Obj) -> str:
    """The condition's message when the Deployment has given up; empty otherwise."""
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    given_up = (each for each in conditions if each.get("reason") == "ProgressDeadlineExceeded")
    return next((str(each.get("message", "")) for each in given_up), "")


def previous(deployment: Obj, replica_sets: Iterable[Obj]) -> Obj | None:
    """The replica set of the revision before the newest, None when there is none."""
    uid = deployment["metadata"]["uid"]
    owned = [each for each in replica_sets if (controller_of(each) or {}).get("uid") == uid]
    numbered = sorted((each for each in owned if revision(each)), key=revision)
    return numbered[-2] if len(numbered) >= 2 else None


def revision(replica_set: Obj) -> int:
    """The number of a replica set's revision; 0 without one."""
    text = annotations_of(replica_set).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def undo_patch(deployment: Obj, target: Obj) -> list[Obj]:
    """The JSON patch that brings back the template of `target`, a replica set, with its change cause."""
    template = {**target["spec"]["template"]}
    meta = {**(template.get("metadata") or {})}
    meta["labels"] = {name: value for name, value in (meta.get("labels") or {}).items() if name != HASH}
    template["metadata"] = meta
    annotations = {name: value for name, value in annotations_of(deployment).items() if name != CHANGE_CAUSE}
    cause = annotations_of(target).get(CHANGE_CAUSE)
    annotations |= {CHANGE_CAUSE: cause} if cause else {}
    return [
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ]


def excuse(pods: Iterable[Obj]) -> str:
    """Why pods are not ready, in the words of their containers' waiting states; empty when there is no word."""
    reasons = []
    for pod in pods:
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") and not is_ready(pod):
                reasons.append(f"{pod['metadata']['name']}: {waiting['reason']} {waiting.get('message', '')}".strip())
    return "; ".join(reasons[:3])


class Rollouts:
    """Drives the Deployments of one namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace

    async def set_image(self, name: str, container: str, image: str) -> None:
        """Give a container another image, and say so in the change cause."""
        await self._client.patch(
            DEPLOYMENT,
            self._namespace,
            name,
            {
                "metadata": {"annotations": {CHANGE_CAUSE: f"image updated to {image}"}},
                "spec": {"template": {"spec": {"containers": [{"name": container, "image": image}]}}},
            },
            content_type=wire.STRATEGIC_MERGE_PATCH,
        )

    async def undo(self, name: str) -> None:
        """Bring back the revision before. Raises RolloutFailed when there is none."""
        deployment = await self._client.get(DEPLOYMENT, self._namespace, name)
        listing = await self._client.list(REPLICA_SET, self._namespace)
        target = previous(deployment, listing.items)
        if target is None:
            raise RolloutFailed(f"deployment {name} has no earlier revision to go back to")
        patch = undo_patch(deployment, target)
        await self._client.patch(DEPLOYMENT, self._namespace, name, patch, content_type=wire.JSON_PATCH)

    async def wait(self, name: str, seconds: float) -> None:
        """Return when the Deployment is rolled out. Raises RolloutFailed after `seconds`, or when it gave up."""
        deployment: Obj = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    deployment = await self._client.get(DEPLOYMENT, self._namespace, name)
                    if is_rolled_out(deployment):
                        return
                    if message := deadline_exceeded(deployment):
                        raise RolloutFailed(f"deployment {name}: {message} {await self._why(deployment)}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            status = deployment.get("status") or {}
            counts = f"{status.get('availableReplicas', 0)} of {deployment['spec'].get('replicas', 1)} available"
            why = await self._why(deployment)
            raise RolloutFailed(f"deployment {name}: only {counts} after {seconds:.0f} s. {why}") from None

    async def wait_gone(self, name: str, seconds: float) -> None:
        """Return when no pod of the Deployment is on its way out any more. Raises RolloutFailed after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if not any(is_deleting(pod) for pod in await self._pods(name)):
                        return
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise RolloutFailed(f"old pods of {name} are still there after {seconds:.0f} s") from None

    async def _pods(self, app: str) -> list[Obj]:
        return (await self._client.list(POD, self._namespace, label_selector=f"app={app}")).items

    async def _why(self, deployment: Obj) -> str:
        return excuse(await self._pods(deployment["metadata"]["name"])) if deployment else ""
