"""A cluster in this process: the real API server on a memory store, the real controllers, and a simulated node."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from drumroll.apiserver import ApiServer
from drumroll.client.client import Client
from drumroll.client.informer import Informer
from drumroll.client.inprocess import InProcessTransport
from drumroll.controllers.run import run_controllers
from drumroll.objects.clock import now
from drumroll.objects.errors import ApiError, NotFound
from drumroll.objects.kinds import DEPLOYMENT, POD, Kind
from drumroll.objects.meta import Obj, is_deleting, timestamp, uid_of
from drumroll.objects.wire import Request, Response, User
from drumroll.store.memory import MemoryStore

ADMIN = User("admin", ("system:masters",))


@dataclass
class SimulatedNode:
    """Binds pods, makes those ready that `is_good`, and ends those that are deleted."""

    client: Client
    is_good: Callable[[Obj], bool] = lambda pod: True
    binds: bool = True
    ready_after: float = 0.0
    ends_after: float = 0.0
    most_at_once: int = 0
    _seen: set[str] = field(default_factory=set)
    _ended: set[str] = field(default_factory=set)
    _count: int = 0
    _alive: set[str] = field(default_factory=set)

    async def run(self) -> None:
        pods = Informer(self.client, POD)
        async with asyncio.TaskGroup() as group:

            def changed(old: Obj | None, new: Obj | None) -> None:
                for pod in (old, new):
                    self._alive.discard(uid_of(pod) if pod else "")
                if new is not None and not is_deleting(new):
                    self._alive.add(uid_of(new))
                self.most_at_once = max(self.most_at_once, len(self._alive))
                if new is None:
                    return
                uid = uid_of(new)
                if uid not in self._seen:
                    self._seen.add(uid)
                    group.create_task(self._start(new))
                if is_deleting(new) and uid not in self._ended:
                    self._ended.add(uid)
                    group.create_task(self._end(new))

            pods.subscribe(changed)
            await pods.run()

    async def _start(self, pod: Obj) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        with contextlib.suppress(ApiError):
            if self.binds:
                target = {"apiVersion": "v1", "kind": "Node", "name": "sim"}
                meta = {"namespace": namespace, "name": name}
                binding = {"apiVersion": "v1", "kind": "Binding", "metadata": meta, "target": target}
                await self.client.create(binding, subresource="binding")
            await asyncio.sleep(self.ready_after)
            if self.is_good(pod):
                await self.client.patch(POD, namespace, name, {"status": self.ready_status()}, subresource="status")

    def ready_status(self) -> Obj:
        self._count += 1
        moment = timestamp(now())
        address = f"10.244.{self._count // 250}.{self._count % 250 + 1}"
        kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        conditions = [{"type": one, "status": "True", "lastTransitionTime": moment} for one in kinds]
        return {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions}

    async def _end(self, pod: Obj) -> None:
        await asyncio.sleep(self.ends_after)
        with contextlib.suppress(NotFound):
            meta = pod["metadata"]
            await self.client.delete(POD, meta["namespace"], meta["name"], uid=meta["uid"], grace_period_seconds=0)


@dataclass
class Simulation:
    client: Client
    node: SimulatedNode
    start: Callable[[], asyncio.Task[None]]
    controllers: asyncio.Task[None] | None = None

    async def restart_controllers(self) -> None:
        """End them wherever they are, and start them again with nothing remembered."""
        assert self.controllers is not None
        self.controllers.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.controllers
        self.controllers = self.start()

    async def eventually(self, is_so: Callable[[], Any], timeout: float = 10.0) -> Any:
        """The first truthy answer of `is_so`, an async function."""
        answer = None
        try:
            async with asyncio.timeout(timeout):
                while not (answer := await is_so()):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never true: {is_so}; last answer {answer!r}") from None
        return answer

    async def items(self, kind: Kind, namespace: str = "default") -> list[Obj]:
        return (await self.client.list(kind, namespace)).items

    async def deployed(self, name: str = "web", timeout: float = 10.0) -> Obj:
        """The Deployment, once its rollout is complete."""

        async def is_complete() -> Obj | None:
            found = await self.client.get(DEPLOYMENT, "default", name)
            status, wanted = found.get("status", {}), found["spec"]["replicas"]
            counts = [status.get(one, 0) for one in ("replicas", "updatedReplicas", "availableReplicas")]
            is_observed = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
            return found if is_observed and counts == [wanted] * 3 else None

        return await self.eventually(is_complete, timeout)

    async def events(self, name: str) -> list[str]:
        """The messages about an object, oldest first."""
        from drumroll.objects.kinds import EVENT

        found = await self.items(EVENT)
        ours = [one for one in found if one["involvedObject"]["name"] == name]
        return [one["message"] for one in sorted(ours, key=lambda one: one["metadata"]["name"])]


Handle = Callable[[Request], Awaitable[Response]]


@contextlib.asynccontextmanager
async def simulate(spoil: Callable[[Handle], Handle] = lambda handle: handle, **node: Any) -> AsyncIterator[Simulation]:
    """A running cluster, gone when the block ends. `spoil` comes between the controllers and the API server."""
    api = ApiServer(MemoryStore(), service_cidr=IPv4Network("10.96.0.0/16"), now=now)
    await api.prepare()
    client = Client(InProcessTransport(api.handle, ADMIN))
    simulated = SimulatedNode(client, **node)
    async with asyncio.TaskGroup() as group:

        async def control() -> None:
            await run_controllers(Client(InProcessTransport(spoil(api.handle), ADMIN)), now=now, root_ca="PEM")

        cluster = Simulation(client, simulated, lambda: group.create_task(control()))
        cluster.controllers = cluster.start()
        housekeeping = group.create_task(api.run())
        node_task = group.create_task(simulated.run())
        yield cluster
        cluster.controllers.cancel()
        node_task.cancel()
        housekeeping.cancel()


def deployment(name: str = "web", image: str = "app:1", replicas: int = 4, **spec: Any) -> Obj:
    container = {"name": "c", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


def new_image(image: str) -> Obj:
    container = {"name": "c", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}
