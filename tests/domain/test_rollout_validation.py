"""What a Rollout may not ask for: each fault is found and told with its field, and what is right passes."""

from copy import deepcopy

import pytest

from drumroll.domain.rollout.validation import faults_of
from tests.domain.rollouts import rollout

PLUGIN = "argoproj-labs/gatewayAPI"
ROUTED = {
    "canaryService": "canary",
    "stableService": "stable",
    "trafficRouting": {"plugins": {PLUGIN: {"httpRoute": "web"}}, "managedRoutes": [{"name": "beta"}]},
}


def canary(*steps, **fields):
    return {"canary": {"steps": list(steps), **fields}}


def routed(*steps, **fields):
    return canary(*steps, **{**deepcopy(ROUTED), **fields})


def routing(**fields):
    return routed(trafficRouting=fields)


def blue_green(**fields):
    return {"blueGreen": {"activeService": "active", **fields}}


HEADER = {"setHeaderRoute": {"name": "beta", "match": [{"headerName": "x", "headerValue": {"exact": "1"}}]}}
MIRROR = {"setMirrorRoute": {"name": "beta", "percentage": 5, "match": [{"path": {"prefix": "/"}}]}}
EXPERIMENT = {"experiment": {"templates": [{"name": "a", "specRef": "canary"}]}}


@pytest.mark.parametrize(
    "strategy",
    [
        canary(),
        canary({"setWeight": 20}, {"pause": {}}, {"pause": {"duration": 10}}, {"pause": {"duration": "1h"}}),
        canary({"analysis": {"templates": [{"templateName": "x"}]}}, EXPERIMENT),
        canary(maxSurge=1, maxUnavailable=0),
        canary(maxSurge="10%", maxUnavailable="0%"),
        canary(analysis={"templates": [{"templateName": "x"}], "startingStep": 0}),
        canary(antiAffinity={"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 1}}),
        canary(antiAffinity={"requiredDuringSchedulingIgnoredDuringExecution": {}}),
        canary(canaryMetadata={"labels": {"role": "canary"}}, stableMetadata={"annotations": {"a": "b"}}),
        routed({"setCanaryScale": {"replicas": 3}}, {"setCanaryScale": {"matchTrafficWeight": True}}, HEADER, MIRROR),
        routed(dynamicStableScale=True, minPodsPerReplicaSet=2),
        routed(scaleDownDelaySeconds=5),
        routing(nginx={"stableIngress": "main"}, maxTrafficWeight=1000),
        routing(smi={}),
        blue_green(),
        blue_green(previewService="preview", previewReplicaCount=1, prePromotionAnalysis={"templates": [{}]}),
    ],
)
def test_what_is_right_passes(strategy):
    assert faults_of(rollout(strategy)) == ()


C, B, T = "spec.strategy.canary", "spec.strategy.blueGreen", "spec.strategy.canary.trafficRouting"


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ({}, "spec.strategy.strategy: Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"),
        ({"canary": {}, "blueGreen": {"activeService": "a"}}, "spec.strategy: Multiple Strategies can not be listed"),
        ({"blueGreen": {}}, f"{B}.activeService: Rollout has missing field"),
        (blue_green(previewService="active"), f"{B}.activeService: This rollout uses the same service"),
        (blue_green(previewReplicaCount=-1), f"{B}.previewReplicaCount: Invalid value: -1"),
        (blue_green(prePromotionAnalysis={}), f"{B}.prePromotionAnalysis.templates: name at least one"),
        (blue_green(antiAffinity={}), f"{B}.antiAffinity: must have exactly one of"),
        (blue_green(previewMetadata={"finalizers": {}}), f"{B}.previewMetadata.finalizers: only labels"),
        (blue_green(activeMetadata={"labels": {"a": 1}}), f"{B}.activeMetadata.labels: values must be text"),
        (blue_green(scaleDownDelayRevisionLimit=11), "spec.revisionHistoryLimit: must be at least"),
        (canary(canaryService="a", stableService="a"), f"{C}.stableService: This rollout uses the same service"),
        (canary(scaleDownDelaySeconds=5), f"{C}.scaleDownDelaySeconds: Canary scaleDownDelaySeconds can only be used"),
        (canary(dynamicStableScale=True), f"{C}.dynamicStableScale: Canary dynamicStableScale can only be used"),
        (canary(minPodsPerReplicaSet=2), f"{C}.minPodsPerReplicaSet: Canary minPodsPerReplicaSet can only be used"),
        (canary(maxSurge=0, maxUnavailable=0), f"{C}.maxSurge: MaxSurge and MaxUnavailable both can not be zero"),
        (canary(maxSurge="0%", maxUnavailable=0), f"{C}.maxSurge: MaxSurge and MaxUnavailable both can not be zero"),
        (canary(maxSurge="many"), f"{C}.maxSurge: 'many' is neither a number nor a percentage"),
        (canary(maxUnavailable="101%"), f"{C}.maxUnavailable: 101% is more than 100%"),
        (canary(analysis={}), f"{C}.analysis.templates: name at least one"),
        (canary(analysis={"templates": [{}], "startingStep": 1}), f"{C}.analysis.startingStep: 1 is no step"),
        (canary(pingPong={"pingService": "a"}), f"{C}.pingPong.pongService: Ping service and Pong service must"),
        (canary(pingPong={"pingService": "a", "pongService": "a"}), f"{C}.pingPong.pingService: This rollout uses the"),
        (
            canary(pingPong={"pingService": "a", "pongService": "b"}, trafficRouting={"smi": {}}),
            f"{C}.pingPong: Ping-pong feature does not work with nginx and smi",
        ),
        (canary(abortScaleDownDelaySeconds=-1), f"{C}.abortScaleDownDelaySeconds: Invalid value: -1"),
        (blue_green(autoPromotionSeconds=-5), f"{B}.autoPromotionSeconds: Invalid value: -5"),
        (blue_green(previewMetadata={"labels": {"app": "x"}}), f"{B}.previewMetadata.labels.app: the Rollout finds"),
        (canary(stableMetadata={"labels": {"rollouts-pod-template-hash": "x"}}), f"{C}.stableMetadata.labels.rollouts"),
        (
            canary(antiAffinity={"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 101}}),
            f"{C}.antiAffinity.preferredDuringSchedulingIgnoredDuringExecution.weight: must be in the range 1-100",
        ),
        (routed(dynamicStableScale=True, scaleDownDelaySeconds=5), f"{C}.dynamicStableScale: "),
        (canary(trafficRouting={"smi": {}}), f"{C}.canaryService: Traffic routing needs"),
        (routing(), f"{T}: no router is named"),
        (routing(istio={"virtualService": {"name": "x"}}), f"{T}.istio: traffic routing by istio is not"),
        (routing(plugins={"other/thing": {}}), f"{T}.plugins.other/thing: no such plugin here; use"),
        (routing(plugins={PLUGIN: {}}), f"{T}.plugins.{PLUGIN}: name a route"),
        (routing(plugins={PLUGIN: "web"}), f"{T}.plugins.{PLUGIN}: it is an object such as"),
        (routing(plugins={PLUGIN: {"httpRoute": ["web"]}}), f"{T}.plugins.{PLUGIN}: httpRoute is the name of a route"),
        (routing(plugins={PLUGIN: {"httpRoutes": ["web"]}}), f"{T}.plugins.{PLUGIN}: httpRoutes is a list such as"),
        (routing(plugins={PLUGIN: {"httpRoute": "a", "namespace": 1}}), f"{T}.plugins.{PLUGIN}: namespace is a name"),
        (routing(plugins={PLUGIN: {"httpRouteSelector": "a"}}), f"{T}.plugins.{PLUGIN}: a selector is an object"),
        (routing(plugins={PLUGIN: {"tcpRoute": "x"}}), f"{T}.plugins.{PLUGIN}.tcpRoute: TCP and TLS routes"),
        (routing(nginx={}), f"{T}.nginx.stableIngress: name the Ingress"),
        (routing(nginx={"stableIngress": "a", "stableIngresses": ["b"]}), f"{T}.nginx: choose one of"),
        (routing(smi={}, maxTrafficWeight=200), f"{T}.maxTrafficWeight: can only be used with nginx and plugins"),
        (routing(nginx={"stableIngress": "a"}, maxTrafficWeight=0), f"{T}.maxTrafficWeight: Invalid value: 0"),
        (
            routed(trafficRouting={**ROUTED["trafficRouting"], "managedRoutes": [{"name": "a"}, {"name": "a"}]}),
            f"{T}.managedRoutes: a name is there twice",
        ),
        (canary({}), f"{C}.steps[0]: Step must have one of the following set: setWeight, pause"),
        (canary({"setWeight": 1, "pause": {}}), f"{C}.steps[0]: Step may have one of setWeight, pause only"),
        (canary({"pause": {}}, {"setWeight": 101}), f"{C}.steps[1].setWeight: 101 must be between 0 and 100"),
        (canary({"setWeight": -1}), f"{C}.steps[0].setWeight: -1 must be between 0 and 100"),
        (canary({"pause": {"duration": -1}}), f"{C}.steps[0].pause.duration: "),
        (canary({"pause": {"duration": "soon"}}), f"{C}.steps[0].pause.duration: "),
        (canary({"setCanaryScale": {"replicas": 1}}), f"{C}.steps[0].setCanaryScale: SetCanaryScale requires"),
        (routed({"setCanaryScale": {}}), f"{C}.steps[0].setCanaryScale: choose one of"),
        (routed({"setCanaryScale": {"weight": 1, "replicas": 1}}), f"{C}.steps[0].setCanaryScale: choose one of"),
        (routed({"setCanaryScale": {"weight": 101}}), f"{C}.steps[0].setCanaryScale.weight: 101 must be between"),
        (routed({"setCanaryScale": {"replicas": -1}}), f"{C}.steps[0].setCanaryScale.replicas: -1 must be greater"),
        (canary({"analysis": {}}), f"{C}.steps[0].analysis.templates: name at least one"),
        (canary({"experiment": {}}), f"{C}.steps[0].experiment.templates: an experiment needs"),
        (canary({"experiment": {"templates": [{"name": "a"}]}}), f"{C}.steps[0].experiment.templates[0].specRef: must"),
        (
            canary({"experiment": {"templates": [{"name": "a", "specRef": "canary", "weight": 5}]}}),
            f"{C}.steps[0].experiment.templates[0].weight: Experiment template weight is only available",
        ),
        (
            routed({"experiment": {"templates": [{"name": n, "specRef": "canary", "weight": 60} for n in "ab"]}}),
            f"{C}.steps[0].experiment.templates: the weights sum up to 120, more than 100",
        ),
        (canary(HEADER), f"{C}.steps[0].setHeaderRoute: requires TrafficRouting"),
        (routed({"setHeaderRoute": {"name": "other"}}), f"{C}.steps[0].setHeaderRoute.name: 'other' is not in"),
        (routed({"setHeaderRoute": {}}), f"{C}.steps[0].setHeaderRoute.name: name a route of"),
        (
            routed({"setHeaderRoute": {"name": "beta", "match": [{"headerName": "x", "headerValue": {}}]}}),
            f"{C}.steps[0].setHeaderRoute.match[0].headerValue: choose one of",
        ),
        (
            routed({"setMirrorRoute": {"name": "beta", "percentage": 101}}),
            f"{C}.steps[0].setMirrorRoute.percentage: 101 must be between",
        ),
        (
            routed({"setMirrorRoute": {"name": "beta", "match": [{}]}}),
            f"{C}.steps[0].setMirrorRoute.match[0]: give a method, a path or headers",
        ),
        (
            routed({"setMirrorRoute": {"name": "beta", "match": [{"path": {"exact": "/", "prefix": "/"}}]}}),
            f"{C}.steps[0].setMirrorRoute.match[0].path: choose one of",
        ),
        (canary({"plugin": {"name": "x"}}), f"{C}.steps[0].plugin: step plugins are programs of the original"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_field(strategy, told):
    found = faults_of(rollout(strategy))
    assert [fault for fault in found if fault.startswith(told)], found


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"selector": None}, "spec.selector: Rollout has missing field '.spec.selector'"),
        ({"selector": {}}, "spec.selector: Rollout has missing field"),
        ({"selector": {"matchLabels": {"app": "other"}}}, "spec.template.metadata.labels: `selector` does not match"),
        ({"template": {"metadata": {"labels": {"app": "web"}}}}, "spec.template.spec.containers: Rollout has missing"),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1"),
        ({"minReadySeconds": 600}, "spec.progressDeadlineSeconds: must be greater than minReadySeconds"),
        ({"progressDeadlineSeconds": 5, "minReadySeconds": 5}, "spec.progressDeadlineSeconds: must be greater"),
        ({"workloadRef": {"kind": "Deployment", "name": "x"}}, "spec.template: template must be empty"),
        (
            {"workloadRef": {"kind": "Deployment", "name": "x"}, "template": {"metadata": {"labels": {"app": "web"}}}},
            "spec.template: template must be empty",
        ),
        ({"workloadRef": {"kind": "CronJob", "name": "x"}}, "spec.workloadRef.kind: 'CronJob' cannot be followed"),
        ({"workloadRef": {"kind": "Deployment", "scaleDown": "x"}}, "spec.workloadRef.scaleDown: 'x' is none of"),
    ],
)
def test_pods_and_numbers(spec, told):
    found = faults_of(rollout(**spec))
    assert [fault for fault in found if fault.startswith(told)], found


def test_all_faults_are_told_at_once():
    assert len(faults_of(rollout(canary({"setWeight": 101}, {}), replicas=-1))) == 3
