"""What the original's dashboards ask for."""

import pytest

from drumroll.domain.rollout import figures


def rollout(reason="", *, strategy=None, conditions=(), **status):
    progressing = [{"type": "Progressing", "reason": reason}] if reason else []
    return {
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {"replicas": 4, "strategy": strategy or {"canary": {}}},
        "status": {"conditions": [*progressing, *conditions], **status},
    }


@pytest.mark.parametrize(
    ("one", "phase"),
    [
        (rollout(), "Progressing"),
        (rollout("ReplicaSetUpdated"), "Progressing"),
        (rollout("NewReplicaSetAvailable"), "Completed"),
        (rollout("RolloutPaused"), "Paused"),
        (rollout("ProgressDeadlineExceeded"), "Timeout"),
        (rollout("ReplicaSetCreateError"), "Error"),
        (rollout("RolloutAborted"), "Abort"),
        (rollout("NewReplicaSetAvailable", conditions=[{"type": "InvalidSpec"}]), "InvalidSpec"),
    ],
)
def test_phases(one, phase):
    assert figures.rollout_phase(one) == phase
    shown = {labels[-1]: value for labels, value in figures.rollout_phases([one])}
    assert [name for name, value in shown.items() if value] == [phase]
    assert len(shown) == 7


@pytest.mark.parametrize(
    ("strategy", "labels"),
    [
        ({"blueGreen": {}}, ("blueGreen", "")),
        ({"canary": {}}, ("canary", "")),
        ({"canary": {"trafficRouting": {"nginx": {}}}}, ("canary", "Nginx")),
        ({"canary": {"trafficRouting": {"smi": {}}}}, ("canary", "SMI")),
        (
            {"canary": {"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {}}}}},
            ("canary", "argoproj-labs/gatewayAPI"),
        ),
    ],
)
def test_strategies_and_routers(strategy, labels):
    ((shown, value),) = figures.rollout_info([rollout("RolloutPaused", strategy=strategy)])
    assert (shown, value) == (("shop", "web", *labels, "Paused"), 1.0)


def test_replicas():
    one = rollout(replicas=6, availableReplicas=5, updatedReplicas=2)
    counts = {
        name: next(iter(figures.rollout_replicas([one], name)))[1]
        for name in ("available", "unavailable", "desired", "updated")
    }
    assert counts == {"available": 5, "unavailable": 1, "desired": 4, "updated": 2}


def test_runs_and_their_metrics():
    run = {
        "metadata": {"namespace": "shop", "name": "run"},
        "spec": {
            "metrics": [
                {"name": "errors", "provider": {"prometheus": {}}},
                {"name": "odd", "provider": {"plugin": {"some/plugin": {}}}},
            ]
        },
        "status": {"phase": "Running", "metricResults": [{"name": "errors", "phase": "Failed", "dryRun": True}]},
    }
    assert list(figures.phases_of_runs([run])) == [(("shop", "run", "Running"), 1.0)]
    assert [labels[-1] for labels, value in figures.each_phase_of_runs([run]) if value] == ["Running"]
    assert [labels[2:] for labels, _ in figures.metrics_of_runs([run])] == [
        ("errors", "Prometheus"),
        ("odd", "some/plugin"),
    ]
    assert [labels[2:] for labels, value in figures.phases_of_metrics([run]) if value] == [
        ("errors", "Prometheus", "true", "Failed"),
        ("odd", "some/plugin", "false", "Pending"),
    ]
    assert [labels for labels, _ in figures.metrics_of_templates([run])] == [
        ("shop", "run", "Prometheus", "errors"),
        ("shop", "run", "some/plugin", "odd"),
    ]
