"""A small program behind the proxy: HTTP, WebSocket and a TCP line echo. It dies at once on SIGTERM."""

import asyncio
import sys

from aiohttp import WSMsgType, web


async def answer(request):
    if request.query.get("ms"):
        await asyncio.sleep(int(request.query["ms"]) / 1000)
    body = await request.text()
    seen = {name.lower(): value for name, value in request.headers.items()}
    return web.json_response(
        {"name": request.app["name"], "path": request.path, "headers": seen, "body": body, "method": request.method},
        headers={"X-Served-By": request.app["name"]},
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
    app["name"] = name
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
