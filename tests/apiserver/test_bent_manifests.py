"""Manifests of all that people deploy, bent in one to three places and sent by all three ways: no fault of ours."""

import copy
import logging
import random
from typing import Any

import pytest

from drumroll.objects.kinds import KINDS
from tests.apiserver.server import Server
from tests.apiserver.test_gitops import LABELS, MANIFESTS
from tests.apiserver.test_patch_fuzz import LEAVES, places

pytestmark = pytest.mark.asyncio
ROUNDS = 20
APPLY = "application/apply-patch+yaml"
NUMBERS = (0, -1, 1, 3, 65536, 2**31 - 1, -(2**31), None)
TEXTS = (
    "", "x", "A_b", "10%", "1Gi", "-1", "a/b/c", "..", "/", "../x", "ä" * 70, "x" * 300, "*.a.b", "0", "a.b/c", "%",
    "2026-01-01T00:00:00Z", "metadata.name", "$(A)", "::1", "10.0.0.1", "10.0.0.0/33", None,
)  # fmt: skip


class Bender:
    """Changes values in place; most of them into others of the same type, so that they come as far as the rules."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def bend(self, manifest: Any) -> Any:
        """A bent copy of a manifest."""
        bent = copy.deepcopy(manifest)
        for _ in range(self._random.randint(1, 3)):
            inside = [path for path in places(bent) if path and path[0] not in ("apiVersion", "kind")]
            *way, last = self._random.choice(inside)
            holder = bent
            for part in way:
                holder = holder[part]
            holder[last] = self._another(holder[last])
        return bent

    def _another(self, value: Any) -> Any:
        if value is None or self._random.random() < 0.15:
            return copy.deepcopy(self._random.choice(LEAVES))
        if isinstance(value, bool):
            return self._random.choice((True, False, None))
        if isinstance(value, int | float | str):
            return self._random.choice(TEXTS if isinstance(value, str) else NUMBERS)
        if isinstance(value, list):
            return self._random.choice(([], None, value * 2, copy.deepcopy(value) * 12))
        lost = self._random.choice([None, *value])
        return {key: inner for key, inner in value.items() if lost is not None and key != lost}


@pytest.mark.parametrize("name", MANIFESTS)
async def test_no_bent_manifest_is_answered_with_a_fault_of_ours(server: Server, caplog: Any, name: str):
    kind = next(kind for kind in KINDS if kind.name == name)
    namespace, bender = "default" if kind.namespaced else "", Bender(name)
    head = {"apiVersion": kind.api_version, "kind": name, "metadata": {"name": "web", "labels": LABELS}}
    manifest = {**head, **copy.deepcopy(MANIFESTS[name])}
    stored = await server.made("POST", kind.path(namespace, ""), manifest)
    one, query = kind.path(namespace, "web"), "dryRun=All&fieldManager=bender&force=true"
    codes = set()
    with caplog.at_level(logging.ERROR, "drumroll.apiserver"):
        for _ in range(ROUNDS):
            answers = [
                await server.send("POST", f"{kind.path(namespace, '')}?{query}", bender.bend(manifest)),
                await server.send("PUT", f"{one}?{query}", bender.bend(stored)),
                await server.send("PATCH", f"{one}?{query}", bender.bend(manifest), content_type=APPLY),
            ]
            codes |= {answer.status for answer in answers}
            assert answers[0].status < 500, answers[0].body
            assert answers[1].status < 500, answers[1].body
            assert answers[2].status < 500 or b"failed to create typed patch object" in answers[2].body
    assert caplog.records == [], caplog.records[0].exc_text
    assert codes & {200, 201}, "all are refused: they test little"


@pytest.mark.parametrize(
    "fields", [{"f:data": "x"}, {"f:data": {".": [[]]}}, {"data": {}}, {"f:a": {"k:x": {}}}, {"f:a": {"i:x": {}}}, 7]
)
async def test_fields_that_cannot_be_read_change_no_owners(server: Server, fields: Any):
    made = await server.made(
        "POST", "/api/v1/namespaces/default/configmaps?fieldManager=a", {"metadata": {"name": "a"}, "data": {"a": "b"}}
    )
    (entry,) = made["metadata"]["managedFields"]
    path = "/api/v1/namespaces/default/configmaps/a?fieldManager=a"
    sent = {**made, "metadata": {**made["metadata"], "managedFields": [{**entry, "fieldsV1": fields}]}}
    assert (await server.made("PUT", path, sent))["metadata"]["managedFields"] == [entry]
