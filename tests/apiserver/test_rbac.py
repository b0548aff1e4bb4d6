"""RBAC as users meet it: what roles allow, what is refused and how, and that nobody gives away more than they have."""

import pytest

from drumroll.objects.wire import ANONYMOUS, Request, User
from tests.apiserver.server import CONFIG_MAPS, DEPLOYMENTS, PODS, config_map, pod

pytestmark = pytest.mark.asyncio

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLES, BINDINGS = f"{RBAC}/namespaces/default/roles", f"{RBAC}/namespaces/default/rolebindings"
CLUSTER_ROLES, CLUSTER_BINDINGS = f"{RBAC}/clusterroles", f"{RBAC}/clusterrolebindings"
SECRETS = "/api/v1/namespaces/default/secrets"
JANE = User("jane", ("developers", "system:authenticated"))
ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def rule(verbs, resources, groups=("",), **more):
    return {"verbs": list(verbs), "apiGroups": list(groups), "resources": list(resources), **more}


async def grant(server, *rules, name="r", to="jane", kind="User"):
    await server.made("POST", ROLES, {"metadata": {"name": name}, "rules": list(rules)})
    await bind(server, BINDINGS, name, "Role", kind, to)


async def bind(server, path, role, kind="ClusterRole", subject="User", to="jane", **more):
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    body = {"metadata": {"name": role}, "roleRef": reference, "subjects": [{"kind": subject, "name": to, **more}]}
    return await server.call("POST", path, body)


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        pytest.param(
            "GET",
            DEPLOYMENTS,
            'deployments.apps is forbidden: User "jane" cannot list resource "deployments" in API group "apps" in the '
            'namespace "default"',
            id="list",
        ),
        pytest.param(
            "GET",
            "/api/v1/nodes/n",
            'nodes "n" is forbidden: User "jane" cannot get resource "nodes" in API group "" at the cluster scope',
            id="a cluster-wide object",
        ),
        pytest.param(
            "GET",
            "/api/v1/namespaces/other",
            'namespaces "other" is forbidden: User "jane" cannot get resource "namespaces" in API group "" in the '
            'namespace "other"',
            id="a namespace lies within itself",
        ),
        pytest.param(
            "GET",
            f"{PODS}/p/log",
            'pods "p" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in the namespace '
            '"default"',
            id="a subresource",
        ),
        pytest.param("GET", "/metrics", 'forbidden: User "jane" cannot get path "/metrics"', id="a path"),
        pytest.param("POST", "/healthz2", 'forbidden: User "jane" cannot post path "/healthz2"', id="another verb"),
    ],
)
async def test_the_original_words_of_a_refusal(server, method, path, message):
    assert await server.refused(403, method, path, user=JANE) == message


@pytest.mark.parametrize("path", ["/version", "/healthz", "/livez/ping", "/readyz"])
async def test_anybody_may_ask_how_the_server_is(server, path):
    assert (await server.call("GET", path, user=ANONYMOUS))[0] == 200


@pytest.mark.parametrize("path", ["/api", "/apis", "/apis/apps/v1", "/openapi/v2", "/openapi/v3"])
async def test_discovery_is_for_those_who_say_who_they_are(server, path):
    assert (await server.call("GET", path, user=JANE))[0] == 200
    assert (await server.call("GET", path, user=ANONYMOUS))[0] == 403


async def test_a_role_allows_what_it_says_and_nothing_else(server):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    await grant(server, rule(["get", "list", "watch"], ["configmaps"]))
    assert (await server.call("GET", CONFIG_MAPS, user=JANE))[0] == 200
    assert (await server.call("GET", f"{CONFIG_MAPS}/a", user=JANE))[0] == 200
    for method, path in [
        ("POST", CONFIG_MAPS),
        ("PATCH", f"{CONFIG_MAPS}/a"),
        ("PUT", f"{CONFIG_MAPS}/a"),
        ("DELETE", f"{CONFIG_MAPS}/a"),
        ("DELETE", CONFIG_MAPS),
        ("GET", "/api/v1/configmaps"),
        ("GET", "/api/v1/namespaces/kube-system/configmaps"),
        ("GET", SECRETS),
        ("GET", f"{SECRETS}?watch=true"),
        ("GET", "/api/v1/secrets"),
        ("GET", f"{SECRETS}/a"),
    ]:
        assert (await server.call(method, path, config_map("a"), user=JANE))[0] == 403, (method, path)


async def test_a_grant_counts_at_once_and_ends_at_once(server):
    assert (await server.call("GET", PODS, user=JANE))[0] == 403
    await grant(server, rule(["list"], ["pods"]))
    assert (await server.call("GET", PODS, user=JANE))[0] == 200
    await server.made("DELETE", f"{BINDINGS}/r")
    assert (await server.call("GET", PODS, user=JANE))[0] == 403


async def test_a_group_a_cluster_role_and_names_of_objects(server):
    for name in ("mine", "theirs"):
        await server.made("POST", SECRETS, {"metadata": {"name": name}, "stringData": {"k": name}})
    only = rule(["get", "list", "watch"], ["secrets"], resourceNames=["mine"])
    await server.made("POST", CLUSTER_ROLES, {"metadata": {"name": "one"}, "rules": [only]})
    assert (await bind(server, BINDINGS, "one", to="developers", subject="Group"))[0] == 201
    assert (await server.call("GET", f"{SECRETS}/mine", user=JANE))[0] == 200
    assert (await server.call("GET", f"{SECRETS}/theirs", user=JANE))[0] == 403
    assert (await server.call("GET", SECRETS, user=JANE))[0] == 403
    status, listed = await server.call("GET", f"{SECRETS}?fieldSelector=metadata.name=mine", user=JANE)
    assert (status, [one["metadata"]["name"] for one in listed["items"]]) == (200, ["mine"])


async def test_two_names_in_a_selector_open_nothing_more(server):
    for name in ("mine", "theirs"):
        await server.made("POST", SECRETS, {"metadata": {"name": name}, "stringData": {"k": name}})
    await grant(server, rule(["list"], ["secrets"], resourceNames=["mine"]))
    selector = "fieldSelector=metadata.name=mine,metadata.name=theirs"
    status, listed = await server.call("GET", f"{SECRETS}?{selector}", user=JANE)
    assert status == 403 or listed["items"] == []
    assert (await server.call("GET", f"{SECRETS}?fieldSelector=metadata.name!=mine", user=JANE))[0] == 403


@pytest.mark.parametrize("spelling", ["watch", "watch=true", "watch=True", "watch=1", "watch=t", "watch=yes"])
async def test_no_spelling_turns_a_list_into_a_watch(server, spelling):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    await grant(server, rule(["get", "list"], ["configmaps"]))
    name, _, value = spelling.partition("=")
    query = ((name, value),)
    for path in (CONFIG_MAPS, f"{CONFIG_MAPS}/a"):
        answer = await server.api.handle(Request("GET", path, query, {}, b"", JANE))
        assert (answer.status, answer.stream) == (403, None)


@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward"])
@pytest.mark.parametrize("verb", ["get", "create"])
async def test_a_stream_into_a_pod_needs_more_than_get(server, subresource, verb):
    await server.made("POST", PODS, pod("p"))
    await grant(server, rule(["get", "list", "watch"], ["pods", "pods/log"]), rule([verb], [f"pods/{subresource}"]))
    status, answer = await server.call("GET", f"{PODS}/p/{subresource}", user=JANE)
    assert status == 403, answer


async def test_reading_a_pod_is_not_reading_its_log_or_entering_it(server):
    await server.made("POST", PODS, pod("p"))
    await grant(server, rule(["*"], ["pods"]))
    assert (await server.call("GET", f"{PODS}/p", user=JANE))[0] == 200
    for method, path in [("GET", "log"), ("GET", "exec"), ("POST", "exec"), ("POST", "eviction"), ("PATCH", "status")]:
        assert (await server.call(method, f"{PODS}/p/{path}", {}, user=JANE))[0] == 403, path


@pytest.mark.parametrize(
    ("pattern", "allowed"), [("*", True), ("*/scale", True), ("deployments/*", False), ("deployments", False)]
)
async def test_patterns_of_subresources(server, pattern, allowed):
    await grant(server, rule(["get"], [pattern], groups=["apps"]))
    asked = {"verb": "get", "group": "apps", "resource": "deployments", "subresource": "scale", "namespace": "default"}
    review = await server.made("POST", ACCESS, {"spec": {"resourceAttributes": asked}}, user=JANE)
    assert review["status"]["allowed"] is allowed


async def test_nobody_gives_away_what_they_do_not_have(server):
    verbs = ["get", "create", "update", "patch"]
    await grant(server, rule(verbs, ["roles"], groups=["rbac.authorization.k8s.io"]), name="maker")
    theft = {"metadata": {"name": "theft"}, "rules": [rule(["get", "list"], ["secrets"])]}
    message = await server.refused(403, "POST", ROLES, theft, user=JANE)
    assert message == (
        'roles.rbac.authorization.k8s.io "theft" is forbidden: user "jane" (groups=["developers" '
        '"system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["list"]}'
    )
    own = {"metadata": {"name": "own"}, "rules": [rule(["get"], ["roles"], groups=["rbac.authorization.k8s.io"])]}
    await server.made("POST", ROLES, own, user=JANE)
    patch = {"rules": [rule(["*"], ["*"], groups=["*"])]}
    assert (await server.call("PATCH", f"{ROLES}/own", patch, user=JANE))[0] == 403
    assert (await server.call("PATCH", f"{ROLES}/maker", patch, user=JANE))[0] == 403
    whole = {"metadata": {"name": "own"}, **patch}
    assert (await server.call("PUT", f"{ROLES}/own", whole, user=JANE))[0] == 403
    applied = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "sly"}, **patch}
    sent = {"user": JANE, "content_type": "application/apply-patch+yaml"}
    assert (await server.call("PATCH", f"{ROLES}/sly?fieldManager=x&force=true", applied, **sent))[0] == 403
    assert (await server.call("PATCH", f"{ROLES}/own?fieldManager=x&force=true", {**applied, **whole}, **sent))[
        0
    ] == 403


async def test_who_creates_by_apply_or_update_may_create(server):
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {}}
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    await grant(server, rule(["patch", "update"], ["leases"], groups=["coordination.k8s.io"]))
    sent = {"user": JANE, "content_type": "application/apply-patch+yaml"}
    for method, more in (("PUT", {"user": JANE}), ("PATCH", sent)):
        message = await server.refused(403, method, f"{leases}/l?fieldManager=x", lease, **more)
        assert 'cannot create resource "leases"' in message
    await grant(server, rule(["create"], ["leases"], groups=["coordination.k8s.io"]), name="c")
    assert (await server.call("PATCH", f"{leases}/l?fieldManager=x", lease, **sent))[0] == 201


async def test_binding_needs_the_role_or_the_right_to_bind(server):
    await grant(server, rule(["create"], ["rolebindings"], groups=["rbac.authorization.k8s.io"]), name="binder")

    async def try_to_bind(role):
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        body = {
            "metadata": {"generateName": "b-"},
            "roleRef": reference,
            "subjects": [{"kind": "User", "name": "jane"}],
        }
        return (await server.call("POST", BINDINGS, body, user=JANE))[0]

    assert await try_to_bind("cluster-admin") == 403
    assert await try_to_bind("missing") == 403
    one = rule(["bind"], ["clusterroles"], groups=["rbac.authorization.k8s.io"], resourceNames=["view"])
    await grant(server, one, name="may-bind-view")
    assert await try_to_bind("view") == 201
    assert await try_to_bind("cluster-admin") == 403


async def test_what_a_binding_binds_to_stays(server):
    await grant(server, rule(["get"], ["pods"]))
    changed = {"roleRef": {"name": "other"}}
    assert "cannot change roleRef" in await server.refused(422, "PATCH", f"{BINDINGS}/r", changed)


async def test_the_bootstrap_roles_of_users(server):
    await bind(server, BINDINGS, "view")
    assert (await server.call("GET", PODS, user=JANE))[0] == 200
    assert (await server.call("GET", SECRETS, user=JANE))[0] == 403
    assert (await server.call("POST", CONFIG_MAPS, config_map("x"), user=JANE))[0] == 403
    await bind(server, BINDINGS, "edit")
    assert (await server.call("POST", CONFIG_MAPS, config_map("x"), user=JANE))[0] == 201
    assert (await server.call("GET", SECRETS, user=JANE))[0] == 200
    assert (await server.call("GET", ROLES, user=JANE))[0] == 403
    await bind(server, BINDINGS, "admin")
    assert (await server.call("GET", ROLES, user=JANE))[0] == 200
    assert (await server.call("GET", "/api/v1/namespaces/kube-system/pods", user=JANE))[0] == 403


async def test_reviews_say_what_a_request_would_meet(server):
    await grant(server, rule(["get"], ["pods"]))
    asked = {"verb": "get", "resource": "pods", "namespace": "default"}
    status = (await server.made("POST", ACCESS, {"spec": {"resourceAttributes": asked}}, user=JANE))["status"]
    assert status == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "r/default" of Role "r" to User "jane"',
    }
    others = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    review = {"spec": {"resourceAttributes": asked, "user": "jim", "groups": ["x"]}}
    assert (await server.made("POST", others, review))["status"] == {"allowed": False}
    assert (await server.call("POST", others, review, user=JANE))[0] == 403
    local = "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews"
    review["spec"]["user"] = "jane"
    assert (await server.made("POST", local, review))["status"]["allowed"] is True
    review["spec"]["resourceAttributes"] = {**asked, "namespace": "other"}
    assert "must match" in await server.refused(422, "POST", local, review)
    assert "exactly one of" in await server.refused(422, "POST", ACCESS, {"spec": {}})
    rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    found = (await server.made("POST", rules, {"spec": {"namespace": "default"}}, user=JANE))["status"]
    assert {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]} in found["resourceRules"]


async def test_a_review_is_never_stored(server):
    assert (await server.call("GET", ACCESS))[0] == 405
    assert (await server.call("GET", f"{ACCESS}/x"))[0] == 405


async def test_a_binding_without_its_role_says_so(server):
    await bind(server, BINDINGS, "gone", kind="Role")
    message = await server.refused(403, "GET", PODS, user=JANE)
    assert message.endswith('in the namespace "default": RBAC: role.rbac.authorization.k8s.io "gone" not found')


async def test_impersonation_is_the_admin_s_and_those_who_may(server):
    headers = {"impersonate_user": "jane", "impersonate_group": "developers\nothers"}
    found = await server.made("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, **headers)
    groups = ["developers", "others", "system:authenticated"]
    assert found["status"]["userInfo"] == {"username": "jane", "groups": groups}
    assert (await server.call("GET", PODS, **headers))[0] == 403
    message = await server.refused(403, "GET", PODS, user=JANE, impersonate_user="admin")
    assert message.startswith('users "admin" is forbidden: User "jane" cannot impersonate resource "users"')
    refused = {"impersonate_user": "jane", "impersonate_group": "system:masters"}
    assert (await server.call("GET", PODS, user=JANE, **refused))[0] == 403
    assert (await server.call("GET", PODS, user=JANE, impersonate_group="system:masters"))[0] == 400
    await server.made("POST", CLUSTER_ROLES, {"metadata": {"name": "be"}, "rules": [rule(["impersonate"], ["users"])]})
    await bind(server, CLUSTER_BINDINGS, "be")
    jim = {"user": JANE, "impersonate_user": "jim"}
    assert await server.refused(403, "GET", PODS, **jim) == (
        'pods is forbidden: User "jim" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    assert (await server.call("GET", PODS, **jim, impersonate_group="system:masters"))[0] == 403


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param(ROLES, {"rules": [{"apiGroups": [""], "resources": ["pods"]}]}, "one value", id="verbs"),
        pytest.param(ROLES, {"rules": [{"verbs": ["get"], "resources": ["pods"]}]}, "one api group", id="group"),
        pytest.param(ROLES, {"rules": [{"verbs": ["get"], "apiGroups": [""]}]}, "at least one resource", id="resource"),
        pytest.param(
            ROLES,
            {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]},
            "namespaced rules cannot apply to non-resource URLs",
            id="a path in a namespace",
        ),
        pytest.param(BINDINGS, {"roleRef": {"kind": "Pod", "name": "x"}}, '"Role", "ClusterRole"', id="kind of role"),
        pytest.param(
            CLUSTER_BINDINGS,
            {"roleRef": {"kind": "ClusterRole", "name": "x"}, "subjects": [{"kind": "ServiceAccount", "name": "a"}]},
            "subjects[0].namespace: Required value",
            id="an account of no namespace",
        ),
    ],
)  # fmt: skip
async def test_rules_for_roles_and_bindings(server, path, body, message):
    assert message in await server.refused(422, "POST", path, {"metadata": {"name": "x"}, **body})
