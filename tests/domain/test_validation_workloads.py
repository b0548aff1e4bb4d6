"""Rules for Deployments, ReplicaSets, autoscalers and budgets: one broken rule per row."""

import copy

import pytest

from drumroll.domain.strategy import prepare_status
from drumroll.domain.validation import validate_status, validate_update
from drumroll.objects.kinds import DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, POD, POD_DISRUPTION_BUDGET, REPLICA_SET
from tests.domain.validation import META, made, pod_spec, refused

WORKLOAD = {
    "selector": {"matchLabels": {"app": "web"}},
    "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod_spec()},
}
PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)
ROLLING = "spec.strategy.rollingUpdate"
MISMATCH = "`selector` does not match template `labels`"


def template(**changes):
    spec = copy.deepcopy(WORKLOAD["template"])
    spec["spec"] |= changes.pop("spec", {})
    return {"template": {**spec, **changes}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                     id="replicas"),
        pytest.param({"minReadySeconds": -1}, "spec.minReadySeconds: Invalid value: -1", id="min ready"),
        pytest.param({"revisionHistoryLimit": -2}, "spec.revisionHistoryLimit: Invalid value: -2", id="history"),
        pytest.param({"progressDeadlineSeconds": 10, "minReadySeconds": 10},
                     "spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds",
                     id="the deadline is later than ready"),
        pytest.param({"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment",
                     id="an empty selector"),
        pytest.param({"selector": {"matchLabels": {"app": "other"}}},
                     f'spec.template.metadata.labels: Invalid value: {{"app":"web"}}: {MISMATCH}',
                     id="the selector selects the template"),
        pytest.param({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
                     f"{ROLLING}.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0", id="no room"),
        pytest.param({"strategy": {"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "0%"}}},
                     f'{ROLLING}.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
                     id="no room in percent"),
        pytest.param({"strategy": {"rollingUpdate": {"maxSurge": "10"}}},
                     f'{ROLLING}.maxSurge: Invalid value: "10": {PERCENT}', id="a percent sign"),
        pytest.param({"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
                     f'{ROLLING}.maxUnavailable: Invalid value: "101%": must not be greater than 100%', id="all"),
        pytest.param({"strategy": {"rollingUpdate": {"maxSurge": -1}}},
                     f"{ROLLING}.maxSurge: Invalid value: -1: must be greater than or equal to 0", id="surge"),
        pytest.param({"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
                     f"{ROLLING}: Forbidden: may not be specified when strategy `type` is 'Recreate'", id="recreate"),
        pytest.param({"strategy": {"type": "Canary"}},
                     'spec.strategy: Unsupported value: {"Type":"Canary","RollingUpdate":null}: supported values: '
                     '"Recreate", "RollingUpdate"', id="strategies are known"),
        pytest.param(template(spec={"restartPolicy": "Never"}),
                     'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
                     id="pods restart"),
        pytest.param(template(spec={"activeDeadlineSeconds": 5}),
                     "spec.template.spec.activeDeadlineSeconds: Forbidden", id="pods have no deadline"),
        pytest.param(template(spec={"containers": []}), "spec.template.spec.containers: Required value",
                     id="the template is checked"),
        pytest.param(template(metadata={"labels": {"app": "web", "bad key!": "x"}}),
                     'spec.template.labels: Invalid value: "bad key!": name part must consist', id="labels"),
    ],
)  # fmt: skip
def test_deployments(change, expected):
    found = refused(DEPLOYMENT, {**WORKLOAD, **change})
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in (DEPLOYMENT, REPLICA_SET)])
def test_an_empty_workload_lacks_three_things(kind):
    assert refused(kind, {}) == [
        "spec.selector: Required value",
        f"spec.template.metadata.labels: Invalid value: null: {MISMATCH}",
        "spec.template.spec.containers: Required value",
    ]


def test_a_bad_operator_is_two_causes_and_ends_the_search():
    wish = {"key": "app", "operator": "Bad", "values": ["x"]}
    assert refused(DEPLOYMENT, {**WORKLOAD, "selector": {"matchExpressions": [wish]}}) == [
        'spec.selector.matchExpressions[0].operator: Invalid value: "Bad": not a valid selector operator',
        'spec.selector: Invalid value: {"matchExpressions":[{"key":"app","operator":"Bad","values":["x"]}]}: '
        "invalid label selector",
    ]


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in (DEPLOYMENT, REPLICA_SET)])
def test_selectors_never_change(kind):
    old, new = made(kind, WORKLOAD), made(kind, {**WORKLOAD, "selector": {"matchLabels": {"app": "x"}}})
    assert [str(error) for error in validate_update(kind, new, old)] == [
        f'spec.template.metadata.labels: Invalid value: {{"app":"web"}}: {MISMATCH}',
        'spec.selector: Invalid value: {"matchLabels":{"app":"x"}}: field is immutable',
    ]


def test_a_scaled_deployment_is_valid():
    old, new = made(DEPLOYMENT, WORKLOAD), made(DEPLOYMENT, {**WORKLOAD, "replicas": 3})
    assert validate_update(DEPLOYMENT, new, old) == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({"replicas": 2, "readyReplicas": 2, "collisionCount": 3}, [], id="a usual status"),
        pytest.param({"unavailableReplicas": -1, "collisionCount": 3},
                     ["status.unavailableReplicas: Invalid value: -1: must be greater than or equal to 0"],
                     id="no debts"),
        pytest.param({"replicas": 1, "readyReplicas": 2, "collisionCount": 3},
                     ["status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"],
                     id="more ready than there are"),
        pytest.param({"replicas": 1, "availableReplicas": 1, "collisionCount": 3},
                     ["status.availableReplicas: Invalid value: 1: cannot be greater than readyReplicas"],
                     id="more available than ready"),
        pytest.param({"collisionCount": 2}, ["status.collisionCount: Invalid value: 2: cannot be decremented"],
                     id="collisions are remembered"),
    ],
)  # fmt: skip
def test_observed_numbers(status, expected):
    old = {**made(DEPLOYMENT, WORKLOAD), "status": {"collisionCount": 3}}
    found = [str(error) for error in validate_status(DEPLOYMENT, {**old, "status": status}, old)]
    assert len(found) == len(expected)
    assert all(text in line for text, line in zip(expected, found, strict=True))


def test_a_status_for_another_object_of_the_same_name_is_refused():
    old = made(POD, pod_spec())
    old["metadata"]["uid"] = "old"
    new = {"metadata": {**META, "uid": "gone"}, "spec": {}, "status": {"phase": "Running"}}
    prepare_status(POD, new, old)
    found = {str(error) for error in validate_status(POD, new, old)}
    assert found == {'metadata.uid: Invalid value: "gone": field is immutable'}


TARGET = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"maxReplicas": 0, "minReplicas": None}, "spec.maxReplicas: Invalid value: 0", id="at least one"),
        pytest.param({"minReplicas": 0}, "must be greater than or equal to 1", id="not down to zero"),
        pytest.param({"minReplicas": 5}, "must be greater than or equal to `minReplicas`", id="bounds in order"),
        pytest.param({"scaleTargetRef": {"kind": "D"}}, "spec.scaleTargetRef.name: Required value", id="a target"),
        pytest.param({"metrics": [{"type": "Resource"}]}, "must populate information for the given", id="a metric"),
        pytest.param({"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {
            "type": "Utilization", "averageUtilization": 0}}}]},
            "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0", id="a positive aim"),
        pytest.param({"metrics": [{"type": "Odd"}]}, "spec.metrics[0].type: Unsupported value", id="metrics are known"),
        pytest.param({"metrics": [{"type": "Pods", "pods": {}}]}, "must specify a metric target type", id="an aim"),
        pytest.param({"behavior": {"scaleUp": {"policies": [{"type": "Odd", "value": 1, "periodSeconds": 1}]}}},
                     'supported values: "Percent", "Pods"', id="policies are known"),
        pytest.param({"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 1}]}}},
                     "must be greater than zero", id="a policy does something"),
        pytest.param({"behavior": {"scaleUp": {"selectPolicy": "Odd"}}}, "selectPolicy: Unsupported value",
                     id="choices are known"),
        pytest.param({"behavior": {"scaleDown": {"stabilizationWindowSeconds": 3601}}},
                     "must be less than or equal to 3600", id="at most an hour"),
    ],
)  # fmt: skip
def test_autoscalers(change, expected):
    assert refused(HORIZONTAL_POD_AUTOSCALER, TARGET) == []
    assert any(expected in line for line in refused(HORIZONTAL_POD_AUTOSCALER, {**TARGET, **change}))


def test_a_budget_has_one_bound():
    assert refused(POD_DISRUPTION_BUDGET, {"minAvailable": 1, "maxUnavailable": 1}) == [
        'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: '
        "minAvailable and maxUnavailable cannot be both set"
    ]
