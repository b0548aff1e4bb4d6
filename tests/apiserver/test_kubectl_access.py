"""Access control as kubectl's users type it: who am I, may I, give and take."""

import json

import pytest

from tests.apiserver.test_kubectl import Kubectl, kubectl, pytestmark, space

__all__ = ["kubectl", "pytestmark", "space"]

POLICY = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: viewer}
rules:
- {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list]}
- {apiGroups: [apps], resources: [deployments], resourceNames: [web], verbs: [patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: viewer}
subjects:
- {kind: ServiceAccount, name: robot}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: testers}
"""


@pytest.fixture
def robot(kubectl: Kubectl, space: str) -> str:
    """A namespace with a ServiceAccount that may look at pods."""
    kubectl("-n", space, "create", "serviceaccount", "robot")
    said = kubectl("-n", space, "apply", "-f", "-", stdin=POLICY)
    assert said == (
        "role.rbac.authorization.k8s.io/viewer created\nrolebinding.rbac.authorization.k8s.io/viewer created\n"
    )
    return space


def test_who_am_i(kubectl, robot):
    found = json.loads(kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]
    assert found == {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}
    shown = kubectl("auth", "whoami", "--as", f"system:serviceaccount:{robot}:robot")
    assert f"system:serviceaccounts:{robot}" in shown


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (("list", "pods"), "yes"),
        (("get", "pods", "--subresource=log"), "yes"),
        (("delete", "pods"), "no"),
        (("patch", "deployments.apps/web"), "yes"),
        (("patch", "deployments.apps/other"), "no"),
        (("get", "/version"), "yes"),
        (("get", "/metrics"), "no"),
        (("list", "pods", "-A"), "no"),
    ],
)
def test_may_i(kubectl, robot, question, answer):
    asked = ("auth", "can-i", *question, "-n", robot, f"--as=system:serviceaccount:{robot}:robot")
    said = kubectl(*asked, code=int(answer == "no"))
    assert said.splitlines()[-1] == answer


def test_a_group_may_what_its_binding_says(kubectl, robot):
    asked = ("auth", "can-i", "list", "pods", "-n", robot, "--as=jane")
    assert kubectl(*asked, "--as-group=testers") == "yes\n"
    assert kubectl(*asked, "--as-group=others", "--as-group=testers") == "yes\n"
    assert kubectl(*asked, "--as-group=others", code=1) == "no\n"


def test_a_token_is_a_login(kubectl, robot):
    token = kubectl("-n", robot, "create", "token", "robot", "--duration=10m").strip()
    view = json.loads(kubectl("config", "view", "--raw", "-o", "json"))
    folder = kubectl.folder / robot
    folder.mkdir()
    view["users"] = [{"name": "drumroll", "user": {"token": token}}]
    (folder / "kubeconfig").write_text(json.dumps(view))
    as_robot = Kubectl(folder)
    assert as_robot("-n", robot, "get", "pods") == f"No resources found in {robot} namespace.\n"
    said = as_robot("-n", robot, "get", "secrets", code=1)
    assert said == (
        f'Error from server (Forbidden): secrets is forbidden: User "system:serviceaccount:{robot}:robot" cannot list '
        f'resource "secrets" in API group "" in the namespace "{robot}"\n'
    )
    kubectl("-n", robot, "delete", "serviceaccount", "robot")
    assert "You must be logged in" in as_robot("-n", robot, "get", "pods", code=1)


def test_the_words_for_give_and_take(kubectl, space):
    assert kubectl("-n", space, "create", "role", "r", "--verb=get", "--resource=pods") == (
        "role.rbac.authorization.k8s.io/r created\n"
    )
    kubectl("-n", space, "create", "rolebinding", "b", "--role=r", "--user=jane", "--serviceaccount=x:y")
    rows = [line.split() for line in kubectl("-n", space, "get", "rolebinding", "-o", "wide").splitlines()]
    assert rows[0] == ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]
    assert (rows[1][:2], rows[1][3:]) == (["b", "Role/r"], ["jane", "x/y"])
    described = kubectl("-n", space, "describe", "role", "r")
    assert "pods       []                 []              [get]" in described
    policy = POLICY.replace("{name: viewer}", f"{{name: viewer, namespace: {space}}}")
    said = kubectl("auth", "reconcile", "-f", "-", stdin=policy)
    assert "role.rbac.authorization.k8s.io/viewer reconciled" in said
    assert "reconciliation required create" in said
    again = kubectl("auth", "reconcile", "-f", "-", stdin=policy)
    assert "required" not in again
