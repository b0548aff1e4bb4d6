"""Answers to DNS questions from the cluster's table; questions about the rest of the world are not ours."""

import json
import os
from collections.abc import Mapping

from dnslib import CNAME, PTR, QTYPE, RCODE, RR, SOA, SRV, A, DNSRecord

from drumroll.objects.dns_zone import ZONE

TTL_SECONDS = 5
_CNAME_DEPTH = 4
_KINDS = ("a", "srv", "cname", "ptr")


class Records:
    """The table in the file at `path`, read again when the file has changed (it is replaced whole)."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._stamp = (0, 0)
        self._table: Mapping[str, Mapping[str, object]] = {}
        self._parents: set[str] = set()

    def refresh(self) -> None:
        """Read the file if it is another one than last time."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - pathlib is large, and this process small
            stamp = (found.st_ino, found.st_mtime_ns)
            if stamp != self._stamp:
                with open(self._path, encoding="utf-8") as file:  # noqa: PTH123
                    self._table = json.load(file)
                self._stamp = stamp
                names = [*self._of("a"), *self._of("srv"), *self._of("cname")]
                self._parents = {parent for name in names for parent in _parents(name)}
        except (OSError, ValueError):
            return  # what was read last still holds

    def _of(self, kind: str) -> Mapping[str, object]:
        return self._table.get(kind) or {}

    def find(self, kind: str, name: str):  # type: ignore[no-untyped-def]  # noqa: ANN201 - the import of typing is large
        """The record of that kind, or None."""
        return self._of(kind).get(name)

    def has(self, name: str) -> bool:
        """True when the name exists, be it only as the end of longer ones."""
        return name in self._parents or any(name in self._of(kind) for kind in _KINDS)


def _parents(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[n:]) for n in range(1, len(labels) - 1)]


def answer(question: DNSRecord, records: Records) -> DNSRecord | None:
    """The reply, or None when the question is about a name outside of the cluster."""
    name = str(question.q.qname).rstrip(".").lower()
    is_ours = name == ZONE or name.endswith("." + ZONE)
    if not is_ours and records.find("ptr", name) is None:
        return None
    records.refresh()
    reply = question.reply()
    reply.header.ra = 1
    _fill(reply, name, QTYPE[question.q.qtype], records)
    if not reply.rr:
        if not records.has(name):
            reply.header.rcode = RCODE.NXDOMAIN
        serial = (1, 7200, 1800, 86400, TTL_SECONDS)
        reply.add_auth(RR(ZONE, QTYPE.SOA, rdata=SOA(f"ns.dns.{ZONE}", f"hostmaster.{ZONE}", serial), ttl=TTL_SECONDS))
    return reply


def _fill(reply: DNSRecord, name: str, kind: str, records: Records, depth: int = 0) -> None:
    target = records.find("cname", name)
    if target is not None and depth < _CNAME_DEPTH:
        reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(target), ttl=TTL_SECONDS))
        _fill(reply, target, kind, records, depth + 1)
        return
    if kind in {"A", "ANY"}:
        for ip in records.find("a", name) or ():
            reply.add_answer(RR(name, QTYPE.A, rdata=A(ip), ttl=TTL_SECONDS))
    if kind in {"SRV", "ANY"}:
        for port, host in records.find("srv", name) or ():
            reply.add_answer(RR(name, QTYPE.SRV, rdata=SRV(0, 100, port, host), ttl=TTL_SECONDS))
            for ip in records.find("a", host) or ():
                reply.add_ar(RR(host, QTYPE.A, rdata=A(ip), ttl=TTL_SECONDS))
    pointer = records.find("ptr", name)
    if kind in {"PTR", "ANY"} and pointer:
        reply.add_answer(RR(name, QTYPE.PTR, rdata=PTR(pointer), ttl=TTL_SECONDS))
