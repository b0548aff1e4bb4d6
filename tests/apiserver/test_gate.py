"""Limits and the audit log: what is too much is refused with 429 and 413, and what happened can be read."""

import asyncio
import json
import stat

import pytest

from drumroll.apiserver.asgi import BODY_LIMIT, Application
from drumroll.apiserver.gate import Limits, Security
from drumroll.objects.wire import ANONYMOUS, User
from drumroll.store.memory import MemoryStore
from tests.apiserver.server import ADMIN, CONFIG_MAPS, PODS, Server, config_map, pod

pytestmark = pytest.mark.asyncio

JANE = User("jane", ("system:authenticated",))
JIM = User("jim", ("system:authenticated",))
SECRETS = "/api/v1/namespaces/default/secrets"


async def over_http(server, method, path, chunks=(), headers=()):
    """Status and body of a request as uvicorn hands it over."""
    pending, sent = list(chunks), []

    async def receive():
        chunk = pending.pop(0) if pending else b""
        return {"type": "http.request", "body": chunk, "more_body": bool(pending)}

    async def send(message):
        sent.append(message)

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": ("192.0.2.7", 1),
    }
    await Application(server.api)(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def make(tokens=None, **more):
    server = Server(security=Security(**more), tokens=tokens)
    await server.api.prepare()
    return server


async def test_a_user_who_asks_too_often_is_told_to_come_back():
    server = await make(limits=Limits(rate=0.001, burst=3))
    assert [(await server.call("GET", "/api", user=JANE))[0] for _ in range(4)] == [200, 200, 200, 429]
    refused = await server.send("GET", "/api", user=JANE)
    assert dict(refused.headers)["Retry-After"] == "1"
    assert json.loads(refused.body)["reason"] == "TooManyRequests"
    assert (await server.call("GET", "/api", user=JIM))[0] == 200
    assert {(await server.call("GET", "/api", user=ADMIN))[0] for _ in range(20)} == {200}


async def test_who_guesses_tokens_is_slowed_down():
    server = await make(limits=Limits(rate=0.001, burst=3))
    guesses = [(await server.call("GET", "/api", user=ANONYMOUS, authorization=f"Bearer {n}"))[0] for n in range(4)]
    assert guesses == [401, 401, 401, 429]


class HeldStore(MemoryStore):
    """Writes wait until it is let go."""

    def __init__(self):
        super().__init__()
        self.free, self.waiting = asyncio.Event(), 0
        self.free.set()

    async def write(self, write):
        self.waiting += 1
        await self.free.wait()
        self.waiting -= 1
        return await super().write(write)


async def held(**limits):
    """A server whose writes wait, and on which jane may do everything."""
    server = Server(HeldStore(), security=Security(limits=Limits(**limits)))
    await server.api.prepare()
    await may(server, "cluster-admin")
    server.store.free.clear()
    return server


async def may(server, role):
    body = {
        "metadata": {"name": "jane"},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": "jane"}],
    }
    await server.made("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body)


async def test_only_so_many_requests_at_a_time():
    server = await held(in_flight=2)
    first = [asyncio.create_task(server.call("POST", CONFIG_MAPS, config_map(f"c{n}"), user=JANE)) for n in range(2)]
    async with asyncio.timeout(5):
        while server.store.waiting < 2:
            await asyncio.sleep(0)
    assert (await server.call("GET", CONFIG_MAPS, user=JANE))[0] == 429
    assert (await server.call("GET", CONFIG_MAPS, user=ADMIN))[0] == 200
    server.store.free.set()
    assert [status for status, _ in await asyncio.gather(*first)] == [201, 201]
    assert (await server.call("GET", CONFIG_MAPS, user=JANE))[0] == 200


async def test_an_answer_that_takes_too_long_is_none():
    server = await held(seconds=0.05)
    status, answer = await server.call("POST", CONFIG_MAPS, config_map("c"), user=JANE)
    assert (status, answer["reason"]) == (504, "Timeout")


async def test_watches_do_not_count_as_requests_under_way():
    server = await make(limits=Limits(in_flight=1))
    await may(server, "view")
    watches = [await server.send("GET", f"{PODS}?watch=true", user=JANE) for _ in range(5)]
    assert {watch.status for watch in watches} == {200}
    assert (await server.call("GET", PODS, user=JANE))[0] == 200
    for watch in watches:
        await watch.stream.aclose()


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_that_is_too_large_is_not_read_to_its_end(declared):
    server = await make()
    chunk = b" " * (1 << 20)
    headers = [("content-length", str(BODY_LIMIT + 1))] if declared else []
    status, answer = await over_http(server, "POST", CONFIG_MAPS, [chunk] * 4, headers)
    assert (status, json.loads(answer)["reason"]) == (413, "RequestEntityTooLarge")


async def test_impersonated_groups_arrive_one_by_one():
    server = await make(tokens={"t": ADMIN})
    headers = [("authorization", "Bearer t"), ("impersonate-user", "jane")]
    headers += [("impersonate-group", group) for group in ("a", "b")]
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    status, answer = await over_http(server, "POST", path, [b"{}"], headers)
    assert (status, json.loads(answer)["status"]["userInfo"]["groups"]) == (201, ["a", "b", "system:authenticated"])


async def audited(server, file):
    return [json.loads(line) for line in file.read_text().splitlines()]


async def test_the_audit_log_says_who_did_what_and_never_what_was_said(tmp_path):
    file = tmp_path / "audit.log"
    server = await make(audit=file)
    await over_http(server, "GET", f"{SECRETS}/s?pretty=true", headers=[("user-agent", "test/1")])
    await over_http(server, "GET", "/version", headers=[("authorization", "Bearer hush-hush")])
    secret = {"metadata": {"name": "s"}, "stringData": {"password": "hush-hush"}}
    await server.made("POST", SECRETS, secret)
    await server.made("PATCH", f"{SECRETS}/s", {"stringData": {"password": "hush-hush-2"}})
    await server.call("POST", PODS, pod("p"), impersonate_user="jane")
    events = await audited(server, file)
    text = file.read_text()
    assert "hush" not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first, second, third, fourth, fifth = events[-5:]
    assert (first["kind"], first["apiVersion"], first["level"]) == ("Event", "audit.k8s.io/v1", "Metadata")
    assert (first["verb"], first["user"]["username"], first["sourceIPs"]) == ("get", "system:anonymous", ["192.0.2.7"])
    assert first["requestURI"] == f"{SECRETS}/s?pretty=true"
    assert first["objectRef"] == {"resource": "secrets", "namespace": "default", "name": "s", "apiVersion": "v1"}
    assert (first["responseStatus"]["code"], first["userAgent"]) == (403, "test/1")
    assert (second["responseStatus"]["code"], second["requestURI"]) == (401, "/version")
    assert (third["verb"], third["user"]["username"], third["responseStatus"]["code"]) == ("create", "admin", 201)
    assert (fourth["verb"], fourth["responseStatus"]["code"]) == ("patch", 200)
    assert (fifth["user"]["username"], fifth["impersonatedUser"]["username"]) == ("admin", "jane")
    assert fifth["annotations"]["authorization.k8s.io/decision"] == "forbid"


@pytest.mark.parametrize(
    ("name", "key", "status"), [("s", "password", 201), ("S!", "password", 422), ("s", "pass word", 422)]
)
async def test_a_secret_is_in_no_log_and_in_no_refusal(caplog, name, key, status):
    server = await make()
    with caplog.at_level("DEBUG"):
        answer = await server.call("POST", SECRETS, {"metadata": {"name": name}, "stringData": {key: "hush-hush"}})
    assert answer[0] == status
    assert "hush" not in caplog.text
    hidden = ("hush-hush", "aHVzaC1odXNo")
    assert status == 201 or not any(text in json.dumps(answer[1]) for text in hidden)
