"""Endpoints and a client that cost next to nothing, to count how thousands of requests are shared."""

import asyncio
import collections
import contextlib


class Endpoint(asyncio.Protocol):
    """Answers whatever comes with its name."""

    def __init__(self, name):
        self._answer = f"HTTP/1.1 200 OK\r\ncontent-length: {len(name)}\r\n\r\n{name}".encode()
        self._rest = b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        *whole, self._rest = (self._rest + data).split(b"\r\n\r\n")
        self._transport.write(self._answer * len(whole))


@contextlib.asynccontextmanager
async def endpoint(cluster, service, number):
    """A Service without a selector, and an endpoint of it that answers with the Service's name."""
    address = f"{cluster.pods_prefix}.{number}"
    await cluster.service(service, selector=None)
    await cluster.client.create(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "namespace": "default",
                "name": service,
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address]}],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        }
    )
    server = await asyncio.get_running_loop().create_server(lambda: Endpoint(service), address, 8080)
    async with server:
        yield


async def shares(address, port, host, n, *, connections=8, deadline=60):
    """Which endpoint answered how many of `n` requests."""
    answers = collections.Counter()

    async def lane(share):
        reader, writer = await asyncio.open_connection(address, port)
        for _ in range(share):
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            answers[(await reader.readexactly(length)).decode()] += 1
        writer.close()

    async with asyncio.timeout(deadline):
        await asyncio.gather(*(lane(n // connections + (i < n % connections)) for i in range(connections)))
    return answers
