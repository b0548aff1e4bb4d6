"""The annotations of an Ingress that have an effect, and the one that says what of it is in force.

An Ingress has no conditions, and its generation does not count its annotations, where a canary's weight is. So what the
proxy acknowledges is written out in `drumroll.dev/Acknowledged`, as JSON: the generation, the annotations that were
read (without their prefix), and the canaries that have a part of its paths.
"""

import json
from collections.abc import Iterable

from drumroll.domain.gateway import ACKNOWLEDGED
from drumroll.domain.ingress_canary import ANNOTATIONS, PREFIX
from drumroll.objects.meta import Key, Obj, annotations_of

REWRITE, USE_REGEX = PREFIX + "rewrite-target", PREFIX + "use-regex"
REDIRECT, FORCE_REDIRECT = PREFIX + "ssl-redirect", PREFIX + "force-ssl-redirect"
PROTOCOL = PREFIX + "backend-protocol"
KNOWN = frozenset({REWRITE, USE_REGEX, REDIRECT, FORCE_REDIRECT, PROTOCOL}) | ANNOTATIONS
_CANARIES = "canaries"


def acknowledgement_of(ingress: Obj, canaries: Iterable[Key] = ()) -> str:
    """The annotation's value when what this Ingress asks for, and those canaries on its paths, are in force."""
    names = sorted(str(key) for key in canaries)
    return json.dumps({**_asked(ingress), **({_CANARIES: names} if names else {})}, sort_keys=True)


def is_in_force(ingress: Obj) -> bool | None:
    """Whether what this Ingress asks for was acknowledged; None where nothing of it ever was."""
    told = _told(ingress)
    return None if told is None else {k: v for k, v in told.items() if k != _CANARIES} == _asked(ingress)


def has_canary(ingress: Obj, canary: Key) -> bool:
    """Whether that canary has a part of the Ingress's paths, by what was acknowledged last."""
    return str(canary) in ((_told(ingress) or {}).get(_CANARIES) or ())


def _asked(ingress: Obj) -> Obj:
    notes = {name.removeprefix(PREFIX): text for name, text in annotations_of(ingress).items() if name in KNOWN}
    return {"generation": ingress["metadata"].get("generation") or 0, **notes}


def _told(ingress: Obj) -> Obj | None:
    text = annotations_of(ingress).get(ACKNOWLEDGED)
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:  # somebody else's hand
        return {}
    return found if isinstance(found, dict) else {}
