"""Typed-by-kind access to the API. Every part of Drumroll works through this class, and through nothing else."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from drumroll.client.feeds import Feeds
from drumroll.client.transport import Transport
from drumroll.objects import wire
from drumroll.objects.errors import ApiError, from_status
from drumroll.objects.kinds import POD, Kind, kind_of
from drumroll.objects.meta import Obj
from drumroll.objects.wire import Event, Request


@dataclass(frozen=True, slots=True)
class Listing:
    """A consistent list and the resourceVersion from which a watch continues it."""

    items: list[Obj]
    resource_version: str


class Client:
    """All methods raise ApiError subclasses from `drumroll.objects.errors`; bodies are raw JSON mappings."""

    def __init__(self, transport: Transport, user_agent: str = "drumroll") -> None:
        self.feeds = Feeds(self)  # what informers follow
        self._transport = transport
        self._headers = {"user-agent": user_agent, "accept": wire.JSON}

    async def get(self, kind: Kind, namespace: str, name: str, subresource: str = "") -> Obj:
        """The object as stored. Raises NotFound."""
        return await self._call("GET", kind.path(namespace, name, subresource))

    async def list(
        self, kind: Kind, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> Listing:
        """Every object of a kind, in one namespace or (empty) in all; items carry apiVersion and kind."""
        query = _query(labelSelector=label_selector, fieldSelector=field_selector)
        answer = await self._call("GET", kind.path(namespace), query)
        items = [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in answer["items"] or ()]
        return Listing(items, answer["metadata"]["resourceVersion"])

    @asynccontextmanager
    async def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Changes after `resource_version`, in order, with bookmarks. An ERROR event raises its ApiError (Expired)."""
        query = _query(
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=resource_version,
            labelSelector=label_selector,
            fieldSelector=field_selector,
        )
        request = Request("GET", kind.path(namespace), query, self._headers)
        async with self._transport.stream(request) as lines:
            yield _events(lines)

    async def create(self, obj: Obj, *, subresource: str = "", parent: Kind = POD, kind: Kind | None = None) -> Obj:
        """The object as created. For a subresource (binding, eviction, token), `obj` carries the parent's name.
        `kind` is needed for custom kinds, which the table does not have.

        Raises AlreadyExists, Invalid, NotFound (namespace), Forbidden (namespace terminating).
        """
        meta = obj["metadata"]
        if subresource:
            path = parent.path(meta["namespace"], meta["name"], subresource)
        else:
            path = (kind or kind_of(obj)).path(meta.get("namespace", ""))
        return await self._call("POST", path, body=obj, content_type=wire.JSON)

    async def update(self, obj: Obj, *, subresource: str = "", kind: Kind | None = None) -> Obj:
        """Replace. With metadata.resourceVersion set, raises Conflict when the object has changed since."""
        meta = obj["metadata"]
        path = (kind or kind_of(obj)).path(meta.get("namespace", ""), meta["name"], subresource)
        return await self._call("PUT", path, body=obj, content_type=wire.JSON)

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Any,
        *,
        subresource: str = "",
        content_type: str = wire.MERGE_PATCH,
    ) -> Obj:
        """The patched object. `patch` is a mapping (merge, strategic merge) or a list of operations (JSON patch)."""
        path = kind.path(namespace, name, subresource)
        return await self._call("PATCH", path, body=patch, content_type=content_type)

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        grace_period_seconds: int | None = None,
        propagation_policy: str = "",
    ) -> Obj:
        """Ask for deletion; the answer is the object as it ends or waits to end, or a Status.

        With `uid`, raises Conflict when the name belongs to another object by now.
        """
        options: Obj = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if propagation_policy:
            options["propagationPolicy"] = propagation_policy
        return await self._call("DELETE", kind.path(namespace, name), body=options, content_type=wire.JSON)

    async def delete_collection(self, kind: Kind, namespace: str) -> None:
        """Ask for the deletion of every object of a kind in a namespace."""
        await self._call("DELETE", kind.path(namespace))

    async def raw(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """The body of a GET on any path (logs, /version, …)."""
        return (await self._send(Request("GET", path, tuple((query or {}).items()), self._headers))).body

    async def _call(
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...] = (),
        *,
        body: Any = None,
        content_type: str = "",
    ) -> Obj:
        headers = {**self._headers, "content-type": content_type} if content_type else self._headers
        data = b"" if body is None else orjson.dumps(body)
        response = await self._send(Request(method, path, query, headers, data))
        decoded: Obj = orjson.loads(response.body)
        return decoded

    async def _send(self, request: Request) -> wire.Response:
        response = await self._transport.send(request)
        if response.status >= 400:
            raise error_of(response.status, response.body)
        return response


def error_of(status: int, body: bytes) -> ApiError:
    """The ApiError that an answer with an error status stands for, be its body a Status or not."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        decoded = {"message": body.decode(errors="replace")[:500]}
    return from_status(status, decoded if isinstance(decoded, dict) else {})


async def _events(lines: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    async for line in lines:
        if not line:
            continue
        decoded = orjson.loads(line)
        if decoded["type"] == "ERROR":
            raise from_status(decoded["object"].get("code", 500), decoded["object"])
        yield Event(decoded["type"], decoded["object"])


def _query(**parameters: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in parameters.items() if value)
