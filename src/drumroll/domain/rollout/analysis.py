"""Which AnalysisRuns and Experiments a Rollout should have now, and what their outcome means for it.

Strategies call `judge` once in a turn, with the Rollout's status as that turn knows it: a new revision has its analysis
statuses cleared already, so the runs of the old one are nobody's and are terminated. Source: argo-rollouts
rollout/analysis.go, rollout/experiment.go.

Two things differ from the original, which draws its consequences from `abortedAt` and `controllerPause`: a bad end has
them as long as the status has not recorded it, so a retry always gets a new run and never aborts on the old one; and
pods that are not all ready any more delay a run of blue/green, and never terminate it (a terminated run counts as a
success, and would promote).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from drumroll.domain.actions import Action, Create, Record
from drumroll.domain.analysis.arguments import ArgumentError, from_rollout
from drumroll.domain.analysis.names import (
    BACKGROUND,
    ERROR,
    FAILED,
    INCONCLUSIVE,
    INSTANCE,
    POD_HASH,
    POST_PROMOTION,
    PRE_PROMOTION,
    REVISION,
    ROLLOUT_TYPE,
    SCALE_DOWN_DEADLINE,
    STEP,
    STEP_INDEX,
)
from drumroll.domain.analysis.runs import (
    Identity,
    build_run,
    clearances,
    limits_of,
    message_of,
    phase_of,
    place,
    terminations,
)
from drumroll.domain.analysis.templates import Extras, TemplateError, Templates, expand, run_spec
from drumroll.domain.rollout.experiments import ExperimentShare, Parts, experiment_shares, next_experiment
from drumroll.objects.meta import Obj, annotations_of, key_of, labels_of

__all__ = ["ExperimentShare", "Judgement", "Scene", "Templates", "experiment_shares", "judge"]

INCONCLUSIVE_ANALYSIS = "InconclusiveAnalysisRun"
INCONCLUSIVE_EXPERIMENT = "InconclusiveExperiment"


@dataclass(frozen=True, slots=True)
class Scene:
    """What the analyses of one Rollout depend on.

    `new` and `stable` are its ReplicaSets (None: not there yet); `replica_sets` are all that it owns. `runs` and
    `experiments` are those that it controls. `is_skipping` is what only the strategy knows: a rollback within the
    window, or a return to pods that still wait for their scale-down deadline; abort, promoteFull and the first
    deployment are read from the status. `is_saturated` and `is_verified` matter to blue/green alone: the new pods are
    all there, and the switched Service reaches them.
    """

    rollout: Obj
    new: Obj | None
    stable: Obj | None
    replica_sets: tuple[Obj, ...] = ()
    runs: tuple[Obj, ...] = ()
    experiments: tuple[Obj, ...] = ()
    templates: Templates = field(default_factory=Templates)
    is_skipping: bool = False
    is_saturated: bool = False
    is_verified: bool = True

    @property
    def status(self) -> Obj:
        """The Rollout's status, as this turn knows it."""
        return self.rollout.get("status") or {}

    @property
    def new_hash(self) -> str:
        """The pod template hash of the new ReplicaSet, empty when there is none."""
        return _hash(self.new)

    def pauses(self) -> frozenset[str]:
        """The reasons for which the Rollout is paused."""
        return frozenset(one.get("reason", "") for one in self.status.get("pauseConditions") or ())


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to do about analyses, and what they mean.

    `actions` creates, terminates and deletes runs and experiments and reports Events. `canary` and `blue_green` are
    merge patches of these parts of the status (None takes a field away). `abort` is the message to abort with, empty
    for none; `pause` the reason of a pause condition to add, empty for none. `step` is the phase of the analysis or
    experiment of the current step, empty as long as there is none: the step is done when it is Successful. `pre` and
    `post` are the phases of blue/green's analyses, in the same way. `experiment` is the one that runs now. `fault` says
    why a run that is due could not be made (a template is missing, an argument has no value …).
    """

    actions: tuple[Action, ...] = ()
    canary: Obj = field(default_factory=dict)
    blue_green: Obj = field(default_factory=dict)
    abort: str = ""
    pause: str = ""
    step: str = ""
    pre: str = ""
    post: str = ""
    experiment: Obj | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Sort:
    """One of the four places where a Rollout may have an analysis."""

    label: str
    field: str  # of the strategy's part of the status
    called: str


_STEP = _Sort(STEP, "currentStepAnalysisRunStatus", "Step-based analysis")
_BACKGROUND = _Sort(BACKGROUND, "currentBackgroundAnalysisRunStatus", "Background analysis")
_PRE = _Sort(PRE_PROMOTION, "prePromotionAnalysisRunStatus", "Blue/green pre-promotion analysis")
_POST = _Sort(POST_PROMOTION, "postPromotionAnalysisRunStatus", "Blue/green post-promotion analysis")


@dataclass(frozen=True, slots=True)
class _Found:
    """What one of the places came to: its run (made just now, or found), and what follows."""

    run: Obj | None = None
    actions: tuple[Action, ...] = ()
    abort: str = ""
    pause: str = ""
    fault: str = ""


def judge(scene: Scene) -> Judgement:
    """The runs and experiments that there should be, and what those that there are say."""
    strategy = scene.rollout["spec"].get("strategy") or {}
    if strategy.get("canary") is not None:
        return _canary(scene, strategy["canary"] or {})
    return _blue_green(scene, strategy.get("blueGreen") or {})


def _hash(replica_set: Obj | None) -> str:
    return labels_of(replica_set).get(POD_HASH, "") if replica_set is not None else ""


def _skips(scene: Scene) -> bool:
    """Whether nothing is analysed now: what goes on is ended, what ended is left as it is."""
    status = scene.status
    deadline = scene.new is not None and SCALE_DOWN_DEADLINE in annotations_of(scene.new)
    is_first = not status.get("stableRS")
    return bool(status.get("abort") or status.get("promoteFull") or is_first or deadline or scene.is_skipping)


def _canary(scene: Scene, canary: Obj) -> Judgement:
    if _skips(scene):
        kept = {sort.field: _summary(_current(scene, "canary", sort)) for sort in (_STEP, _BACKGROUND)}
        return Judgement(terminations((*scene.runs, *scene.experiments)), {**kept, "currentExperiment": None})
    index = scene.status.get("currentStepIndex")
    steps = canary.get("steps") or ()
    step = steps[index] if index is not None and 0 <= index < len(steps) else {}
    stepped = _step_run(scene, step.get("analysis"), index)
    background = _background_run(scene, canary, index)
    tried = next_experiment(scene.rollout, step.get("experiment"), _parts(scene))
    actions = (*stepped.actions, *background.actions, *tried.actions, *_rest(scene, (stepped, background)))
    phase = phase_of(stepped.run) if step.get("analysis") is not None else tried.phase
    return Judgement(
        actions=actions,
        canary={
            _STEP.field: _summary(stepped.run),
            _BACKGROUND.field: _summary(background.run),
            "currentExperiment": tried.name,
        },
        abort=stepped.abort or background.abort or tried.abort,
        pause=stepped.pause or background.pause or (INCONCLUSIVE_EXPERIMENT if tried.is_inconclusive else ""),
        step=phase,
        experiment=tried.experiment,
        fault=stepped.fault or background.fault or tried.fault,
    )


def _blue_green(scene: Scene, blue_green: Obj) -> Judgement:
    before, after = (_current(scene, "blueGreen", sort) for sort in (_PRE, _POST))
    if _skips(scene):
        kept = {_PRE.field: _summary(before), _POST.field: _summary(after)}
        return Judgement(terminations(scene.runs), blue_green=kept, pre=phase_of(before), post=phase_of(after))
    active, stable = scene.status.get("blueGreen", {}).get("activeSelector", ""), scene.status.get("stableRS", "")
    is_new = bool(scene.new_hash) and stable != scene.new_hash
    pre = post = _Found()
    if (wanted := blue_green.get("prePromotionAnalysis")) is not None:
        is_early = is_new and active not in ("", scene.new_hash)
        pre = _promotion_run(scene, (_PRE, wanted, "pre"), before, is_early and scene.is_saturated, is_early)
    if (wanted := blue_green.get("postPromotionAnalysis")) is not None:
        is_late = is_new and active == scene.new_hash
        is_ready = is_late and scene.is_saturated and scene.is_verified
        post = _promotion_run(scene, (_POST, wanted, "post"), after, is_ready, is_late)
    return Judgement(
        actions=(*pre.actions, *post.actions, *_rest(scene, (pre, post))),
        blue_green={_PRE.field: _summary(pre.run), _POST.field: _summary(post.run)},
        abort=pre.abort or post.abort,
        pause=pre.pause or post.pause,
        pre=phase_of(pre.run),
        post=phase_of(post.run),
        fault=pre.fault or post.fault,
    )


def _promotion_run(
    scene: Scene, what: tuple[_Sort, Obj, str], current: Obj | None, is_ready: bool, is_wanted: bool
) -> _Found:
    sort, analysis, infix = what
    if not is_wanted:
        return _Found(current, terminations((current,) if current is not None else ()))
    if not is_ready or INCONCLUSIVE_ANALYSIS in scene.pauses():
        if current is None or _is_spent(scene, sort, current):
            return _Found(current)
        return _consequences(scene, sort, current)
    return _one(scene, sort, current, lambda: _identity(scene, analysis, sort, infix), analysis)


def _step_run(scene: Scene, analysis: Obj | None, index: int | None) -> _Found:
    current = _current(scene, "canary", _STEP)
    if scene.pauses():
        return _Found(current)
    if analysis is None or index is None:
        return _Found()
    if current is not None and labels_of(current).get(STEP_INDEX) != str(index):
        current = None
    return _one(scene, _STEP, current, lambda: _identity(scene, analysis, _STEP, str(index)), analysis)


def _background_run(scene: Scene, canary: Obj, index: int | None) -> _Found:
    analysis = canary.get("analysis") or {}
    status = scene.status
    is_promoted = status.get("stableRS") == status.get("currentPodHash")
    is_early = index is not None and index < (analysis.get("startingStep") or 0)
    if not analysis.get("templates") or is_promoted or not status.get("currentPodHash") or is_early:
        return _Found()
    current = _current(scene, "canary", _BACKGROUND)
    if INCONCLUSIVE_ANALYSIS in scene.pauses():
        return _Found(current)
    return _one(scene, _BACKGROUND, current, lambda: _identity(scene, analysis, _BACKGROUND, ""), analysis)


def _one(scene: Scene, sort: _Sort, current: Obj | None, identify: Callable[[], Identity], analysis: Obj) -> _Found:
    """The run of one place: the one that is there, with its consequences, or a new one."""
    if current is not None and not _is_spent(scene, sort, current):
        return _consequences(scene, sort, current)
    if not scene.new_hash:
        return _Found(current)
    try:
        run = _build(scene, identify(), analysis)
    except (TemplateError, ArgumentError) as error:
        return _Found(current, fault=str(error))
    run, is_there = place(run, scene.runs, ".")
    return _Found(run, () if is_there else (Create(run),))


def _is_spent(scene: Scene, sort: _Sort, current: Obj) -> bool:
    """Whether a run's outcome has had its consequences, and somebody wants to go on in spite of it."""
    known = _recorded(scene, sort).get("status")
    if phase_of(current) in (FAILED, ERROR):
        return known in (FAILED, ERROR)
    return phase_of(current) == known == INCONCLUSIVE and not scene.pauses()


def _consequences(scene: Scene, sort: _Sort, run: Obj) -> _Found:
    phase, events = phase_of(run), _told(scene, sort, run)
    if phase in (FAILED, ERROR):
        return _Found(run, events, abort=f"{sort.called} phase error/failed: {message_of(run)}")
    return _Found(run, events, pause=INCONCLUSIVE_ANALYSIS if phase == INCONCLUSIVE else "")


def _told(scene: Scene, sort: _Sort, run: Obj) -> tuple[Action, ...]:
    """The Event about a change of the run's phase since the Rollout's status recorded it."""
    phase, known = phase_of(run), _recorded(scene, sort)
    if not phase or known.get("name") != key_of(run).name or known.get("status") == phase:
        return ()
    before = known.get("status") or "NoPreviousStatus"
    text = f"{sort.label} Analysis Run '{key_of(run).name}' Status New: '{phase}' Previous: '{before}'"
    return (Record(scene.rollout, "Warning" if phase in (FAILED, ERROR) else "Normal", f"AnalysisRun{phase}", text),)


def _recorded(scene: Scene, sort: _Sort) -> Obj:
    part = scene.status.get("canary" if sort in (_STEP, _BACKGROUND) else "blueGreen") or {}
    return part.get(sort.field) or {}


def _current(scene: Scene, part: str, sort: _Sort) -> Obj | None:
    """The run that the Rollout's status names."""
    name = ((scene.status.get(part) or {}).get(sort.field) or {}).get("name")
    return next((run for run in scene.runs if key_of(run).name == name), None) if name else None


def _summary(run: Obj | None) -> Obj | None:
    if run is None:
        return None
    summary = {"name": key_of(run).name, "status": phase_of(run), "message": message_of(run) or None}
    return {name: value for name, value in summary.items() if name != "message" or value}


def _identity(scene: Scene, analysis: Obj, sort: _Sort, infix: str) -> Identity:
    rollout, meta = scene.rollout, analysis.get("analysisRunMetadata") or {}
    revision = annotations_of(rollout).get(REVISION, "")
    labels = {POD_HASH: scene.new_hash, ROLLOUT_TYPE: sort.label}
    if sort is _STEP:
        labels[STEP_INDEX] = infix
    if INSTANCE in labels_of(rollout):
        labels[INSTANCE] = labels_of(rollout)[INSTANCE]
    selector = (rollout["spec"].get("selector") or {}).get("matchLabels") or {}
    return Identity(
        name="-".join(part for part in (key_of(rollout).name, scene.new_hash, revision, infix) if part),
        labels={**labels, **(meta.get("labels") or {}), **selector},
        annotations={REVISION: revision, **(meta.get("annotations") or {})},
    )


def _build(scene: Scene, identity: Identity, analysis: Obj) -> Obj:
    hashes = {"Latest": scene.new_hash, "Stable": _hash(scene.stable)}
    extras = Extras(
        from_rollout(analysis.get("args") or (), scene.rollout, hashes),
        analysis.get("dryRun") or (),
        analysis.get("measurementRetention") or (),
    )
    spec = run_spec(expand(analysis.get("templates") or (), scene.templates), extras)
    return build_run(scene.rollout, identity, spec)


def _rest(scene: Scene, found: tuple[_Found, ...]) -> tuple[Action, ...]:
    """What happens to the runs that no place needs any more."""
    needed = {key_of(one.run).name for one in found if one.run is not None}
    others = [run for run in scene.runs if key_of(run).name not in needed]
    return (*terminations(others), *clearances(others, scene.replica_sets, limits_of(scene.rollout)))


def _parts(scene: Scene) -> Parts:
    return Parts(scene.new, scene.stable, scene.replica_sets, scene.experiments, scene.pauses())
