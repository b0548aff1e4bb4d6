"""A small program behind the proxy: HTTP, WebSocket and a TCP line echo. It dies at once on SIGTERM."""

import asyncio
import collections
import sys

from aiohttp import WSMsgType, web


async def answer(request):
    seen = request.app["seen"]
    seen[request.path] += 1
    seen["marked"] += "x-drumroll-mirror" in request.headers
    if request.path == "/_seen":
        return web.json_response(seen)
    if seen[request.path] <= int(request.query.get("fail", 0)):
        return web.Response(status=503)
    if request.query.get("ms"):
        await asyncio.sleep(int(request.query["ms"]) / 1000)
    if "broken" in request.query:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"only so much")
        request.transport.close()
        return response
    goal = {"X-Drumroll-Goal": request.query["goal"]} if "goal" in request.query else {}
    body = await request.text()
    seen = {name.lower(): value for name, value in request.headers.items()}
    return web.json_response(
        {"name": request.app["name"], "path": request.path, "headers": seen, "body": body, "method": request.method},
        headers={"X-Served-By": request.app["name"], **goal},
        status=int(request.query.get("status", 200)),
    )


async def chat(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(f"{request.app['name']} {message.data}")
    return socket


async def echo(name, reader, writer):
    while line := await reader.readline():
        writer.write(f"{name} ".encode() + line)
        await writer.drain()
    writer.close()


async def main(address, name):
    app = web.Application()
    app["name"], app["seen"] = name, collections.Counter()
    app.router.add_get("/ws", chat)
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, keepalive_timeout=5)
    await runner.setup()
    await web.TCPSite(runner, address, 8080).start()
    server = await asyncio.start_server(lambda r, w: echo(name, r, w), address, 9000)
    print("ready", flush=True)  # noqa: T201 - the test waits for it
    async with server:
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
