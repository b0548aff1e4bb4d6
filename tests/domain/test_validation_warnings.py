"""What is legal and probably not meant."""

import pytest

from drumroll.domain.validation.warnings import create_warnings, update_warnings
from drumroll.objects.kinds import CONFIG_MAP, DEPLOYMENT, INGRESS, POD, SERVICE

DOTS = (
    "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: "
    "[must not contain dots]"
)
PORT = {"containerPort": 80, "protocol": "TCP"}


def named(name="x", **content):
    return {"metadata": {"name": name}, **content}


def pod(**fields):
    return named(spec={"containers": [{"name": "a", **fields}]})


@pytest.mark.parametrize(
    ("kind", "obj", "warnings"),
    [
        pytest.param(DEPLOYMENT, named("a.b"), [f"metadata.name: {DOTS}"], id="dots in a name that hosts get"),
        pytest.param(CONFIG_MAP, named("a.b"), [], id="dots in another name"),
        pytest.param(POD, pod(env=[{"name": "A"}, {"name": "B"}, {"name": "A"}]),
                     ['spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using '
                      "apply"], id="a variable twice"),
        pytest.param(DEPLOYMENT, named(spec={"template": pod(ports=[PORT, PORT])}),
                     ["spec.template.spec.containers[0].ports[1]: duplicate port definition with "
                      "spec.template.spec.containers[0].ports[0]"], id="a port twice"),
        pytest.param(POD, pod(ports=[PORT, {**PORT, "protocol": "UDP"}]), [], id="two protocols"),
        pytest.param(POD, pod(resources={"limits": {"memory": "100m"}}),
                     ['spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be '
                      "an integer"], id="a tenth of a byte"),
        pytest.param(POD, named(spec={"terminationGracePeriodSeconds": -1}),
                     ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be "
                      "treated as 1"], id="a negative grace"),
        pytest.param(POD, named(spec={"imagePullSecrets": [{}]}),
                     ['spec.imagePullSecrets[0]: invalid empty name ""'], id="a secret without name"),
        pytest.param(INGRESS, {"metadata": {"name": "x", "annotations": {"kubernetes.io/ingress.class": "a"}}},
                     ['annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' '
                      "instead"], id="the old annotation"),
        pytest.param(SERVICE, named(spec={"clusterIP": "None", "sessionAffinity": "ClientIP"}),
                     ["spec.SessionAffinity is ignored for headless services"], id="affinity without address"),
    ],
)  # fmt: skip
def test_warnings(kind, obj, warnings):
    assert create_warnings(kind, obj) == warnings


def test_a_name_is_warned_about_once():
    assert update_warnings(DEPLOYMENT, named("a.b")) == []
