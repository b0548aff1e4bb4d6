"""Which object a name means: a Rollout or a Deployment."""

from drumroll.assembly.home import Refusal
from drumroll.cli.rollout.connection import Place
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import AB_TEST, ANALYSIS_RUN, COMPARISON, DEPLOYMENT, EXPERIMENT, ROLLOUT, Kind
from drumroll.objects.meta import Obj

_SPELLINGS: dict[str, Kind] = {
    **dict.fromkeys(("rollout", "rollouts", "ro", "rollout.argoproj.io", "rollouts.argoproj.io"), ROLLOUT),
    **dict.fromkeys(("deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"), DEPLOYMENT),
}


async def find(place: Place, text: str) -> Obj:
    """The object that `web`, `rollout/web` or `deployment/web` names. Raises Refusal when it is none, or two."""
    kind, name = parse(text)
    if kind is not None:
        return await place.client.get(kind, place.namespace, name)
    found = [one for one in [await _get(place, ROLLOUT, name), await _get(place, DEPLOYMENT, name)] if one]
    if not found:
        raise Refusal(f'there is no Rollout and no Deployment "{name}" in the namespace "{place.namespace}".')
    if len(found) == 2:
        raise Refusal(f'"{name}" is a Rollout and a Deployment: say rollout/{name} or deployment/{name}.')
    return found[0]


ALONE: dict[str, Kind] = {
    "experiment": EXPERIMENT,
    "abtest": AB_TEST,
    "comparison": COMPARISON,
    "analysisrun": ANALYSIS_RUN,
}
"""Kinds that are always named."""


async def find_rollout(place: Place, text: str, why: str) -> Obj:
    """The Rollout of that name. Raises Refusal, with `why` a Deployment will not do."""
    found = await find(place, text)
    if found["kind"] != ROLLOUT.name:
        raise Refusal(f'"{found["metadata"]["name"]}" is a Deployment: {why}')
    return found


def parse(text: str) -> tuple[Kind | None, str]:
    """The kind, if the text says it, and the name. Raises Refusal for another kind."""
    head, slash, name = text.partition("/")
    if not slash:
        return None, text
    if head.lower() not in _SPELLINGS or not name:
        raise Refusal(f"{text!r} is not understood: write NAME, rollout/NAME or deployment/NAME.")
    return _SPELLINGS[head.lower()], name


def kind_of(obj: Obj) -> Kind:
    """The kind of an object that these commands are about."""
    return next(kind for kind in (ROLLOUT, DEPLOYMENT, *ALONE.values()) if kind.name == obj["kind"])


async def _get(place: Place, kind: Kind, name: str) -> Obj | None:
    try:
        return await place.client.get(kind, place.namespace, name)
    except NotFound:
        return None
