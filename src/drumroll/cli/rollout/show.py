"""`get`, `list` and `history`: what is shown and not changed."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from drumroll.assembly.home import Refusal
from drumroll.cli.rollout.connection import Place
from drumroll.cli.rollout.gather import follow, gather
from drumroll.cli.rollout.header import asked_weight, experiment_header, header, phase_of, step_of, strategy
from drumroll.cli.rollout.own import abtest_lines, comparison_lines, phase_shown
from drumroll.cli.rollout.phases import STYLES
from drumroll.cli.rollout.target import ALONE, find
from drumroll.cli.rollout.tree import experiment, lines_of, table, tree
from drumroll.cli.rollout.view import World, age, owned, revision_of, tags
from drumroll.objects.clock import now
from drumroll.objects.kinds import REPLICA_SET, ROLLOUT, Kind
from drumroll.objects.meta import Obj

if TYPE_CHECKING:
    from rich.text import Text

LISTED: dict[str, Kind] = {
    **dict.fromkeys(("rollouts", "rollout", "ro"), ROLLOUT),
    **{name: kind for kind in ALONE.values() for name in (kind.plural, kind.singular, *kind.short_names)},
}
"""What `list` lists, by what it may be called."""
CAUSE = "kubernetes.io/change-cause"
_PAUSE_SECONDS = 1.0
"""How long a picture of a watch stays when nothing changes: ages and delays go on."""


async def get(place: Place, options: argparse.Namespace) -> int:
    """The header and the tree, or the object itself; with --watch again and again."""
    owner = await _owner(place, options)
    if options.output:
        print(dumped(owner, options.output))
        return 0
    if not options.watch:
        paint(picture(await gather(place, owner), now()), plain=options.no_color)
        return 0
    async with follow(place, owner) as worlds:
        await (_live(worlds) if sys.stdout.isatty() and not options.no_color else _scrolling(worlds))
    return 0


async def _owner(place: Place, options: argparse.Namespace) -> Obj:
    if options.what in ALONE:
        return await place.client.get(ALONE[options.what], place.namespace, options.name)
    return await find(place, f"{options.what}/{options.name}" if options.what else options.name)


def picture(world: World, moment: datetime) -> list[str]:
    """All lines of `get`."""
    match world.owner["kind"]:
        case "Experiment":
            return experiment_picture(world, moment)
        case "ABTest":
            return abtest_lines(world.owner)
        case "Comparison":
            return comparison_lines(world.owner)
    return [*header(world, moment), "", *tree(world, moment)]


def experiment_picture(world: World, moment: datetime) -> list[str]:
    """All lines of `get experiment`."""
    return [*experiment_header(world), "", *lines_of(experiment(world, world.owner, moment))]


def dumped(obj: Obj, form: str) -> str:
    """An object as JSON or YAML, without what only the server's bookkeeping needs."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    shown = {**obj, "metadata": metadata}
    if form == "json":
        return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()
    import yaml

    return str(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)).rstrip()


def paint(lines: Sequence[str], *, plain: bool = False) -> None:
    """Print lines; on a terminal with coloured icons."""
    if plain or not sys.stdout.isatty():
        print("\n".join(lines))
        return
    from rich.console import Console

    Console(soft_wrap=True, highlight=False).print(coloured(lines))


def coloured(lines: Sequence[str]) -> "Text":
    """Lines whose icons and the words after them have colours."""
    from rich.text import Text

    whole = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
    for icon, style in STYLES.items():
        whole.highlight_regex(rf"(?:(?<=  )|(?<=,)|(?<=^)){_escaped(icon)} \w+", style)
    return whole


def _escaped(icon: str) -> str:
    return f"\\{icon}" if icon == "?" else icon


async def _live(worlds: AsyncIterator[World]) -> None:
    from rich.live import Live

    latest: list[World] = []
    with Live(auto_refresh=False, vertical_overflow="ellipsis") as live:

        async def repaint() -> None:
            while True:
                if latest:
                    live.update(coloured(picture(latest[-1], now())), refresh=True)
                await asyncio.sleep(_PAUSE_SECONDS)

        task = asyncio.create_task(repaint())
        try:
            async for world in worlds:
                latest[:] = [world]
                live.update(coloured(picture(world, now())), refresh=True)
        finally:
            task.cancel()


async def _scrolling(worlds: AsyncIterator[World]) -> None:
    shown: list[str] = []
    async for world in worlds:
        lines = picture(world, now())
        if lines != shown:
            print("\n".join([*lines, ""]), flush=True)
            shown = lines


async def listing(place: Place, options: argparse.Namespace) -> int:
    """One line per Rollout, or per experiment."""
    namespace = "" if options.all_namespaces else place.namespace
    kind = LISTED[options.what]
    found = (await place.client.list(kind, namespace)).items
    if not found:
        where = "on this cluster" if options.all_namespaces else f'in the namespace "{namespace}"'
        print(f"No {kind.plural} {where}.")
        return 0
    rows = rollout_rows(found) if kind is ROLLOUT else other_rows(found, now())
    if options.all_namespaces:
        named = [("NAMESPACE",), *((one["metadata"]["namespace"],) for one in found)]
        rows = [(*left, *right) for left, right in zip(named, rows, strict=True)]
    paint(table(rows))
    return 0


def rollout_rows(rollouts: Sequence[Obj]) -> list[tuple[str, ...]]:
    """The table of `list rollouts`."""
    rows: list[tuple[str, ...]] = [
        ("NAME", "STRATEGY", "STATUS", "STEP", "SET-WEIGHT", "READY", "DESIRED", "UP-TO-DATE", "AVAILABLE")
    ]
    for one in rollouts:
        status = one.get("status") or {}
        is_canary = strategy(one) == "Canary"
        index, count = step_of(one) if is_canary else (0, 0)
        wanted = one["spec"].get("replicas", 1)
        amounts = [str(status.get(name) or 0) for name in ("updatedReplicas", "availableReplicas")]
        rows.append(
            (
                one["metadata"]["name"],
                strategy(one),
                phase_of(World(one))[0],
                f"{index}/{count}" if count else "-",
                str(asked_weight(one)) if is_canary else "-",
                f"{status.get('readyReplicas') or 0}/{wanted}",
                str(wanted),
                *amounts,
            )
        )
    return rows


def other_rows(objects: Sequence[Obj], moment: datetime) -> list[tuple[str, ...]]:
    """The table of `list experiments`, `list abtests` and `list comparisons`."""
    rows: list[tuple[str, ...]] = [("NAME", "STATUS", "AGE", "MESSAGE")]
    for one in objects:
        message = (one.get("status") or {}).get("message") or ""
        rows.append((one["metadata"]["name"], phase_shown(one), age(one, moment), message))
    return rows


async def history(place: Place, options: argparse.Namespace) -> int:
    """The revisions that an undo can return to."""
    owner = await find(place, options.name)
    sets = (await place.client.list(REPLICA_SET, place.namespace)).items
    world = World(owner, sets)
    if options.revision is None:
        paint(table(history_rows(world, now())))
        return 0
    chosen = next((one for one in owned(owner, sets) if revision_of(one) == options.revision), None)
    if chosen is None:
        raise Refusal(f'"{owner["metadata"]["name"]}" has no revision {options.revision}; `history` lists them.')
    import yaml

    print(yaml.safe_dump(chosen["spec"]["template"], sort_keys=False).rstrip())
    return 0


def history_rows(world: World, moment: datetime) -> list[tuple[str, ...]]:
    """The table of `history`, the newest revision first."""
    rows: list[tuple[str, ...]] = [("REVISION", "AGE", "INFO", "IMAGES", "CHANGE-CAUSE")]
    for one in sorted(owned(world.owner, world.replica_sets), key=revision_of, reverse=True):
        containers = one["spec"]["template"]["spec"].get("containers") or ()
        images = ",".join(container.get("image", "") for container in containers)
        cause = (one["metadata"].get("annotations") or {}).get(CAUSE) or "<none>"
        info = ",".join(tags(world, one, moment))
        rows.append((str(revision_of(one)), age(one, moment), info, images, cause))
    return rows
