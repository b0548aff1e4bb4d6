"""Who is to blame when Envoy refuses a table, and what is served of whom until that is known.

A table holds the rules of many routes, and Envoy takes or refuses all of it. What it took of a route before stays
served; routes that it has not taken yet are tried in halves until the ones that it refuses are found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from drumroll.domain.gateway.translate import Refusal
from drumroll.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Trial:
    """Routes by uid of which at least one may be refused in a table."""

    table: str
    uids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Admission:
    """What is known by uid: the objects that Envoy took, refused generations; the first of `trials` is under way."""

    taken: Mapping[str, Obj] = field(default_factory=dict)
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()


def _generation(route: Obj | None) -> int:
    return ((route or {}).get("metadata") or {}).get("generation") or 0


def look(state: Admission, routes: Mapping[str, Obj], tables: frozenset[str]) -> Admission:
    """Forget routes and tables that are gone, and refusals of earlier generations."""
    trials = (Trial(trial.table, trial.uids & routes.keys()) for trial in state.trials if trial.table in tables)
    return Admission(
        {uid: obj for uid, obj in state.taken.items() if uid in routes},
        {uid: one for uid, one in state.refusals.items() if _generation(routes.get(uid)) == one.generation},
        tuple(trial for trial in trials if trial.uids),
    )


def stand_ins(state: Admission, routes: Mapping[str, Obj]) -> dict[str, Obj | None]:
    """What is served in the place of which routes: what Envoy took of them before, or nothing.

    While a trial is under way, only its routes may be new to Envoy: so a refusal speaks of them.
    """
    on_trial = state.trials[0].uids if state.trials else None
    found: dict[str, Obj | None] = {}
    for uid, route in routes.items():
        known = state.taken.get(uid)
        is_new = known is None or _generation(known) != _generation(route)
        if uid in state.refusals or (is_new and on_trial is not None and uid not in on_trial):
            found[uid] = known
    return found


def accept(state: Admission, table: str, served: Mapping[str, Obj]) -> Admission:
    """Envoy took a table made of the objects `served`."""
    trials = state.trials
    if trials and trials[0].table == table and trials[0].uids & served.keys():
        trials = trials[1:]
    return replace(state, taken={**state.taken, **served}, trials=trials)


def refuse(state: Admission, table: str, served: Mapping[str, Obj], words: str) -> Admission:
    """Envoy refused a table made of the objects `served`; the same state when none of them can be to blame."""
    suspects = [uid for uid, obj in sorted(served.items()) if _generation(state.taken.get(uid)) != _generation(obj)]
    rest = state.trials
    if rest and rest[0].table == table:
        suspects = [uid for uid in suspects if uid in rest[0].uids]
        rest = rest[1:]
    if not suspects:
        return state
    if len(suspects) == 1:
        refusal = Refusal(_generation(served[suspects[0]]), words)
        return replace(state, refusals={**state.refusals, suspects[0]: refusal}, trials=rest)
    middle = len(suspects) // 2
    halves = (Trial(table, frozenset(suspects[:middle])), Trial(table, frozenset(suspects[middle:])))
    return replace(state, trials=(*halves, *rest))
