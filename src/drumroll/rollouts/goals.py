"""Asks a goal's provider for the figures of both variants."""

import asyncio
from datetime import datetime
from typing import Any

from drumroll.client.client import Client
from drumroll.domain.abtest.assignment import VARIANTS, Split, Variant
from drumroll.domain.abtest.figures import (
    Figures,
    mesh_queries,
    no_figures,
    of_counters,
    of_logs,
    of_users,
    of_web,
    queries,
    sample,
)
from drumroll.domain.abtest.sequential import Sample
from drumroll.domain.abtest.spec import Wish
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import POD, SERVICE
from drumroll.objects.meta import Obj, key_of, parse_timestamp, timestamp
from drumroll.rollouts.asking import body_of, number_of
from drumroll.rollouts.providers.asking import MESH_ADDRESS, Web

MOST_BYTES = 64 * 1024 * 1024


async def figures_of(client: Client, web: Web, test: Obj, wish: Wish) -> Figures:
    """The figures now; whatever is wrong with them is said in the answer and never raised."""
    ((kind, provider),) = wish.provider.items()
    try:
        if kind == "web":
            seconds = provider.get("timeoutSeconds")
            return of_web(await body_of(web, provider["url"], _headers(provider), seconds))
        if kind == "prometheus":
            return await _of_queries(web, provider, wish.split)
        if kind == "header":
            return await _of_mesh(web, test, provider, wish.split)
        return await _of_logs(client, test, provider, wish.split)
    except ValueError as error:
        return no_figures(str(error))
    except ApiError as error:
        return no_figures(error.message)


def _headers(provider: Obj) -> dict[str, str]:
    return {header["key"]: header["value"] for header in provider.get("headers") or ()}


async def _of_queries(web: Web, provider: Obj, split: Split) -> Figures:
    address = provider.get("address") or MESH_ADDRESS

    async def asked(variant: Variant) -> Sample:
        texts = queries(provider, split, variant)
        values = dict(
            zip(texts, await asyncio.gather(*(number_of(web, address, q) for q in texts.values())), strict=True)
        )
        return sample(values["count"], values["total"], values.get("squares"), variant)

    return Figures(await asked("control"), await asked("treatment"))


async def _of_mesh(web: Web, test: Obj, provider: Obj, split: Split) -> Figures:
    """Requests and goals of both Services, from the mesh's counters."""
    namespace, status = key_of(test).namespace, test.get("status") or {}

    async def counted(variant: Variant) -> dict[str, float]:
        asked = mesh_queries(namespace, split.service(variant), provider["value"])
        values = await asyncio.gather(*(number_of(web, MESH_ADDRESS, query) for query in asked.values()))
        return dict(zip(asked, values, strict=True))

    now = {variant: await counted(variant) for variant in VARIANTS}
    so_far = {variant: _sample_of(status[variant]) for variant in VARIANTS if variant in status}
    return of_counters(status.get("counters") or {}, now, so_far)


def _sample_of(shown: Obj) -> Sample:
    return Sample(int(shown["count"]), float(shown["total"]), float(shown["squares"]))


async def _of_logs(client: Client, test: Obj, provider: Obj, split: Split) -> Figures:
    since = parse_timestamp(test["status"]["startedAt"])

    async def read(variant: Variant) -> Sample:
        users: dict[str, float] = {}
        for pod in await _pods(client, key_of(test).namespace, split.service(variant)):
            body = await _log(client, pod, since)
            of_logs(body.splitlines(), provider["user"], provider["value"], users)
        return of_users(users)

    return Figures(await read("control"), await read("treatment"))


async def _pods(client: Client, namespace: str, service: str) -> list[Obj]:
    found = await client.get(SERVICE, namespace, service)
    selector: dict[str, Any] = found["spec"].get("selector") or {}
    if not selector:
        raise ValueError(f"service {service!r} has no selector: whose logs should be read?")
    labels = ",".join(f"{name}={value}" for name, value in selector.items())
    return (await client.list(POD, namespace, label_selector=labels)).items


async def _log(client: Client, pod: Obj, since: datetime) -> bytes:
    key = key_of(pod)
    container = pod["spec"]["containers"][0]["name"]
    query = {"container": container, "sinceTime": timestamp(since), "limitBytes": str(MOST_BYTES)}
    try:
        return await client.raw(POD.path(key.namespace, key.name, "log"), query)
    except ApiError as error:
        if error.code in {400, 404}:
            return b""  # it has no log yet, or no longer
        raise
