"""`status`: one line, or waiting until the update is over; what holds it up goes to stderr."""

import argparse
import asyncio
import sys

from drumroll.assembly.home import Refusal
from drumroll.cli.rollout.connection import Place
from drumroll.cli.rollout.gather import follow
from drumroll.cli.rollout.header import phase_of
from drumroll.cli.rollout.target import find
from drumroll.cli.rollout.view import World

TIMED_OUT = 3
"""The exit status when the update is neither done nor failed in time."""


async def status(place: Place, options: argparse.Namespace) -> int:
    """0 when healthy, 1 when degraded, 3 when --timeout ran out; without --watch 0 for all but degraded."""
    owner = await find(place, options.name)
    if not options.watch:
        print(sentence(World(owner)), flush=True)
        _tell(blocked(World(owner)))
        return verdict(World(owner)) or 0
    try:
        async with asyncio.timeout(options.timeout or None) as limit:
            return await _watched(place, owner, options)
    except TimeoutError:
        if not limit.expired():
            raise
        print(f"drumroll: rollout status watch exceeded timeout ({options.timeout:g} s)", file=sys.stderr)
        return TIMED_OUT


async def _watched(place: Place, owner: dict[str, object], options: argparse.Namespace) -> int:
    said = told = ""
    async with follow(place, owner) as worlds:
        async for world in worlds:
            line, lack = sentence(world), blocked(world)
            if line != said:
                print(line, flush=True)
            if lack != told:
                _tell(lack)
            said, told = line, lack
            if (code := verdict(world)) is not None:
                return code
    raise Refusal("the watch ended.")


def _tell(lack: str) -> None:
    """What it waits for goes beside the phases, which scripts read."""
    if lack:
        print(f"drumroll: blocked: {lack}", file=sys.stderr, flush=True)


def blocked(world: World) -> str:
    """What is lacking and will not come by itself; empty for nothing, and for what the phase's message says anyway."""
    conditions = (world.owner.get("status") or {}).get("conditions") or ()
    found = (one for one in conditions if one["type"] == "drumroll.dev/Blocked" and one["status"] == "True")
    lack = next((str(one.get("message") or "") for one in found), "")
    return "" if lack in sentence(world) else lack


def sentence(world: World) -> str:
    """`Paused - CanaryPauseStep`."""
    phase, message = phase_of(world)
    return f"{phase} - {message}" if message else phase


def verdict(world: World) -> int | None:
    """The exit status of what is over; None while it goes on."""
    phase, message = phase_of(world)
    if phase == "Degraded":
        print(f"drumroll: the rollout is in a degraded state with message: {message}", file=sys.stderr)
        return 1
    return 0 if phase == "Healthy" else None
