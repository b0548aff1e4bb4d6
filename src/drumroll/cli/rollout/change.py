"""The commands that change something: each finds its object, makes a patch of it, sends it and says what it did."""

import argparse
from collections.abc import Sequence
from datetime import timedelta

from drumroll.assembly.home import Refusal
from drumroll.cli.rollout import requests
from drumroll.cli.rollout.connection import Place
from drumroll.cli.rollout.requests import Change, Pointless
from drumroll.cli.rollout.target import ALONE, find, find_rollout, kind_of
from drumroll.cli.rollout.view import owned, revision_of
from drumroll.objects.clock import now
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import DEPLOYMENT, EXPERIMENT, POD_TEMPLATE, REPLICA_SET, Kind
from drumroll.objects.meta import Obj

_REFERENCED: dict[str, Kind] = {kind.name: kind for kind in (DEPLOYMENT, REPLICA_SET, POD_TEMPLATE)}


async def send(place: Place, kind: Kind, obj: Obj, changes: Sequence[Change]) -> None:
    """Send patches; where a kind has no status of its own, to the object itself, as the original's plugin does."""
    namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
    for change in changes:
        try:
            await place.client.patch(
                kind, namespace, name, change.patch, subresource=change.subresource, content_type=change.content_type
            )
        except NotFound:
            if not change.subresource:
                raise
            await place.client.patch(kind, namespace, name, change.patch, content_type=change.content_type)


def _say(obj: Obj, done: str) -> int:
    print(f"{obj['kind'].lower()} '{obj['metadata']['name']}' {done}")
    return 0


async def promote(place: Place, options: argparse.Namespace) -> int:
    """Go on past a pause or a step, or all the way."""
    obj = await find(place, options.name)
    if obj["kind"] != "Rollout":
        if not obj["spec"].get("paused"):
            return _say(obj, "is not paused: there is nothing to promote")
        await send(place, DEPLOYMENT, obj, [requests.pause(paused=False)])
        return _say(obj, "resumed")
    try:
        changes = requests.promote(
            obj, full=options.full, skip_step=options.skip_current_step, skip_all=options.skip_all_steps
        )
    except Pointless as reason:
        return _say(obj, f"not promoted: {reason}")
    await send(place, kind_of(obj), obj, changes)
    return _say(obj, "fully promoted" if options.full else "promoted")


async def pause(place: Place, options: argparse.Namespace) -> int:
    """Hold still at the current step."""
    obj = await find(place, options.name)
    await send(place, kind_of(obj), obj, [requests.pause()])
    return _say(obj, "paused")


async def abort(place: Place, options: argparse.Namespace) -> int:
    """Back to the stable version."""
    why = "it cannot be aborted, its update is taken back with `drumroll rollout undo`."
    obj = await find_rollout(place, options.name, why)
    await send(place, kind_of(obj), obj, [requests.abort()])
    return _say(obj, "aborted")


async def retry(place: Place, options: argparse.Namespace) -> int:
    """An aborted Rollout, or a finished experiment, once more."""
    if options.what == "experiment":
        experiment = await place.client.get(EXPERIMENT, place.namespace, options.name)
        await send(place, EXPERIMENT, experiment, [requests.retry_experiment()])
        return _say(experiment, "retried")
    obj = await find_rollout(place, options.name, "it is never aborted, so there is nothing to retry.")
    await send(place, kind_of(obj), obj, [requests.retry()])
    return _say(obj, "retried")


async def restart(place: Place, options: argparse.Namespace) -> int:
    """New pods of the same template."""
    obj = await find(place, options.name)
    if obj["kind"] != "Rollout" and options.wait:
        raise Refusal("a Deployment restarts at once: leave --in out.")
    await send(place, kind_of(obj), obj, [requests.restart(obj, now() + timedelta(seconds=options.wait))])
    return _say(obj, f"restarts in {options.wait:g}s")


async def set_image(place: Place, options: argparse.Namespace) -> int:
    """Other images, which begins an update."""
    wanted = dict(options.images)
    obj = await find(place, options.name)
    target = await _templated(place, obj)
    try:
        await send(place, _kind(target), target, [requests.set_images(target, wanted)])
    except Pointless as reason:
        raise Refusal(f'{obj["kind"].lower()} "{obj["metadata"]["name"]}": {reason}.') from reason
    return _say(obj, "image updated")


async def undo(place: Place, options: argparse.Namespace) -> int:
    """The template of an older revision once more."""
    obj = await find(place, options.name)
    sets = owned(obj, (await place.client.list(REPLICA_SET, place.namespace)).items)
    chosen = older(sets, options.to_revision, obj["metadata"]["name"])
    target = await _templated(place, obj)
    await send(place, _kind(target), target, [requests.undo(target, chosen)])
    return _say(obj, f"undo to revision {revision_of(chosen)}")


def older(sets: Sequence[Obj], revision: int, name: str) -> Obj:
    """The ReplicaSet of that revision; for 0, of the one before the newest. Raises Refusal."""
    known = sorted(((revision_of(one), one) for one in sets if revision_of(one)), key=lambda pair: pair[0])
    if not revision:
        if len(known) < 2:
            raise Refusal(f'"{name}" has no revision before the current one.')
        return known[-2][1]
    found = next((one for number, one in known if number == revision), None)
    if found is None:
        there = ", ".join(str(number) for number, _ in known) or "none"
        raise Refusal(f'"{name}" has no revision {revision} (there are: {there}).')
    return found


async def terminate(place: Place, options: argparse.Namespace) -> int:
    """Stop an analysis run, an experiment or an A/B test."""
    kind = ALONE[options.what]
    obj = await place.client.get(kind, place.namespace, options.name)
    await send(place, kind, obj, [requests.terminate()])
    return _say(obj, "terminated")


async def _templated(place: Place, obj: Obj) -> Obj:
    """The object that has the pods' template: the Rollout itself, or the one that it refers to."""
    reference = obj["spec"].get("workloadRef")
    if obj["kind"] != "Rollout" or not reference:
        return obj
    kind = _REFERENCED.get(reference.get("kind", ""))
    if kind is None:
        raise Refusal(f"its workloadRef is a {reference.get('kind')!r}, which has no template that Drumroll knows.")
    return await place.client.get(kind, place.namespace, reference["name"])


def _kind(obj: Obj) -> Kind:
    return _REFERENCED[obj["kind"]] if obj["kind"] in _REFERENCED else kind_of(obj)
