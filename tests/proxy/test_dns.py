"""Answers from the table, and questions about the rest of the world."""

import os
import socket
import struct
import subprocess
import sys
import threading

import orjson
import pytest
from dnslib import QTYPE, RCODE, RR, A, DNSRecord

from drumroll.proxy.dns import FORWARD_SECONDS, FORWARDS, PORT, Server, listening_sockets, resolvers, serve
from drumroll.proxy.dns_answer import Records

ZONE = "default.svc.cluster.local"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "dns.json"
    many = [f"10.244.0.{n}" for n in range(1, 200)]
    a = {f"web.{ZONE}": ["10.96.0.7"], f"many.{ZONE}": many, f"none.{ZONE}": []}
    path.write_bytes(orjson.dumps({"a": a, "srv": {}, "cname": {f"out.{ZONE}": "example.com"}, "ptr": {}}))
    return path


def ask(server, name, kind="A", *, stream=False):
    query = server.read(DNSRecord.question(name, kind).pack())
    return DNSRecord.parse(server.finish(query, stream=stream))


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
def test_what_is_answered(table, tmp_path, name, kind, code, answers):
    reply = ask(Server(Records(table), tmp_path / "none"), name, kind)
    assert (reply.header.rcode, [str(rr.rdata) for rr in reply.rr]) == (code, answers)


def test_the_table_is_read_again_when_it_is_replaced(table, tmp_path):
    server = Server(Records(table), tmp_path / "none")
    assert (ask(server, f"new.{ZONE}")).header.rcode == RCODE.NXDOMAIN
    fresh = tmp_path / "fresh"
    fresh.write_bytes(orjson.dumps({"a": {f"new.{ZONE}": ["10.96.0.9"]}}))
    fresh.replace(table)
    assert str((ask(server, f"new.{ZONE}")).rr[0].rdata) == "10.96.0.9"
    table.write_text("half a ta")
    assert str((ask(server, f"new.{ZONE}")).rr[0].rdata) == "10.96.0.9"


def test_a_long_answer_by_datagram_says_that_there_is_more(table, tmp_path):
    server = Server(Records(table), tmp_path / "none")
    assert (ask(server, f"many.{ZONE}")).header.tc
    assert len((ask(server, f"many.{ZONE}", stream=True)).rr) == 199


def test_rubbish_is_not_answered(table, tmp_path):
    server = Server(Records(table), tmp_path / "none")
    assert server.read(b"rubbish") is None
    assert server.read(b"") is None


def test_without_a_resolver_the_rest_of_the_world_fails_soon(table, tmp_path):
    reply = ask(Server(Records(table), tmp_path / "none"), "example.com")
    assert reply.header.rcode == RCODE.SERVFAIL


def test_resolvers_of_a_resolv_conf():
    assert resolvers("# x\nsearch a\nnameserver 1.2.3.4\nnameserver fe80::1\nnameserver  127.0.0.53 \n") == [
        "1.2.3.4",
        "127.0.0.53",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="port 53 needs root")
def test_the_rest_of_the_world_is_asked_of_the_hosts_resolver(table, tmp_path):
    class Outside(Server):
        def finish(self, query, *, stream):
            reply = query.question.reply()
            reply.add_answer(RR("example.com", QTYPE.A, rdata=A("192.0.2.1")))
            return reply.pack()

    address = serve_somewhere(Outside(Records(table), table))
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver {address}\n")
    server = Server(Records(table), conf)
    for stream in (False, True):
        assert str(ask(server, "example.com", stream=stream).rr[0].rdata) == "192.0.2.1"
        alias = ask(server, f"out.{ZONE}", stream=stream)
        assert [str(rr.rdata) for rr in alias.rr] == ["example.com.", "192.0.2.1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="port 53 needs root")
def test_names_of_the_cluster_do_not_wait_for_the_rest_of_the_world(table, tmp_path):
    """More questions than there are threads for them hang outside; the cluster's own names are answered meanwhile."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((some_address(), PORT))
        conf = tmp_path / "resolv.conf"
        conf.write_text(f"nameserver {silent.getsockname()[0]}\n")
        address = serve_somewhere(Server(Records(table), conf))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(FORWARD_SECONDS)  # what hangs takes as long
            asking.connect((address, PORT))
            for _ in range(FORWARDS + 20):
                asking.send(DNSRecord.question("example.com").pack())
            asking.send(DNSRecord.question(f"web.{ZONE}").pack())
            assert str(DNSRecord.parse(asking.recv(4096)).rr[0].rdata) == "10.96.0.7"


@pytest.mark.skipif(os.geteuid() != 0, reason="port 53 needs root")
def test_a_stream_that_says_nothing_holds_nobody_up(table, tmp_path):
    address = serve_somewhere(Server(Records(table), tmp_path / "none"))
    with socket.create_connection((address, PORT), 10), socket.create_connection((address, PORT), 10) as asking:
        for name in (f"web.{ZONE}", f"none.{ZONE}"):
            message = DNSRecord.question(name).pack()
            asking.sendall(struct.pack("!H", len(message)) + message)
            (length,) = struct.unpack("!H", asking.recv(2))
            assert str(DNSRecord.parse(asking.recv(length)).q.qname) == f"{name}."


def test_it_imports_little():
    """Each of these is a megabyte or more in a process that every cluster has."""
    code = "import sys, drumroll.proxy.dns; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert not {"asyncio", "ssl", "orjson", "dataclasses", "inspect", "typing", "logging"} & set(done.stdout.split())


def some_address():
    one, two = os.urandom(2)
    return f"127.251.{one}.{max(two, 1)}"


def serve_somewhere(server):
    """Its address; the threads end with the tests."""
    address = some_address()
    sockets = listening_sockets(address, PORT, None)
    threading.Thread(target=serve, args=(server, *sockets), daemon=True).start()
    return address
