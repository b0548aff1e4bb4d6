"""Fetches what belongs to a Rollout or Deployment, once or again with every change."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from drumroll.assembly.home import Refusal
from drumroll.cli.rollout.connection import Place
from drumroll.cli.rollout.target import kind_of
from drumroll.cli.rollout.view import World
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import ANALYSIS_RUN, EXPERIMENT, POD, REPLICA_SET, Kind
from drumroll.objects.meta import Key, Obj


def kinds_below(owner: Obj) -> tuple[Kind, ...]:
    """The kinds of objects that may belong to it."""
    mine = (REPLICA_SET, POD)
    below: dict[str, tuple[Kind, ...]] = {
        "Deployment": mine,
        "Rollout": (*mine, ANALYSIS_RUN, EXPERIMENT),
        "Experiment": (*mine, ANALYSIS_RUN),
    }
    return below.get(owner["kind"], ())


async def gather(place: Place, owner: Obj) -> World:
    """The objects as they are now."""
    kinds = kinds_below(owner)
    lists = await asyncio.gather(*(_listed(place, kind) for kind in kinds))
    return world_of(owner, dict(zip(kinds, lists, strict=True)))


def world_of(owner: Obj, objects: dict[Kind, list[Obj]]) -> World:
    """The objects, sorted by kind."""
    return World(
        owner,
        objects.get(REPLICA_SET, []),
        objects.get(POD, []),
        objects.get(ANALYSIS_RUN, []),
        objects.get(EXPERIMENT, []),
    )


async def _listed(place: Place, kind: Kind) -> list[Obj]:
    try:
        return (await place.client.list(kind, place.namespace)).items
    except NotFound:  # a cluster without the kind has none of it
        return []


@asynccontextmanager
async def follow(place: Place, owner: Obj) -> AsyncIterator[AsyncIterator[World]]:
    """The objects now, and again after every change. Raises Refusal when the owner is deleted."""
    from drumroll.client.informer import Informer

    logging.getLogger("drumroll.client").setLevel(logging.ERROR)  # a watch that is begun again is nobody's concern
    name, kind = owner["metadata"]["name"], kind_of(owner)
    mine = Informer(place.client, kind, place.namespace, field_selector=f"metadata.name={name}")
    below = [Informer(place.client, one, place.namespace) for one in kinds_below(owner)]
    changed = asyncio.Event()
    tasks = [asyncio.create_task(one.run()) for one in (mine, *below)]

    async def worlds() -> AsyncIterator[World]:
        while True:
            changed.clear()
            current = mine.get(Key(place.namespace, name))
            if current is None:
                raise Refusal(f'the {kind.name} "{name}" is gone.')
            yield world_of(current, {one.kind: one.items() for one in below})
            await changed.wait()

    try:
        for one in (mine, *below):
            one.subscribe(lambda old, new: changed.set())
            await one.wait_synced()
        yield worlds()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
