"""Which runs and experiments a Rollout has, how they are named and reused, and what their outcome means."""

import pytest

from drumroll.domain.actions import Create, Delete, Patch, Record
from drumroll.domain.analysis.arguments import ArgumentError, field_of, from_rollout, merge, substitute
from drumroll.domain.analysis.templates import Extras, TemplateError, Templates, expand, run_spec
from drumroll.domain.rollout.analysis import ExperimentShare, Scene, experiment_shares, judge
from drumroll.domain.rollout.analysis_references import analysis_faults
from drumroll.objects.meta import key_of

HASH, OLD = "aaa", "bbb"


def template(name, *metrics, cluster=False, **spec):
    kind = "ClusterAnalysisTemplate" if cluster else "AnalysisTemplate"
    listed = [{"name": metric, "provider": {"web": {"url": "http://x"}}} for metric in metrics]
    return {"kind": kind, "metadata": {"name": name}, "spec": {"metrics": listed, **spec}}


TEMPLATES = Templates(
    {"good": template("good", "m", args=[{"name": "hash"}]), "plain": template("plain", "p")},
    {"wide": template("wide", "w", cluster=True)},
)
ANALYSIS = {
    "templates": [{"templateName": "good"}],
    "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
}
STEPS = [{"setWeight": 20}, {"analysis": ANALYSIS}, {"setWeight": 50}, {"analysis": ANALYSIS}]


def replica_set(pod_hash, **meta):
    labels = {"rollouts-pod-template-hash": pod_hash, "app": "web"}
    pod = {"metadata": {"labels": dict(labels)}, "spec": {"containers": [{"name": "c"}]}}
    spec = {"template": pod, "selector": {"matchLabels": dict(labels)}, "minReadySeconds": 5}
    return {"metadata": {"name": f"web-{pod_hash}", "labels": labels, **meta}, "spec": spec}


def rollout(strategy, status=None, **meta):
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": "web", "namespace": "ns", "uid": "u1", "labels": {"team": "a"},
            "annotations": {"rollout.argoproj.io/revision": "2"}, **meta,
        },
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "strategy": strategy},
        "status": {"stableRS": OLD, "currentPodHash": HASH, **(status or {})},
    }  # fmt: skip


def canary(index, status=None, **fields):
    return rollout({"canary": {"steps": STEPS, **fields}}, {"currentStepIndex": index, **(status or {})})


def scene(of, *runs, **fields):
    sets = (replica_set(HASH), replica_set(OLD))
    return Scene(of, sets[0], sets[1], sets, tuple(runs), templates=TEMPLATES, **fields)


def existing(name, phase="", step=None, message="", pod_hash=HASH, made="2026-01-01T00:00:00Z", **spec):
    labels = {"rollouts-pod-template-hash": pod_hash}
    if step is not None:
        labels["step-index"] = str(step)
    owner = {"kind": "Rollout", "name": "web", "uid": "u1", "controller": True}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": name, "namespace": "ns", "uid": name, "labels": labels, "ownerReferences": [owner],
                     "creationTimestamp": made},
        "spec": spec,
        "status": {"phase": phase, "message": message} if phase else {},
    }  # fmt: skip


def recorded(name, phase="Running", field="currentStepAnalysisRunStatus"):
    return {"canary": {field: {"name": name, "status": phase}}}


def made(judgement):
    return [action.obj for action in judgement.actions if isinstance(action, Create)]


def terminated(judgement):
    patches = [action for action in judgement.actions if isinstance(action, Patch)]
    return [patch.key.name for patch in patches if patch.patch["spec"] == {"terminate": True}]


def test_a_step_gets_a_run_with_the_originals_name_and_labels():
    found = judge(scene(canary(1)))
    (run,) = made(found)
    assert run["metadata"]["name"] == "web-aaa-2-1"
    assert run["metadata"]["labels"] == {
        "rollouts-pod-template-hash": HASH, "rollout-type": "Step", "step-index": "1", "app": "web",
    }  # fmt: skip
    assert run["metadata"]["annotations"] == {"rollout.argoproj.io/revision": "2"}
    assert run["spec"]["args"] == [{"name": "hash", "value": HASH}]
    assert run["metadata"]["ownerReferences"][0]["uid"] == "u1"
    assert found.canary["currentStepAnalysisRunStatus"] == {"name": "web-aaa-2-1", "status": ""}
    assert (found.abort, found.pause, found.step) == ("", "", "")


def test_no_step_no_run():
    assert judge(scene(canary(0))).actions == ()
    assert judge(scene(canary(4))).actions == ()
    assert judge(scene(canary(1, {"pauseConditions": [{"reason": "CanaryPauseStep"}]}))).actions == ()


def test_a_run_made_by_one_who_was_killed_is_found_again():
    (run,) = made(judge(scene(canary(1))))
    again = {**run, "metadata": {**run["metadata"], "uid": "x"}, "status": {"phase": "Running"}}
    found = judge(scene(canary(1), again))
    assert made(found) == []
    assert found.canary["currentStepAnalysisRunStatus"]["name"] == "web-aaa-2-1"


OUTCOMES = [
    ("Running", "", "", "Running"),
    ("Successful", "", "", "Successful"),
    ("Failed", "Step-based analysis phase error/failed: why", "", "Failed"),
    ("Error", "Step-based analysis phase error/failed: why", "", "Error"),
    ("Inconclusive", "", "InconclusiveAnalysisRun", "Inconclusive"),
]


@pytest.mark.parametrize(("phase", "abort", "pause", "step"), OUTCOMES)
def test_what_an_outcome_means(phase, abort, pause, step):
    run = existing("web-aaa-2-1", phase, step=1, message="why")
    found = judge(scene(canary(1, recorded("web-aaa-2-1")), run))
    assert (found.abort, found.pause, found.step) == (abort, pause, step)
    assert found.canary["currentStepAnalysisRunStatus"] == {"name": "web-aaa-2-1", "status": phase, "message": "why"}
    events = [action for action in found.actions if isinstance(action, Record)]
    assert [event.reason for event in events] == ([] if phase == "Running" else [f"AnalysisRun{phase}"])


def test_a_retry_gets_a_new_run_and_does_not_abort_on_the_old_one():
    run = existing("web-aaa-2-1", "Failed", step=1, message="why")
    found = judge(scene(canary(1, recorded("web-aaa-2-1", "Failed")), run))
    assert [key_of(one).name for one in made(found)] == ["web-aaa-2-1.1"]
    assert (found.abort, found.canary["currentStepAnalysisRunStatus"]["name"]) == ("", "web-aaa-2-1.1")


def test_who_goes_on_after_an_inconclusive_run_gets_a_new_one():
    run = existing("web-aaa-2-1", "Inconclusive", step=1)
    status = {**recorded("web-aaa-2-1", "Inconclusive"), "pauseConditions": [{"reason": "InconclusiveAnalysisRun"}]}
    assert judge(scene(canary(1, status), run)).actions == ()
    resumed = judge(scene(canary(1, {**recorded("web-aaa-2-1", "Inconclusive"), "controllerPause": True}), run))
    assert [key_of(one).name for one in made(resumed)] == ["web-aaa-2-1.1"]


def test_the_run_of_an_earlier_step_is_ended_and_the_next_step_gets_its_own():
    run = existing("web-aaa-2-1", "Running", step=1)
    found = judge(scene(canary(3, recorded("web-aaa-2-1")), run))
    assert [key_of(one).name for one in made(found)] == ["web-aaa-2-3"]
    assert terminated(found) == ["web-aaa-2-1"]


@pytest.mark.parametrize("status", [{"abort": True}, {"promoteFull": True}, {"stableRS": ""}])
def test_nothing_is_analysed_after_an_abort_a_full_promotion_or_at_first(status):
    run = existing("web-aaa-2-1", "Running", step=1)
    found = judge(scene(canary(1, {**recorded("web-aaa-2-1"), **status}), run))
    assert (made(found), terminated(found), found.abort) == ([], ["web-aaa-2-1"], "")


def test_nor_on_the_way_back():
    run = existing("web-aaa-2-1", "Running", step=1)
    assert terminated(judge(scene(canary(1, recorded("web-aaa-2-1")), run, is_skipping=True))) == ["web-aaa-2-1"]
    back = Scene(canary(1), replica_set(HASH, annotations={"scale-down-deadline": "2026-01-01T00:00:00Z"}), None)
    assert judge(back).actions == ()


def test_background_analysis_starts_with_its_step_and_ends_with_the_update():
    analysis = {**ANALYSIS, "startingStep": 2}
    assert made(judge(scene(canary(0, analysis=analysis)))) == []
    (run,) = made(judge(scene(canary(2, analysis=analysis))))
    assert (run["metadata"]["name"], run["metadata"]["labels"]["rollout-type"]) == ("web-aaa-2", "Background")
    status = recorded("web-aaa-2", "Running", "currentBackgroundAnalysisRunStatus")
    failed = existing("web-aaa-2", "Failed", message="why")
    found = judge(scene(canary(2, status, analysis=analysis), failed))
    assert found.abort == "Background analysis phase error/failed: why"
    running = existing("web-aaa-2", "Running")
    over = judge(scene(canary(4, {**status, "stableRS": HASH}, analysis=analysis), running))
    assert (terminated(over), over.canary["currentBackgroundAnalysisRunStatus"]) == (["web-aaa-2"], None)


def test_runs_of_another_revision_are_ended():
    other = existing("web-ccc-1-1", "Running", step=1, pod_hash=OLD)
    assert terminated(judge(scene(canary(0), other))) == ["web-ccc-1-1"]


def test_old_runs_are_deleted_beyond_the_limits_and_with_their_replica_sets():
    def run(number, phase, pod_hash=OLD):
        return existing(f"r{number}", phase, made=f"2026-01-01T00:00:{number:02}Z", pod_hash=pod_hash)

    runs = [run(number, "Successful") for number in range(7)] + [run(10, "Failed"), run(11, "Successful", "gone")]
    of = canary(0)
    of["spec"]["analysis"] = {"successfulRunHistoryLimit": 4, "unsuccessfulRunHistoryLimit": 0}
    found = judge(scene(of, *runs))
    deleted = {action.key.name for action in found.actions if isinstance(action, Delete)}
    assert deleted == {"r0", "r1", "r2", "r10", "r11"}


def test_what_cannot_be_made_is_told():
    of = canary(1)
    of["spec"]["strategy"]["canary"]["steps"] = [{}, {"analysis": {"templates": [{"templateName": "gone"}]}}]
    assert judge(scene(of)).fault == "AnalysisTemplate 'gone' not found"
    of["spec"]["strategy"]["canary"]["steps"] = [{}, {"analysis": {"templates": [{"templateName": "good"}]}}]
    assert judge(scene(of)).fault == "args.hash was not resolved"


BLUE_GREEN = {"blueGreen": {"prePromotionAnalysis": ANALYSIS, "postPromotionAnalysis": ANALYSIS}}


def colours(active, **fields):
    return rollout(BLUE_GREEN, {"blueGreen": {"activeSelector": active, **fields}})


def test_blue_green_is_analysed_before_and_after_the_switch():
    assert made(judge(scene(colours(OLD)))) == []
    (pre,) = made(judge(scene(colours(OLD), is_saturated=True)))
    assert (pre["metadata"]["name"], pre["metadata"]["labels"]["rollout-type"]) == ("web-aaa-2-pre", "PrePromotion")
    (post,) = made(judge(scene(colours(HASH), is_saturated=True)))
    assert (post["metadata"]["name"], post["metadata"]["labels"]["rollout-type"]) == ("web-aaa-2-post", "PostPromotion")
    assert made(judge(scene(colours(HASH), is_saturated=True, is_verified=False))) == []
    assert made(judge(scene(colours(""), is_saturated=True))) == []


def test_pods_that_are_gone_for_a_moment_neither_end_a_run_nor_promote():
    known = {"prePromotionAnalysisRunStatus": {"name": "web-aaa-2-pre", "status": "Running"}}
    run = existing("web-aaa-2-pre", "Running")
    found = judge(scene(colours(OLD, **known), run, is_saturated=False))
    assert (terminated(found), found.pre, made(found)) == ([], "Running", [])
    failed = existing("web-aaa-2-pre", "Failed", message="why")
    found = judge(scene(colours(OLD, **known), failed, is_saturated=False))
    assert found.abort == "Blue/green pre-promotion analysis phase error/failed: why"


def test_a_promotion_by_hand_ends_the_analysis_before_it():
    known = {"prePromotionAnalysisRunStatus": {"name": "web-aaa-2-pre", "status": "Running"}}
    found = judge(scene(colours(HASH, **known), existing("web-aaa-2-pre", "Running"), is_saturated=True))
    assert "web-aaa-2-pre" in terminated(found)
    assert found.blue_green["prePromotionAnalysisRunStatus"]["name"] == "web-aaa-2-pre"


EXPERIMENT = {
    "duration": "5m",
    "templates": [
        {"name": "new", "specRef": "canary", "weight": 10, "metadata": {"labels": {"x": "y"}}},
        {"name": "old", "specRef": "stable", "replicas": 2, "service": {"name": "peek"}},
    ],
    "analyses": [{"name": "check", "templateName": "good", "args": ANALYSIS["args"], "requiredForCompletion": True}],
}


def trying(status=None):
    return rollout({"canary": {"steps": [{"experiment": EXPERIMENT}]}}, {"currentStepIndex": 0, **(status or {})})


def test_an_experiment_is_made_from_its_step():
    found = judge(scene(trying()))
    (wanted,) = made(found)
    assert wanted["metadata"]["name"] == "web-aaa-2-0"
    assert found.canary["currentExperiment"] == "web-aaa-2-0"
    new, old = wanted["spec"]["templates"]
    assert (new["service"], new["minReadySeconds"], new["template"]["metadata"]["labels"]["x"]) == ({}, 5, "y")
    assert new["selector"]["matchLabels"]["x"] == "y"
    assert (old["replicas"], old["service"]) == (2, {"name": "peek"})
    assert wanted["spec"]["analyses"][0]["args"] == [{"name": "hash", "value": HASH}]
    assert wanted["spec"]["duration"] == "5m"
    assert [action.reason for action in found.actions if isinstance(action, Record)] == ["ExperimentCreated"]


def running(phase, message=""):
    one = existing("web-aaa-2-0", phase, message=message)
    statuses = [{"name": "new", "serviceName": "web-aaa-2-0-new", "podTemplateHash": "h"}, {"name": "old"}]
    return {**one, "kind": "Experiment", "status": {**one["status"], "templateStatuses": statuses}}


EXPERIMENTS = [
    ("Running", "", "", "web-aaa-2-0"),
    ("Successful", "", "", "web-aaa-2-0"),
    ("Failed", "why", "", None),
    ("Inconclusive", "", "InconclusiveExperiment", "web-aaa-2-0"),
]


@pytest.mark.parametrize(("phase", "abort", "pause", "current"), EXPERIMENTS)
def test_what_the_outcome_of_an_experiment_means(phase, abort, pause, current):
    of = trying({"canary": {"currentExperiment": "web-aaa-2-0"}})
    found = judge(scene(of, experiments=(running(phase, "why"),)))
    assert (found.abort, found.pause, found.step) == (abort, pause, phase)
    assert found.canary["currentExperiment"] == current
    assert made(found) == []


def test_the_experiment_of_an_earlier_step_is_not_that_of_the_next():
    steps = {"canary": {"steps": [{"experiment": EXPERIMENT}, {"experiment": EXPERIMENT}]}}
    of = rollout(steps, {"currentStepIndex": 1, "canary": {"currentExperiment": "web-aaa-2-0"}})
    found = judge(scene(of, experiments=(running("Successful"),)))
    assert ([key_of(one).name for one in made(found)], found.step) == (["web-aaa-2-1"], "")


def test_a_failed_experiment_is_tried_again_under_another_name_after_a_retry():
    found = judge(scene(trying(), experiments=(running("Failed"),)))
    assert [key_of(one).name for one in made(found)] == ["web-aaa-2-0-1"]


def test_an_experiments_part_of_the_traffic_is_known_while_it_runs():
    of = trying({"canary": {"currentExperiment": "web-aaa-2-0"}})
    assert experiment_shares(of, running("Running")) == (ExperimentShare("web-aaa-2-0-new", "h", 10),)
    assert experiment_shares(of, running("Pending")) == ()
    assert experiment_shares(of, None) == ()


def test_nested_templates_are_taken_once_and_contradictions_refused():
    nested = Templates(
        {
            "outer": template("outer", "a", templates=[{"templateName": "inner"}, {"templateName": "outer"}]),
            "inner": template("inner", "b", args=[{"name": "x", "value": "1"}]),
        },
        {"wide": template("wide", "w", cluster=True, args=[{"name": "x", "value": "2"}])},
    )
    found = expand([{"templateName": "outer"}, {"templateName": "inner"}], nested)
    assert [metric["name"] for metric in run_spec(found, Extras())["metrics"]] == ["a", "b"]
    both = expand([{"templateName": "wide", "clusterScope": True}, {"templateName": "inner"}], nested)
    with pytest.raises(TemplateError, match="Argument `x` specified multiple times with different values: '1', '2'"):
        run_spec(both, Extras())
    with pytest.raises(TemplateError, match="two metrics have the same name 'b'"):
        run_spec([nested.local["inner"], nested.local["inner"]], Extras())
    rules = [{"metricName": "b"}, {"metricName": "b"}]
    with pytest.raises(TemplateError, match="two Dry-Run metric rules have the same name 'b'"):
        run_spec([nested.local["inner"]], Extras(dry_run=rules))
    with pytest.raises(TemplateError, match="ClusterAnalysisTemplate 'gone' not found"):
        expand([{"templateName": "gone", "clusterScope": True}], nested)


def test_arguments():
    declared = [{"name": "a", "value": "1"}, {"name": "b"}, {"name": "c", "valueFrom": {"secretKeyRef": {}}}]
    given = [{"name": "b", "value": "2"}, {"name": "a", "value": "3"}, {"name": "z", "value": "9"}]
    assert merge(given, declared) == [{"name": "a", "value": "3"}, {"name": "b", "value": "2"}, declared[2]]
    with pytest.raises(ArgumentError, match=r"args\.b was not resolved"):
        merge([], declared)
    assert substitute("x-{{args.a}}-{{ args.a }}", {"args.a": "1"}) == "x-1-1"
    with pytest.raises(ArgumentError, match=r"failed to resolve \{\{args\.q\}\}"):
        substitute("{{args.q}}", {})
    with pytest.raises(ArgumentError, match='Cannot find end tag="}}"'):
        substitute("{{args.q", {})
    of = canary(1)
    fields = [
        ("metadata.labels['team']", "a"), ("metadata.name", "web"), ("status.currentStepIndex", "1"),
        ("spec.strategy.canary.steps[0].setWeight", "20"), ("metadata.labels['none']", ""),
    ]  # fmt: skip
    assert [field_of(of, path) for path, _ in fields] == [value for _, value in fields]
    for path, message in (("spec.x.y", "invalid path"), ("spec.strategy", "must terminate in a primitive value")):
        with pytest.raises(ArgumentError, match=message):
            field_of(of, path)
    stable = [{"name": "s", "valueFrom": {"podTemplateHashValue": "Stable"}}]
    assert from_rollout(stable, of, {"Stable": OLD}) == [{"name": "s", "value": OLD}]


def references(**analysis):
    strategy = {"canary": {"steps": [{"setWeight": 1}, {"analysis": analysis}]}}
    return list(analysis_faults({"strategy": strategy}, TEMPLATES))


def test_what_a_rollout_refers_to_must_be_there_and_fit_together():
    where = "spec.strategy.canary.steps[1].analysis.templates"
    good, plain, wide = ({"templateName": name} for name in ("good", "plain", "wide"))
    args = [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}]
    assert references(templates=[good, plain, {**wide, "clusterScope": True}], args=args) == []
    assert references(templates=[plain, wide]) == [
        f"{where}[1].templateName: Invalid value: \"wide\": AnalysisTemplate 'wide' not found"
    ]
    assert references(templates=[good]) == [f'{where}: Invalid value: "good": args.hash was not resolved']
    rule = [{"metricName": "nothing"}]
    assert references(templates=[plain], dryRun=rule) == [
        f'{where}: Invalid value: "plain": dryRun[0]: Rule didn\'t match any metric name(s)'
    ]
    tried = {"experiment": {"analyses": [{"name": "a", "templateName": "gone"}]}}
    assert list(analysis_faults({"strategy": {"canary": {"steps": [tried]}}}, TEMPLATES)) == [
        'spec.strategy.canary.steps[0].experiment.analyses[0].templates[0].templateName: Invalid value: "gone": '
        "AnalysisTemplate 'gone' not found"
    ]
