"""Rollouts with all that belongs to them, as a controller would leave them."""

from datetime import UTC, datetime, timedelta

from drumroll.cli.rollout.view import World
from drumroll.objects.meta import timestamp

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "10m"}}]


def ago(seconds: float) -> str:
    return timestamp(NOW - timedelta(seconds=seconds))


def meta(name: str, age: float, owner: dict | None = None, **more) -> dict:
    found = {"name": name, "namespace": "default", "uid": f"uid-{name}", "creationTimestamp": ago(age), **more}
    if owner is not None:
        found["ownerReferences"] = [{"uid": owner["metadata"]["uid"], "controller": True}]
    return found


def rollout(strategy: dict, status: dict, replicas: int = 5, **spec) -> dict:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": meta("web", 239, generation=2),
        "spec": {"replicas": replicas, "strategy": strategy, "template": {"spec": {"containers": []}}, **spec},
        "status": {"observedGeneration": "2", **status},
    }


def replica_set(owner: dict, digest: str, revision: int, replicas: int, image: str, age: float, **annotations) -> dict:
    label = "rollouts-pod-template-hash" if owner["kind"] != "Deployment" else "pod-template-hash"
    domain = "rollout.argoproj.io" if owner["kind"] != "Deployment" else "deployment.kubernetes.io"
    found = {
        f"{domain}/revision": str(revision),
        **{name.replace("_", "-"): text for name, text in annotations.items()},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": meta(
            f"{owner['metadata']['name']}-{digest}", age, owner, labels={label: digest}, annotations=found
        ),
        "spec": {
            "replicas": replicas,
            "template": {
                "metadata": {"labels": {"app": "web", label: digest}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
        "status": {"availableReplicas": replicas},
    }


def pods(replica_set: dict, *states: str, age: float = 15, restarts: int = 0) -> list[dict]:
    return [_pod(replica_set, index, state, age, restarts) for index, state in enumerate(states)]


def _pod(replica_set: dict, index: int, state: str, age: float, restarts: int) -> dict:
    is_running = state == "Running"
    container: dict = {"ready": is_running, "restartCount": restarts}
    container["state"] = {"running": {}} if is_running else {"waiting": {"reason": state}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta(f"{replica_set['metadata']['name']}-{index}", age, replica_set),
        "spec": {"containers": [{"name": "web"}]},
        "status": {"phase": "Running" if is_running else "Pending", "containerStatuses": [container]},
    }


def run(owner: dict, name: str, phase: str, revision: int, age: float = 9, **counts: int) -> dict:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": meta(name, age, owner, annotations={"rollout.argoproj.io/revision": str(revision)}),
        "spec": {},
        "status": {"phase": phase, "metricResults": [{"name": "rate", **counts}]},
    }


def experiment(owner: dict, name: str, phase: str, revision: int) -> dict:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Experiment",
        "metadata": meta(name, 12, owner, annotations={"rollout.argoproj.io/revision": str(revision)}),
        "spec": {
            "duration": "5m",
            "templates": [
                {"name": "baseline", "template": {"spec": {"containers": [{"name": "web", "image": "shop:1"}]}}}
            ],
        },
        "status": {"phase": phase},
    }


def paused_canary() -> World:
    """One of five pods is new, and the update waits for somebody."""
    owner = rollout(
        {"canary": {"steps": STEPS}},
        {
            "phase": "Paused",
            "message": "CanaryPauseStep",
            "controllerPause": True,
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": ago(14)}],
            "currentPodHash": "687d76d795",
            "stableRS": "6cf78c66c5",
            "currentStepIndex": 1,
            "replicas": 5,
            "updatedReplicas": 1,
            "readyReplicas": 5,
            "availableReplicas": 5,
        },
    )
    new = replica_set(owner, "687d76d795", 2, 1, "shop:2", 15)
    old = replica_set(owner, "6cf78c66c5", 1, 4, "shop:1", 239)
    found = [*pods(new, "Running"), *pods(old, *["Running"] * 4, age=239)]
    return World(owner, [new, old], found, [run(owner, "web-687d76d795-2-1", "Running", 2, successful=3, failed=1)])


def aborted_canary() -> World:
    """The new version crashes; its pod stays a while for whoever wants to look."""
    message = "RolloutAborted: Rollout aborted update to revision 2"
    routing = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}}}
    owner = rollout(
        {"canary": {"steps": STEPS, "trafficRouting": routing}},
        {
            "abort": True,
            "phase": "Degraded",
            "message": message,
            "currentPodHash": "bad",
            "stableRS": "good",
            "currentStepIndex": 0,
            "replicas": 6,
            "updatedReplicas": 1,
            "readyReplicas": 5,
            "availableReplicas": 5,
            "canary": {"weights": {"canary": {"weight": 0}, "stable": {"weight": 100}, "verified": False}},
        },
    )
    new = replica_set(owner, "bad", 2, 1, "shop:bad", 15, scale_down_deadline=timestamp(NOW + timedelta(seconds=27)))
    old = replica_set(owner, "good", 1, 5, "shop:1", 239)
    found = [*pods(new, "CrashLoopBackOff", restarts=3), *pods(old, *["Running"] * 2, age=239)]
    return World(owner, [new, old], found, [run(owner, "web-bad-2", "Failed", 2, failed=2, error=1)])


def blue_green() -> World:
    """The preview runs beside the active version."""
    owner = rollout(
        {"blueGreen": {"activeService": "active", "previewService": "preview"}},
        {
            "phase": "Paused",
            "message": "BlueGreenPause",
            "pauseConditions": [{"reason": "BlueGreenPause", "startTime": ago(5)}],
            "controllerPause": True,
            "currentPodHash": "new",
            "stableRS": "old",
            "blueGreen": {"activeSelector": "old", "previewSelector": "new"},
            "replicas": 4,
            "updatedReplicas": 2,
            "readyReplicas": 2,
            "availableReplicas": 2,
        },
        replicas=2,
    )
    new = replica_set(owner, "new", 3, 2, "shop:3", 20)
    old = replica_set(owner, "old", 2, 2, "shop:2", 90)
    gone = replica_set(owner, "gone", 1, 0, "shop:1", 7200)
    found = [*pods(new, "Running", "ContainerCreating"), *pods(old, "Running", "Running", age=90)]
    return World(owner, [new, old, gone], found)


def with_experiment() -> World:
    """A canary that compares two versions first."""
    owner = rollout(
        {"canary": {"steps": [{"experiment": {}}]}},
        {"phase": "Progressing", "message": "more replicas need to be updated", "currentPodHash": "b", "stableRS": "a"},
        replicas=1,
    )
    old = replica_set(owner, "a", 1, 1, "shop:1", 60)
    one = experiment(owner, "web-b-2-0", "Running", 2)
    baseline = replica_set(one, "baseline", 0, 1, "shop:1", 10)
    verdict = run(one, "web-b-2-0-compare", "Inconclusive", 2, successful=1, inconclusive=2)
    return World(owner, [old, baseline], [*pods(old, "Running"), *pods(baseline, "Running")], [verdict], [one])


def deployment() -> World:
    """A Deployment in the middle of a rolling update."""
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta("web", 300, generation=3),
        "spec": {"replicas": 3, "strategy": {"type": "RollingUpdate"}},
        "status": {
            "observedGeneration": 3,
            "replicas": 4,
            "updatedReplicas": 1,
            "readyReplicas": 3,
            "availableReplicas": 3,
        },
    }
    new = replica_set(owner, "5c9", 2, 1, "shop:2", 4)
    new["status"]["availableReplicas"] = 0
    old = replica_set(owner, "7b4", 1, 3, "shop:1", 300)
    return World(owner, [new, old], [*pods(new, "ContainerCreating"), *pods(old, *["Running"] * 3)])


def abtest() -> World:
    """A test after forty looks."""
    return World(
        {
            "apiVersion": "drumroll.dev/v1alpha1",
            "kind": "ABTest",
            "metadata": meta("button", 1200),
            "spec": {
                "routeRef": {"name": "web"},
                "control": {"service": "web-a"},
                "treatment": {"service": "web-b"},
                "percent": 50,
                "goal": {"name": "orders", "minimumEffect": 0.01, "provider": {}},
            },
            "status": {
                "phase": "Running",
                "message": "no decision yet",
                "looks": 40,
                "control": {"count": 1203, "mean": 0.0412},
                "treatment": {"count": 1187, "mean": 0.0531},
                "effect": 0.0119,
                "interval": {"low": -0.0021, "high": 0.0259},
                "pValue": 0.0964,
            },
        }
    )


def comparison() -> World:
    """A shadow that answers differently now and then."""
    return World(
        {
            "apiVersion": "drumroll.dev/v1alpha1",
            "kind": "Comparison",
            "metadata": meta("shadow", 600),
            "spec": {"routeRef": {"name": "web"}, "primary": {"service": "web-a"}, "shadow": {"service": "web-b"}},
            "status": {
                "phase": "Running",
                "message": "2 of 90 answers differ",
                "compared": 90,
                "differing": 2,
                "unanswered": 1,
                "byAspect": {"status": 0, "header": 0, "body": 2},
                "places": [{"where": "body items[0].price", "count": 2}],
                "latencyMilliseconds": {"primary": {"p50": 3, "p99": 11}, "shadow": {"p50": 4, "p99": 19}},
                "examples": [
                    {
                        "request": "GET /cart",
                        "differences": [{"where": "body items[0].price", "primary": "3.5", "shadow": "35"}],
                    }
                ],
            },
        }
    )
