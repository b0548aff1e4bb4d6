"""Answers from the table, and questions about the rest of the world."""

import asyncio
import os

import orjson
import pytest
from dnslib import QTYPE, RCODE, RR, A, DNSRecord

from drumroll.proxy.dns import PORT, Server, listening_sockets, resolvers, serve
from drumroll.proxy.dns_answer import Records

pytestmark = pytest.mark.asyncio
ZONE = "default.svc.cluster.local"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "dns.json"
    many = [f"10.244.0.{n}" for n in range(1, 200)]
    a = {f"web.{ZONE}": ["10.96.0.7"], f"many.{ZONE}": many, f"none.{ZONE}": []}
    path.write_bytes(orjson.dumps({"a": a, "srv": {}, "cname": {f"out.{ZONE}": "example.com"}, "ptr": {}}))
    return path


async def ask(server, name, kind="A", *, stream=False):
    reply = await server.reply(DNSRecord.question(name, kind).pack(), stream=stream)
    return DNSRecord.parse(reply)


@pytest.mark.parametrize(
    ("name", "kind", "code", "answers"),
    [
        pytest.param(f"web.{ZONE}", "A", RCODE.NOERROR, ["10.96.0.7"], id="an address"),
        pytest.param(f"WEB.{ZONE}.", "A", RCODE.NOERROR, ["10.96.0.7"], id="in any case"),
        pytest.param(f"web.{ZONE}", "AAAA", RCODE.NOERROR, [], id="no IPv6 is no error"),
        pytest.param(f"none.{ZONE}", "A", RCODE.NOERROR, [], id="a headless Service without pods exists"),
        pytest.param(f"nobody.{ZONE}", "A", RCODE.NXDOMAIN, [], id="an unknown name"),
        pytest.param(ZONE, "A", RCODE.NOERROR, [], id="the end of longer names exists"),
        pytest.param(f"out.{ZONE}", "A", RCODE.NOERROR, ["example.com."], id="an external Service"),
    ],
)
async def test_what_is_answered(table, tmp_path, name, kind, code, answers):
    reply = await ask(Server(Records(table), tmp_path / "none"), name, kind)
    assert (reply.header.rcode, [str(rr.rdata) for rr in reply.rr]) == (code, answers)


async def test_the_table_is_read_again_when_it_is_replaced(table, tmp_path):
    server = Server(Records(table), tmp_path / "none")
    assert (await ask(server, f"new.{ZONE}")).header.rcode == RCODE.NXDOMAIN
    fresh = tmp_path / "fresh"
    fresh.write_bytes(orjson.dumps({"a": {f"new.{ZONE}": ["10.96.0.9"]}}))
    fresh.replace(table)
    assert str((await ask(server, f"new.{ZONE}")).rr[0].rdata) == "10.96.0.9"
    table.write_text("half a ta")
    assert str((await ask(server, f"new.{ZONE}")).rr[0].rdata) == "10.96.0.9"


async def test_a_long_answer_by_datagram_says_that_there_is_more(table, tmp_path):
    server = Server(Records(table), tmp_path / "none")
    assert (await ask(server, f"many.{ZONE}")).header.tc
    assert len((await ask(server, f"many.{ZONE}", stream=True)).rr) == 199


async def test_rubbish_is_not_answered(table, tmp_path):
    server = Server(Records(table), tmp_path / "none")
    assert await server.reply(b"rubbish", stream=False) is None
    assert await server.reply(b"", stream=False) is None


async def test_without_a_resolver_the_rest_of_the_world_fails_soon(table, tmp_path):
    reply = await ask(Server(Records(table), tmp_path / "none"), "example.com")
    assert reply.header.rcode == RCODE.SERVFAIL


async def test_resolvers_of_a_resolv_conf():
    assert resolvers("# x\nsearch a\nnameserver 1.2.3.4\nnameserver fe80::1\nnameserver  127.0.0.53 \n") == [
        "1.2.3.4",
        "127.0.0.53",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="port 53 needs root")
async def test_the_rest_of_the_world_is_asked_of_the_hosts_resolver(table, tmp_path):
    class Outside(Server):
        async def reply(self, message, *, stream):
            reply = DNSRecord.parse(message).reply()
            reply.add_answer(RR("example.com", QTYPE.A, rdata=A("192.0.2.1")))
            return reply.pack()

    one, two = os.urandom(2)
    address = f"127.251.{one}.{max(two, 1)}"
    sockets = listening_sockets(address, PORT, None)
    outside = asyncio.create_task(serve(Outside(Records(table), table), *sockets))
    try:
        conf = tmp_path / "resolv.conf"
        conf.write_text(f"nameserver {address}\n")
        server = Server(Records(table), conf)
        for stream in (False, True):
            assert str((await ask(server, "example.com", stream=stream)).rr[0].rdata) == "192.0.2.1"
            alias = await ask(server, f"out.{ZONE}", stream=stream)
            assert [str(rr.rdata) for rr in alias.rr] == ["example.com.", "192.0.2.1"]
    finally:
        outside.cancel()
        await asyncio.gather(outside, return_exceptions=True)
