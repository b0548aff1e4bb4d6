"""The definitions that every cluster has from the start."""

import copy
from pathlib import Path

import orjson
import pytest
import yaml

from drumroll.domain.custom.definitions import validate_definition
from drumroll.domain.custom.installed import MARK, VERSION, definitions
from drumroll.domain.custom.names import prepare_definition_create, set_definition_defaults
from drumroll.objects.kinds import INSTALLED
from tests.apiserver.server import Server

pytestmark = pytest.mark.anyio
MANIFESTS = Path(__file__).parent / "manifests"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ARGO = "/apis/argoproj.io/v1alpha1/namespaces/default"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways"


@pytest.fixture
async def installed() -> Server:
    server = Server(installs=True)
    await server.api.prepare()
    return server


def samples(file: str) -> list[dict]:
    return list(yaml.safe_load_all((MANIFESTS / file).read_text()))


def route(rule: dict, **spec) -> dict:
    metadata = {"name": "shop"}
    head = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata}
    return {**head, "spec": {"rules": [rule], **spec}}


@pytest.mark.parametrize("crd", list(definitions()), ids=lambda crd: crd["metadata"]["name"])
def test_a_definition_is_valid(crd):
    crd = copy.deepcopy(crd)
    set_definition_defaults(crd)
    prepare_definition_create(crd)
    assert list(validate_definition(crd)) == []


async def test_the_installed_definitions_are_what_somebody_would_get_who_sent_them(installed):
    plain = Server()
    await plain.api.prepare()
    for crd in definitions():
        name = crd["metadata"]["name"]
        sent = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **crd}
        created = await plain.made("POST", f"{CRDS}?fieldValidation=Strict", sent)
        found = await installed.made("GET", f"{CRDS}/{name}")
        assert found["spec"] == created["spec"]
        assert list(found) == list(created)
        settled = await plain.made("GET", f"{CRDS}/{name}")
        assert found["status"]["acceptedNames"] == settled["status"]["acceptedNames"]
        assert {one["type"]: one["status"] for one in found["status"]["conditions"]} == {
            one["type"]: "True" for one in settled["status"]["conditions"]
        }


async def test_every_installed_kind_is_served_as_the_table_says(installed):
    for kind in INSTALLED:
        listed = await installed.made("GET", f"/apis/{kind.api_version}")
        found = {one["name"]: one for one in listed["resources"]}
        assert found[kind.plural]["kind"] == kind.name
        assert found[kind.plural].get("shortNames", []) == list(kind.short_names)
        assert {name for name in found if name.startswith(f"{kind.plural}/")} == {
            f"{kind.plural}/{subresource}" for subresource in kind.subresources
        }


async def test_a_server_that_installs_nothing_has_nothing():
    server = Server()
    await server.api.prepare()
    assert (await server.made("GET", CRDS))["items"] == []
    assert (await server.call("GET", "/apis/argoproj.io/v1alpha1"))[0] == 404


@pytest.mark.parametrize("file", ["argo.yaml", "gateway.yaml"])
async def test_manifests_in_the_style_of_the_originals_are_accepted_whole(installed, file):
    for sent in samples(file):
        kind = next(kind for kind in INSTALLED if kind.name == sent["kind"])
        group, version = sent["apiVersion"].split("/")
        scope = "/namespaces/default" if kind.namespaced else ""
        path = f"/apis/{group}/{version}{scope}/{kind.plural}"
        made = await installed.made("POST", f"{path}?fieldValidation=Strict", sent)
        assert _within(sent["spec"], made["spec"]), (sent["spec"], made["spec"])


def _within(sent, made) -> bool:
    """Whether all that was sent is there."""
    if isinstance(sent, dict):
        return isinstance(made, dict) and all(name in made and _within(sent[name], made[name]) for name in sent)
    if isinstance(sent, list):
        return len(sent) == len(made) and all(map(_within, sent, made))
    return sent == made


async def test_defaults_are_those_of_the_originals(installed):
    made = await installed.made("POST", ROUTES, route({"backendRefs": [{"name": "a", "port": 80}]}))
    assert made["spec"]["rules"] == [
        {
            "backendRefs": [{"group": "", "kind": "Service", "name": "a", "port": 80, "weight": 1}],
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        }
    ]
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
    sent = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "web"}}
    made = await installed.made("POST", GATEWAYS, {**sent, "spec": {"gatewayClassName": "x", "listeners": listeners}})
    assert made["spec"]["listeners"][0]["allowedRoutes"] == {"namespaces": {"from": "Same"}}
    assert [(one["type"], one["status"]) for one in made["status"]["conditions"]] == [
        ("Accepted", "Unknown"),
        ("Programmed", "Unknown"),
    ]


BACKENDS = {"backendRefs": [{"name": "a", "port": 80}]}
REDIRECT = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"backendRefs": [{"name": "a"}]}, "Must have port for Service reference"),
        ({"backendRefs": [{"name": "a", "port": 80, "weight": 1000001}]}, "should be less than or equal to 1000000"),
        ({**BACKENDS, "filters": [REDIRECT]}, "RequestRedirect filter must not be used together with backendRefs"),
        ({"filters": [REDIRECT, REDIRECT]}, "RequestRedirect filter cannot be repeated"),
        ({"filters": [{"type": "RequestRedirect"}]}, "filter.requestRedirect must be specified for RequestRedirect"),
        (
            {"filters": [{"type": "URLRewrite", "urlRewrite": {}, "requestRedirect": {}}]},
            "filter.requestRedirect must be nil if the filter.type is not RequestRedirect",
        ),
        ({"matches": [{"path": {"value": "x"}}]}, "value must be an absolute path and start with '/'"),
        ({"matches": [{"path": {"value": "/a//b"}}]}, "must not contain '//'"),
        ({"matches": [{"path": {"value": "/a b"}}]}, "must only contain valid characters"),
        ({"matches": [{"method": "FETCH"}]}, 'Unsupported value: "FETCH"'),
        (
            {"timeouts": {"request": "1s", "backendRequest": "2s"}},
            "backendRequest timeout cannot be longer than request timeout",
        ),
        ({"timeouts": {"request": "soon"}}, "should match"),
        (
            {
                "matches": [{"path": {"type": "Exact", "value": "/a"}}],
                "filters": [
                    {
                        "type": "URLRewrite",
                        "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
                    }
                ],
            },
            "exactly one PathPrefix match must be specified",
        ),
    ],
)
async def test_a_wrong_route_is_refused_in_the_words_of_the_original(installed, rule, said):
    assert said in await installed.refused(422, "POST", ROUTES, route(rule))


async def test_parents_are_told_apart(installed):
    said = await installed.refused(
        422, "POST", ROUTES, route(BACKENDS, parentRefs=[{"name": "web"}, {"name": "web", "sectionName": "http"}])
    )
    assert "must be specified when parentRefs includes 2 or more references to the same parent" in said
    same = {"name": "web", "sectionName": "http"}
    said = await installed.refused(422, "POST", ROUTES, route(BACKENDS, parentRefs=[same, same]))
    assert "must be unique when parentRefs includes 2 or more references to the same parent" in said
    await installed.made("POST", ROUTES, route(BACKENDS, parentRefs=[same, {**same, "sectionName": "https"}]))


async def test_an_unknown_field_is_named(installed):
    sent = samples("argo.yaml")[0]
    sent["spec"]["strategy"]["canary"]["steps"][0] = {"setWieght": 20}
    said = await installed.refused(400, "POST", f"{ARGO}/rollouts?fieldValidation=Strict", sent)
    assert 'unknown field "spec.strategy.canary.steps[0].setWieght"' in said


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"imagee": "x"}, 'unknown field "spec.template.spec.containers[0].imagee"'),
        (
            {"image": 1},
            "spec.template: json: cannot unmarshal number into Go struct field Container.spec.containers.image",
        ),
        ({"resources": {"requests": {"cpu": "much"}}}, "spec.template: quantities must match the regular expression"),
    ],
)
async def test_pods_templates_are_checked_as_those_of_deployments_are(installed, container, said):
    sent = samples("argo.yaml")[0]
    sent["spec"]["template"]["spec"]["containers"][0] |= container
    assert said in await installed.refused(400, "POST", f"{ARGO}/rollouts?fieldValidation=Strict", sent)


async def test_what_no_pod_has_is_dropped_from_templates_where_nobody_is_strict(installed):
    sent = samples("argo.yaml")[-1]
    sent["spec"]["templates"][0]["template"]["spec"] |= {"colour": "purple", "hostNetwork": False}
    made = await installed.made("POST", f"{ARGO}/experiments", sent)
    assert made["spec"]["templates"][0]["template"]["spec"] == {
        "containers": [{"name": "shop", "image": "shop:1"}],
        "hostNetwork": False,
    }


async def test_a_step_of_a_plugin_is_stored_though_nobody_runs_it(installed):
    sent = samples("argo.yaml")[0]
    sent["spec"]["strategy"]["canary"]["steps"].append(
        {"plugin": {"name": "example/step", "config": {"free": ["form"]}}}
    )
    made = await installed.made("POST", f"{ARGO}/rollouts?fieldValidation=Strict", sent)
    assert made["spec"]["strategy"]["canary"]["steps"][-1]["plugin"]["config"] == {"free": ["form"]}


async def test_a_selector_stays(installed):
    await installed.made("POST", f"{ARGO}/rollouts", samples("argo.yaml")[0])
    change = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
    said = await installed.refused(422, "PATCH", f"{ARGO}/rollouts/shop", change)
    assert "selector is immutable" in said


async def test_a_rollout_has_a_status_of_its_own_and_a_scale(installed):
    await installed.made("POST", f"{ARGO}/rollouts", samples("argo.yaml")[0])
    status = {"status": {"HPAReplicas": 4, "selector": "app=shop", "phase": "Healthy"}}
    assert (await installed.made("PATCH", f"{ARGO}/rollouts/shop/status", status))["status"]["phase"] == "Healthy"
    assert "status" in await installed.made("PATCH", f"{ARGO}/rollouts/shop", {"status": {"phase": "Paused"}})
    assert (await installed.made("GET", f"{ARGO}/rollouts/shop"))["status"]["phase"] == "Healthy"
    scale = await installed.made("GET", f"{ARGO}/rollouts/shop/scale")
    assert (scale["spec"], scale["status"]) == ({"replicas": 5}, {"replicas": 4, "selector": "app=shop"})
    await installed.made("PATCH", f"{ARGO}/rollouts/shop/scale", {"spec": {"replicas": 7}})
    assert (await installed.made("GET", f"{ARGO}/rollouts/shop"))["spec"]["replicas"] == 7


async def test_a_newer_version_replaces_ours_and_nobody_elses(installed):
    name = "trafficsplits.split.smi-spec.io"
    crd = await installed.made("GET", f"{CRDS}/{name}")
    assert crd["metadata"]["annotations"][MARK].startswith(f"{VERSION}-")
    _, _, digest = crd["metadata"]["annotations"][MARK].partition("-")
    old = {"metadata": {"annotations": {MARK: f"0-{digest}"}}}
    await installed.made("PATCH", f"{CRDS}/{name}", old)
    theirs = "rollouts.argoproj.io"
    before = await installed.made("PATCH", f"{CRDS}/{theirs}", old)  # its digest is another one: it was changed
    again = Server(installed.store, installs=True)
    await again.api.prepare()
    assert (await again.made("GET", f"{CRDS}/{name}"))["metadata"]["annotations"] == crd["metadata"]["annotations"]
    assert await again.made("GET", f"{CRDS}/{theirs}") == before


async def test_the_originals_may_be_applied_over_ours_by_the_server(installed):
    name = "rollouts.argoproj.io"
    crd = next(one for one in definitions() if one["metadata"]["name"] == name)
    crd = orjson.loads(orjson.dumps(crd))
    crd["spec"]["versions"][0]["additionalPrinterColumns"] = [
        {"name": "Mine", "type": "string", "jsonPath": ".spec.replicas"}
    ]
    crd["spec"]["names"]["shortNames"] = ["ro"]
    sent = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **crd}
    applied = await installed.made(
        "PATCH", f"{CRDS}/{name}?fieldManager=kubectl", sent, content_type="application/apply-patch+yaml"
    )
    assert [one["name"] for one in applied["spec"]["versions"][0]["additionalPrinterColumns"]] == ["Mine"]


async def test_roles_for_these_kinds_join_view_edit_and_admin(installed):
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/drumroll:aggregate-to-edit"
    role = await installed.made("GET", path)
    assert role["metadata"]["labels"] == {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    assert "rollouts/status" in role["rules"][0]["resources"]
    older = await installed.made("PATCH", path, {"rules": role["rules"][1:]})
    again = Server(installed.store, installs=True)
    await again.api.prepare()
    assert role["rules"][0] in (await again.made("GET", path))["rules"]
    mine = {"metadata": {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}, "rules": []}
    assert older["rules"] != (await again.made("PATCH", path, mine))["rules"]
    again = Server(installed.store, installs=True)
    await again.api.prepare()
    assert not (await again.made("GET", path)).get("rules")


async def test_the_gateway_class_of_ours_is_there_and_whoever_deleted_it_gets_it_back_at_the_next_start(installed):
    path = "/apis/gateway.networking.k8s.io/v1/gatewayclasses/drumroll"
    found = await installed.made("GET", path)
    assert found["spec"]["controllerName"] == "drumroll.dev/gateway"
    assert found["status"]["conditions"][0]["status"] == "Unknown"
    said = await installed.refused(422, "PATCH", path, {"spec": {"controllerName": "example.com/other"}})
    assert "Value is immutable" in said
