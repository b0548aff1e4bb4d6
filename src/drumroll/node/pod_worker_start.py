"""Starts one run of one container: image, configuration, mounts, the run itself, its postStart hook."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from drumroll.domain.pod_status import Waiting
from drumroll.domain.restart import advance
from drumroll.domain.stop_signal import choose_stop_signal
from drumroll.node.agent_context import NodeContext
from drumroll.node.environment import ConfigError, Invocation, build_invocation
from drumroll.node.lifecycle import run_hook
from drumroll.node.pod_worker_state import Hold, PodState, field_path, find_container
from drumroll.node.probing import ProbeTarget
from drumroll.node.runtime import ContainerError, ContainerSpec, ContainerState, Mount, RootImage, Sandbox
from drumroll.node.volumes import container_mounts
from drumroll.node.volumes_content import VolumeError
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity, whole

log = logging.getLogger("drumroll.node")

IMAGE_LOOK = timedelta(seconds=2)
"""How soon a missing image is looked for again during the back-off: looking is cheap, there is no registry."""


@dataclass(frozen=True, slots=True)
class Starter:
    """Starts containers of one pod; all it learns goes into `state`."""

    context: NodeContext
    state: PodState
    wake: Callable[[], None]

    def event(self, kind: str, reason: str, message: str, name: str = "") -> None:
        """An Event about the pod or (with `name`) one of its containers."""
        path = field_path(self.state.pod, name) if name else ""
        self.context.events.record(self.state.pod, "Normal" if kind == "Normal" else "Warning", reason, message, path)

    async def start(self, name: str) -> ContainerState | None:
        """The new run; None when it could not be started (why and when next is in `state`)."""
        container = find_container(self.state.pod, name)
        try:
            image = self._image(container)
            if image is None:
                return None
            return await self._run(container, image)
        except ConfigError as error:
            self._fail(name, "CreateContainerConfigError", str(error))
        except VolumeError as error:
            self._fail(name, "CreateContainerConfigError", str(error))
        except ContainerError as error:
            self._fail(name, error.reason, error.message)
        return None

    def _image(self, container: Obj) -> RootImage | None:
        name, reference = container["name"], container["image"]
        try:
            image = self.context.images.resolve(reference)
        except ValueError as error:
            self._hold(name)
            self._wait(name, "InvalidImageName", f'Failed to apply default image tag "{reference}": {error}')
            return None
        if image is None:
            self._missing_image(name, reference, container.get("imagePullPolicy") or "IfNotPresent")
            return None
        self.event("Normal", "Pulled", f'Container image "{reference}" already present on machine', name)
        self.state.image_ids[name] = image.digest
        return image

    def _missing_image(self, name: str, reference: str, policy: str) -> None:
        """Tell as the original does: first the failed pull, then the back-off; look again soon in between."""
        now = self.context.now()
        known = self.state.waiting.get(name)
        if policy == "Never":
            text = f'Container image "{reference}" is not present with pull policy of Never'
            if known is None or known.reason != "ErrImageNeverPull":
                self.event("Warning", "ErrImageNeverPull", text, name)
                self.event("Warning", "Failed", "Error: ErrImageNeverPull", name)
            self._wait(name, "ErrImageNeverPull", text)
            self.state.holds[name] = Hold(advance(None, now, now), now + IMAGE_LOOK)
            return
        hold = self.state.holds.get(name)
        missing = (
            f'image "{reference}" is not on this machine: make it with `drumroll image build --tag {reference} FOLDER`'
            f" or give an image that is here this name with `drumroll image tag SOURCE {reference}`"
        )
        if hold is None or now - hold.back_off.updated >= hold.back_off.delay:
            entry = advance(hold.back_off if hold else None, now, now)
            self.event("Normal", "Pulling", f'Pulling image "{reference}"', name)
            self.event("Warning", "Failed", f'Failed to pull image "{reference}": {missing}', name)
            self.event("Warning", "Failed", "Error: ErrImagePull", name)
            self._wait(name, "ErrImagePull", missing)
            self.state.holds[name] = Hold(entry, now + IMAGE_LOOK)
            return
        if known is None or known.reason != "ImagePullBackOff":
            self.event("Normal", "BackOff", f'Back-off pulling image "{reference}"', name)
            self.event("Warning", "Failed", "Error: ImagePullBackOff", name)
        self._wait(name, "ImagePullBackOff", f'Back-off pulling image "{reference}": ErrImagePull: {missing}')
        self.state.holds[name] = Hold(hold.back_off, now + IMAGE_LOOK)

    async def _run(self, container: Obj, image: RootImage) -> ContainerState:
        name, sandbox = container["name"], self.state.sandbox
        if sandbox is None:
            raise ContainerError("CreateContainerError", "the pod's sandbox is gone")
        invocation = await build_invocation(self.context, self.state.pod, container, image, sandbox.ip)
        attempt = self.state.next_attempt(name)
        spec = self._spec(container, image, sandbox, invocation, attempt)
        last = self.state.latest(name)
        run = await self.context.runtime.start_container(sandbox, spec)
        if last is not None and last.finished_at is not None:
            entry = self.state.back_offs.get(name)
            self.state.back_offs[name] = advance(entry, last.finished_at, self.context.now())
        self.event("Normal", "Created", "Container created", name)
        self.event("Normal", "Started", "Container started", name)
        log.info("container_started pod=%s container=%s attempt=%d pid=%s", self.state.uid, name, attempt, run.pid)
        self.state.waiting.pop(name, None)
        self.state.holds.pop(name, None)
        return run

    def _spec(
        self, container: Obj, image: RootImage, sandbox: Sandbox, invocation: Invocation, attempt: int
    ) -> ContainerSpec:
        name = container["name"]
        mounts = container_mounts(self.state.pod, container, self.state.volumes or {}, invocation.env)
        report = termination_file(self.state.folder, name, attempt)
        report.parent.mkdir(parents=True, exist_ok=True)
        report.touch(mode=0o666)
        report.chmod(0o666)
        said = container.get("terminationMessagePath") or "/dev/termination-log"
        resources = container.get("resources") or {}
        limits = resources.get("limits") or {}
        requests = {**limits, **(resources.get("requests") or {})}
        security = {**(self.state.pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
        user, group = security.get("runAsUser"), security.get("runAsGroup")
        return ContainerSpec(
            name=name,
            attempt=attempt,
            image=image,
            argv=invocation.argv,
            env=invocation.env,
            working_dir=invocation.working_dir,
            log_path=log_file(self.state.folder, name, attempt),
            mounts=(*mounts, Mount(report, said)),
            user=image.user if user is None else f"{user}" if group is None else f"{user}:{group}",
            cpu_request=float(parse_quantity(requests.get("cpu", 0))),
            cpu_limit=float(parse_quantity(limits["cpu"])) if "cpu" in limits else None,
            memory_limit=whole(limits["memory"]) if "memory" in limits else None,
            read_only_root=bool(security.get("readOnlyRootFilesystem")),
            stop_signal=choose_stop_signal(
                (container.get("lifecycle") or {}).get("stopSignal") or "", image.stop_signal
            ),
            stdin=bool(container.get("stdin")),
            stdin_once=bool(container.get("stdinOnce")),
            tty=bool(container.get("tty")),
            beside=self._beside(container.get("targetContainerName") or ""),
        )

    def _beside(self, target: str) -> str:
        """The run whose processes an ephemeral container sees."""
        run = self.state.latest(target)
        if target and (run is None or run.exit_code is not None):
            raise ContainerError("CreateContainerConfigError", f"unable to find target container {target}")
        return run.container_id if run is not None else ""

    def has_post_start(self, run: ContainerState) -> bool:
        """Whether the container has a postStart hook."""
        return bool((find_container(self.state.pod, run.name).get("lifecycle") or {}).get("postStart"))

    async def post_start(self, run: ContainerState) -> bool:
        """Run the postStart hook, if there is one; False when it failed."""
        container = find_container(self.state.pod, run.name)
        hook = (container.get("lifecycle") or {}).get("postStart")
        if not hook or self.state.sandbox is None:
            return True
        target = ProbeTarget(self.context.runtime, run.container_id, self.state.sandbox.ip, container)
        problem = await run_hook(hook, target, timeout=3600.0)
        if problem is not None:
            self.event("Warning", "FailedPostStartHook", "PostStartHook failed", run.name)
            log.info("post_start_failed pod=%s container=%s", self.state.uid, run.name)
        return problem is None

    def _fail(self, name: str, reason: str, message: str) -> None:
        self.event("Warning", "Failed", f"Error: {message}", name)
        self._wait(name, reason, message)
        self._hold(name)

    def _hold(self, name: str) -> None:
        now = self.context.now()
        hold = self.state.holds.get(name)
        entry = advance(hold.back_off if hold else None, now, now)
        self.state.holds[name] = Hold(entry, now + entry.delay)

    def _wait(self, name: str, reason: str, message: str) -> None:
        self.state.waiting[name] = Waiting(reason, message)


def log_file(pod_folder: Path, name: str, attempt: int) -> Path:
    """Where a run's output goes."""
    return pod_folder / "logs" / name / f"{attempt}.log"


def termination_file(pod_folder: Path, name: str, attempt: int) -> Path:
    """The machine's file behind a run's terminationMessagePath."""
    return pod_folder / "termination" / name / str(attempt)
