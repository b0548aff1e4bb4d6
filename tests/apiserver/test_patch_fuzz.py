"""Patches that know the shape of what they patch, thrown at every kind of object: no fault of ours, and no growth."""

import asyncio
import copy
import json
import logging
import random
import sys
from typing import Any

import pytest

from drumroll.objects.wire import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Response
from tests.apiserver.server import CONFIG_MAPS, DEPLOYMENTS, PODS, Server, config_map, deployment, pod, service

SERVICES = "/api/v1/namespaces/default/services"
GOOD = {CONFIG_MAPS: config_map("a"), PODS: pod("a"), DEPLOYMENTS: deployment("a", 2), SERVICES: service("a")}
DIRECTIVES = (
    {"$patch": "replace"}, {"$patch": "delete"}, {"$patch": "merge"}, {"$patch": "nonsense"}, {"$patch": 7},
    {"$retainKeys": ["name"]}, {"$retainKeys": "name"}, {"$setElementOrder/containers": [{"name": "c"}]},
    {"$setElementOrder/containers": ["c", 1]}, {"$setElementOrder/ports": None}, {"$deleteFromPrimitiveList/args": [1]},
    {"$deleteFromPrimitiveList/finalizers": ["a", "a"]}, {"$setElementOrder/finalizers": ["b"]},
)  # fmt: skip
LEAVES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 1.5, "", "x", "10%", "1Gi", "\u0000", "ä" * 70, [], {}, [None], [{}], [[]],
    [{"name": "c"}], [{"name": "c"}, {"name": "c"}], {"name": None}, {"a": {"b": {"c": None}}},
)  # fmt: skip
FAULTS_OF_THE_ORIGINAL = (
    "does not contain declared merge key", "unknown patch type", "list element types are not identical",
    "cannot merge lists without merge key", "merging lists cannot yet be specified in the patch",
)  # fmt: skip
"""Source: apiserver pkg/endpoints/handlers/patch.go, interpretStrategicMergePatchError, default case."""
ROUNDS = 400
SEEDS = range(3)
LARGEST = 3 * 1024 * 1024


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path]
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        found += places(inner, (*path, key))
    return found


def pointer(path: tuple[Any, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


class Fuzzer:
    """Makes patches from an object as it is stored; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def patch(self, obj: Any) -> tuple[str, Any]:
        """A content type and a body."""
        kind = self._random.choice((MERGE_PATCH, STRATEGIC_MERGE_PATCH, JSON_PATCH))
        if kind == JSON_PATCH:
            return kind, [self._operation(obj) for _ in range(self._random.randint(1, 4))]
        found: Any = {}
        for _ in range(self._random.randint(1, 3)):
            found = self._merged(found, self._random.choice(places(obj)), kind)
        return kind, found

    def _operation(self, obj: Any) -> Any:
        choose = self._random
        path = pointer(choose.choice(places(obj)))
        if choose.random() < 0.3:
            path += choose.choice(("/-", "/0", "/-1", "/99", "/~2", "/new", "/", "//", "/a~1b"))
        made = {"op": choose.choice(("add", "replace", "remove", "copy", "move", "test", "Add", "")), "path": path}
        if made["op"] in ("copy", "move"):
            made["from"] = pointer(choose.choice(places(obj)))
        if made["op"] in ("add", "replace", "test") and choose.random() < 0.95:
            made["value"] = copy.deepcopy(choose.choice(LEAVES))
        if choose.random() < 0.03:
            return choose.choice((None, [], "add", {}, {"op": 7}, {"op": "add", "path": 7}))
        return made

    def _merged(self, found: Any, path: tuple[Any, ...], kind: str) -> Any:
        leaf = copy.deepcopy(self._random.choice(LEAVES))
        if kind == STRATEGIC_MERGE_PATCH and self._random.random() < 0.4:
            leaf = copy.deepcopy(self._random.choice(DIRECTIVES))
        for part in reversed(path):
            leaf = [leaf] if isinstance(part, int) else {part: leaf}
        if isinstance(leaf, dict) and isinstance(found, dict):
            found.update(leaf)
            return found
        return leaf


def is_an_answer(response: Response) -> bool:
    """The original answers 500 itself to some strategic patches; ours must be the same, in its words."""
    if response.status == 500:
        return any(words in response.body.decode() for words in FAULTS_OF_THE_ORIGINAL)
    return response.status in (200, 400, 403, 404, 409, 413, 415, 422)


async def throw(seed: int) -> dict[str, int]:
    server, fuzzer = Server(), Fuzzer(seed)
    await server.api.prepare()
    for path, good in GOOD.items():
        await server.made("POST", path, good)
    codes: dict[str, int] = {}
    for number in range(ROUNDS):
        path = sorted(GOOD)[number % len(GOOD)]
        obj = (await server.call("GET", f"{path}/a"))[1]
        if obj.get("kind") == "Status":  # patched away: begin again
            obj = await server.made("POST", path, GOOD[path])
        kind, body = fuzzer.patch(obj)
        target = f"{path}/a" + ("/status" if path != CONFIG_MAPS and number % 5 == 0 else "")
        response = await server.send("PATCH", target, json.dumps(body).encode(), content_type=kind)
        assert is_an_answer(response), (response.status, kind, body, response.body)
        codes[str(response.status)] = codes.get(str(response.status), 0) + 1
    for path in GOOD:
        response = await server.send("GET", path)
        assert response.status == 200
        assert len(response.body) < LARGEST
    return codes


@pytest.mark.parametrize("seed", SEEDS)
def test_no_patch_is_answered_with_a_fault_of_ours(caplog, seed):
    with caplog.at_level(logging.ERROR, "drumroll.apiserver"):
        codes = asyncio.run(throw(seed))
    assert caplog.records == [], caplog.records[0].exc_text
    assert codes["200"] > ROUNDS / 20, "the patches are so bent that none is accepted: they test nothing"


def nested(depth: int, inner: str = "0") -> bytes:
    return ('{"a":' * depth + inner + "}" * depth).encode()


@pytest.mark.parametrize("depth", [100, 900, sys.getrecursionlimit() + 500, 20_000])
@pytest.mark.parametrize("kind", [MERGE_PATCH, STRATEGIC_MERGE_PATCH])
def test_a_deep_patch_is_no_fault_of_ours(caplog, depth, kind):
    async def run() -> list[int]:
        server = Server()
        await server.api.prepare()
        found = []
        for path, good in GOOD.items():
            await server.made("POST", path, good)
            for body in (nested(depth), b'{"spec":' + nested(depth) + b"}", b'{"data":' + nested(depth) + b"}"):
                found.append((await server.send("PATCH", f"{path}/a", body, content_type=kind)).status)
            found.append((await server.send("POST", path, b'{"spec":' + nested(depth) + b"}")).status)
        return found

    with caplog.at_level(logging.ERROR, "drumroll.apiserver"):
        codes = asyncio.run(run())
    assert caplog.records == [], caplog.records[0].exc_text
    assert {code for code in codes if code >= 500} == set()


def test_copies_of_copies_do_not_make_us_grow(caplog):
    """Forty doublings of a kilobyte would be a petabyte."""
    doubling = [{"op": "copy", "from": "/data", "path": "/data/copy"} for _ in range(40)]

    async def run() -> tuple[int, int]:
        server = Server()
        await server.api.prepare()
        await server.made("POST", CONFIG_MAPS, {**config_map("a"), "data": {"k": "v" * 1000}})
        nested_annotations = [
            {"op": "add", "path": "/metadata/annotations", "value": {"a": "x" * 1000}},
            *({"op": "copy", "from": "/metadata/annotations", "path": f"/metadata/annotations/{n}"} for n in range(40)),
        ]
        statuses = []
        for body in (doubling, nested_annotations):
            response = await server.send(
                "PATCH", f"{CONFIG_MAPS}/a", json.dumps(body).encode(), content_type=JSON_PATCH
            )
            statuses.append(response.status)
        return statuses[0], statuses[1]

    with caplog.at_level(logging.ERROR, "drumroll.apiserver"):

        async def limited() -> tuple[int, int]:
            async with asyncio.timeout(20):
                return await run()

        first, second = asyncio.run(limited())
    assert caplog.records == [], caplog.records[0].exc_text
    assert first in (400, 413, 422)
    assert second in (400, 413, 422)
