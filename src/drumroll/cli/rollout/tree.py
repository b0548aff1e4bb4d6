"""The tree of revisions, ReplicaSets, pods, experiments and analyses.

Source: argo-rollouts pkg/kubectl-argo-rollouts/cmd/get/{get,get_rollout,get_experiment}.go.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from drumroll.cli.rollout.header import phase_of
from drumroll.cli.rollout.phases import pod_icon, pod_state, replica_set_phase, with_icon
from drumroll.cli.rollout.view import Revision, World, age, counts, owned, revisions, tags
from drumroll.objects.meta import Obj

_HEAD = ("NAME", "KIND", "STATUS", "AGE", "INFO")
_GAP = 2
_ALPHA = "\N{GREEK SMALL LETTER ALPHA}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree and what hangs below it."""

    cells: tuple[str, str, str, str, str]
    below: list["Row"] = field(default_factory=list)


def tree(world: World, now: datetime) -> list[str]:
    """The lines, with a heading."""
    return lines_of(root(world, now))


def lines_of(row: Row) -> list[str]:
    """A row and all below it, with a heading."""
    return table([_HEAD, *_flat(row)])


def root(world: World, now: datetime) -> Row:
    """The Rollout or Deployment with all its revisions."""
    owner = world.owner
    phase, _ = phase_of(world)
    cells = (f"⟳ {owner['metadata']['name']}", owner["kind"], with_icon(phase), age(owner, now), "")
    return Row(cells, [_revision(world, one, now) for one in revisions(world)])


def _revision(world: World, revision: Revision, now: datetime) -> Row:
    rows = [_replica_set(world, one, now, tags(world, one, now)) for one in revision.replica_sets]
    rows += [experiment(world, one, now) for one in revision.experiments]
    rows += [_run(one, now) for one in revision.runs]
    return Row((f"# revision:{revision.number}", "", "", "", ""), rows)


def _replica_set(world: World, replica_set: Obj, now: datetime, info: list[str]) -> Row:
    pods = owned(replica_set, world.pods)
    phase = replica_set_phase(replica_set, pods)
    shown = "• ScaledDown" if phase == "ScaledDown" else with_icon(phase)
    cells = (f"⧉ {replica_set['metadata']['name']}", "ReplicaSet", shown, age(replica_set, now), ",".join(info))
    return Row(cells, [_pod(pod, now) for pod in pods])


def _pod(pod: Obj, now: datetime) -> Row:
    state = pod_state(pod)
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    ready = sum(bool(one.get("ready")) for one in statuses)
    info = [f"ready:{ready}/{len(pod['spec'].get('containers') or ())}"]
    if restarts := sum(one.get("restartCount") or 0 for one in statuses):
        info.append(f"restarts:{restarts}")
    name = f"□ {pod['metadata']['name']}"
    return Row((name, "Pod", f"{pod_icon(state)} {state}", age(pod, now), ",".join(info)))


def experiment(world: World, one: Obj, now: datetime) -> Row:
    """An experiment with its ReplicaSets and analyses."""
    phase = (one.get("status") or {}).get("phase") or "Pending"
    rows = [_replica_set(world, rs, now, []) for rs in owned(one, world.replica_sets)]
    rows += [_run(run, now) for run in owned(one, world.runs)]
    return Row((f"Σ {one['metadata']['name']}", "Experiment", with_icon(phase), age(one, now), ""), rows)


def _run(run: Obj, now: datetime) -> Row:
    phase = (run.get("status") or {}).get("phase") or "Pending"
    jobs = [
        _job(result, one) for result in (run.get("status") or {}).get("metricResults") or () for one in _jobs(result)
    ]
    cells = (f"{_ALPHA} {run['metadata']['name']}", "AnalysisRun", with_icon(phase), age(run, now), counts(run))
    return Row(cells, jobs)


def _jobs(result: Obj) -> Iterator[Obj]:
    yield from (one for one in result.get("measurements") or () if (one.get("metadata") or {}).get("job-name"))


def _job(result: Obj, measurement: Obj) -> Row:
    name = f"⊞ {measurement['metadata']['job-name']}"
    return Row((name, "Job", with_icon(measurement.get("phase") or "Running"), "", result.get("name", "")))


def _flat(row: Row, lead: str = "", below: str = "") -> Iterator[tuple[str, ...]]:
    name, *rest = row.cells
    yield (f"{lead}{name}", *rest)
    for index, inner in enumerate(row.below):
        is_last = index == len(row.below) - 1
        yield from _flat(inner, below + ("└──" if is_last else "├──"), below + ("   " if is_last else "│  "))


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as columns that are wide enough."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["".join(cell.ljust(width + _GAP) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
