"""A cluster in this process with the controllers of progressive delivery, a simulated node and a simulated gateway."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from drumroll.apiserver import ApiServer
from drumroll.client.client import Client
from drumroll.client.informer import Informer
from drumroll.client.inprocess import InProcessTransport
from drumroll.controllers.run import run_controllers
from drumroll.objects.clock import now
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import HTTP_ROUTE, ROLLOUT, kind_of
from drumroll.objects.meta import Obj, key_of
from drumroll.objects.wire import User
from drumroll.rollouts.run import run_rollouts
from drumroll.store.memory import MemoryStore
from tests.controllers.simulation import ADMIN, Handle, SimulatedNode

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "system:serviceaccount:drumroll-system:drumroll-controller"
GROUPS = ("system:serviceaccounts", "system:serviceaccounts:drumroll-system", "system:authenticated")
CONTROLLER = User(ACCOUNT, GROUPS)


@dataclass
class Gateway:
    """Takes every route over and says so, as soon as `says_yes`."""

    client: Client
    says_yes: bool = True
    routes: Informer = field(init=False)

    async def run(self) -> None:
        self.routes = Informer(self.client, HTTP_ROUTE)
        changed = asyncio.Event()
        self.routes.subscribe(lambda old, new: changed.set())
        async with asyncio.TaskGroup() as group:
            group.create_task(self.routes.run())
            while True:
                await changed.wait()
                changed.clear()
                for route in self.routes.items() if self.says_yes else ():
                    with contextlib.suppress(ApiError):
                        await self.take(route)

    async def take(self, route: Obj) -> None:
        generation = route["metadata"]["generation"]
        parents = (route.get("status") or {}).get("parents") or [{}]
        known = (parents[0].get("conditions") or [{}])[0]
        if known.get("observedGeneration") == generation:
            return
        kinds = ("drumroll.dev/Acknowledged", "Accepted")
        moment = "2026-01-01T00:00:00Z"
        conditions = [
            {"type": one, "status": "True", "reason": one.rpartition("/")[2], "message": "",
             "observedGeneration": generation, "lastTransitionTime": moment}
            for one in kinds
        ]  # fmt: skip
        parent = {"parentRef": {"name": "gate"}, "controllerName": "drumroll.dev/gateway", "conditions": conditions}
        key = key_of(route)
        await self.client.patch(
            HTTP_ROUTE, key.namespace, key.name, {"status": {"parents": [parent]}}, subresource="status"
        )


@dataclass
class Laboratory:
    client: Client
    node: SimulatedNode
    gateway: Gateway
    start: Callable[[], asyncio.Task[None]]
    rollouts: asyncio.Task[None] | None = None

    async def restart(self) -> None:
        """Kill the controllers of Rollouts wherever they are, and start them again."""
        assert self.rollouts is not None
        self.rollouts.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.rollouts
        self.rollouts = self.start()

    async def rollout(self, name: str = "web") -> Obj:
        return await self.client.get(ROLLOUT, "default", name)

    async def reaches(self, is_so: Callable[[Obj], Any], name: str = "web", timeout: float = 30) -> Obj:
        """The Rollout, once `is_so` of its status."""
        found: Obj = {}
        try:
            async with asyncio.timeout(timeout):
                while True:
                    found = await self.rollout(name)
                    if is_so(found.get("status") or {}):
                        return found
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"never so: {found.get('status')}") from None

    async def phase(self, phase: str, message: str = "", **more: Any) -> Obj:
        def is_so(status: Obj) -> bool:
            return status.get("phase") == phase and message in (status.get("message") or "")

        return await self.reaches(is_so, **more)

    async def apply(self, *objects: Obj) -> None:
        for one in objects:
            await self.client.create(one)

    async def weights(self) -> dict[str, int]:
        route = await self.client.get(HTTP_ROUTE, "default", "web")
        return {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][-1]["backendRefs"]}


@contextlib.asynccontextmanager
async def laboratory(
    user: User = ADMIN, spoil: Callable[[Handle], Handle] = lambda handle: handle, **node: Any
) -> AsyncIterator[Laboratory]:
    """A running cluster, gone when the block ends; the controllers of Rollouts act as `user`.

    `spoil` comes between them and the API server.
    """
    api = ApiServer(MemoryStore(), service_cidr=IPv4Network("10.96.0.0/16"), now=now, installs=True)
    await api.prepare()
    client = Client(InProcessTransport(api.handle, ADMIN))
    async with asyncio.TaskGroup() as group:

        async def progress() -> None:
            await run_rollouts(Client(InProcessTransport(spoil(api.handle), user)), now=now)

        simulated, gateway = SimulatedNode(client, **node), Gateway(client)
        found = Laboratory(client, simulated, gateway, lambda: group.create_task(progress()))
        for manifest in yaml.safe_load_all((ROOT / "deploy/drumroll.yaml").read_text()):
            if manifest["kind"] != "Deployment":
                await client.create(manifest, kind=kind_of(manifest))
        found.rollouts = found.start()
        tasks = [
            group.create_task(api.run()),
            group.create_task(run_controllers(client, now=now, root_ca="PEM")),
            group.create_task(simulated.run()),
            group.create_task(gateway.run()),
        ]
        yield found
        for task in (*tasks, found.rollouts):
            task.cancel()


def service(name: str) -> Obj:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def in_default(obj: Obj) -> Obj:
    """The object of another test in the namespace `default`, as somebody would send it."""
    meta = {"name": obj["metadata"]["name"], "namespace": "default"}
    return {name: value for name, value in {**obj, "metadata": meta}.items() if name != "status"}
