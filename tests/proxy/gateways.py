"""Gateways and routes at a real proxy: made, waited for, and asked by host."""

import asyncio
import collections
import contextlib
import json

import aiohttp

from drumroll.objects.kinds import HTTP_ROUTE
from tests.proxy.cluster import eventually, running_cluster, short_folder

API = "gateway.networking.k8s.io/v1"


@contextlib.asynccontextmanager
async def cluster_with_gateway():
    """A cluster with the Services `one` and `two`, a pod each, and the Gateway `front` at the shared port."""
    with short_folder() as folder:
        async with running_cluster(folder, installs=True) as found:
            for name in ("one", "two"):
                await found.service(name)
                await found.pod(name)
            await gateway(found, "front", {"name": "http", "protocol": "HTTP", "port": 80})
            yield found


async def gateway(cluster, name, *listeners, **spec):
    await cluster.client.create(
        {
            "apiVersion": API,
            "kind": "Gateway",
            "metadata": {"namespace": "default", "name": name},
            "spec": {"gatewayClassName": "drumroll", "listeners": list(listeners), **spec},
        }
    )


def backend(name, weight=1, **more):
    return {"name": name, "port": 80, "weight": weight, **more}


def rule(*backends, path=None, **more):
    matches = {"matches": [{"path": {"type": "PathPrefix", "value": path}}]} if path else {}
    return {**matches, "backendRefs": list(backends), **more}


async def route(cluster, name, *rules, kind="HTTPRoute", parents=None, hosts=None):
    """Create the route; its host is `<name>.test` unless told otherwise."""
    hostnames = {} if hosts == [] else {"hostnames": hosts or [f"{name}.test"]}
    return await cluster.client.create(
        {
            "apiVersion": API,
            "kind": kind,
            "metadata": {"namespace": "default", "name": name},
            "spec": {"parentRefs": parents or [{"name": "front"}], **hostnames, "rules": list(rules)},
        }
    )


def conditions(status):
    return {
        c["type"]: (c["status"], c["reason"], c.get("observedGeneration", 0)) for c in status.get("conditions") or ()
    }


async def told(cluster, name, kind=HTTP_ROUTE):
    """The conditions of a route by type, at its first parent."""
    found = await cluster.client.get(kind, "default", name)
    parents = (found.get("status") or {}).get("parents") or [{}]
    return {kind: {"status": s, "reason": r, "generation": g} for kind, (s, r, g) in conditions(parents[0]).items()}


async def acknowledged(cluster, name, generation=1, kind=HTTP_ROUTE):
    async def look():
        found = (await told(cluster, name, kind)).get("drumroll.dev/Acknowledged", {})
        return found.get("status") == "True" and found["generation"] >= generation

    await eventually(look)


async def change(cluster, name, *rules):
    """Replace the rules; the generation that asks for them."""
    found = await cluster.client.patch(HTTP_ROUTE, "default", name, {"spec": {"rules": list(rules)}})
    return found["metadata"]["generation"]


class Front:
    """Asks the shared port in the name of a host."""

    def __init__(self, cluster, host, port=None):
        self.url = f"http://{cluster.network.listen}:{port or cluster.network.http_port}"
        self.headers = {"Host": host}

    async def ask(self, path="/", method="GET", headers=None, **options):
        """(status, body, headers), also when nobody listens (status 0)."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(
                    method, self.url + path, headers=self.headers | (headers or {}), allow_redirects=False, **options
                ) as response,
            ):
                is_json = response.content_type == "application/json"
                return response.status, await (response.json() if is_json else response.text()), response.headers
        except (aiohttp.ClientError, OSError):
            return 0, "", {}

    async def served(self, path="/", **options):
        """Which Service answered, or the status."""
        status, body, _ = await self.ask(path, **options)
        return body["name"].split("-")[0] if status == 200 else status

    async def served_over_tls(self, address, port):
        """Which Service answered over TLS, with the host's name as SNI."""
        command = ["curl", "-sk", "--max-time", "10", "--resolve", f"{self.headers['Host']}:{port}:{address}", self.url]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        return json.loads(output)["name"].split("-")[0]

    async def count(self, n, path="/"):
        """Of `n` requests, which Service answered how many."""
        answers = collections.Counter()
        connector = aiohttp.TCPConnector(limit=16)
        async with aiohttp.ClientSession(connector=connector, headers=self.headers) as session:

            async def lane(share):
                for _ in range(share):
                    async with session.get(self.url + path) as response:
                        await response.read()
                        served = response.headers.get("X-Served-By", str(response.status))
                        answers[served.split("-")[0]] += 1

            await asyncio.gather(*(lane(n // 16 + (i < n % 16)) for i in range(16)))
        return answers
