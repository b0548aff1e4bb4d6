"""Apply as a user types it: server-side, conflicts, migration, diff, replace, prune and dry runs, with real kubectl."""

import json

import pytest

from tests.apiserver.test_kubectl import MANIFEST, kubectl, pytestmark  # noqa: F401  (fixture and marks)

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  labels: {{set: mine}}\ndata: {{a: '{a}'}}\n"


@pytest.fixture
def run(kubectl):  # noqa: F811
    namespace = "apply"
    kubectl("create", "namespace", namespace)
    yield lambda *arguments, **more: kubectl("-n", namespace, *arguments, **more)
    kubectl("-n", namespace, "delete", "deployments,configmaps", "--all")
    kubectl("get", "--raw", "/livez")
    kubectl("delete", "namespace", namespace, "--wait=false")
    finalize = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    kubectl("replace", "--raw", f"/api/v1/namespaces/{namespace}/finalize", "-f", "-", stdin=finalize)


def managers(run, what):
    found = json.loads(run("get", what, "-o", "json", "--show-managed-fields"))
    return [(entry["manager"], entry["operation"]) for entry in found["metadata"]["managedFields"]]


def test_server_side_apply_conflicts_and_force(run):
    assert "serverside-applied" in run("apply", "--server-side", "-f", "-", stdin=MANIFEST)
    assert "serverside-applied" in run("apply", "--server-side", "-f", "-", stdin=MANIFEST)
    changed = MANIFEST.replace("replicas: 3", "replicas: 5")
    refused = run("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=changed, code=1)
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas' in refused
    assert "--force-conflicts" in refused
    run("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", stdin=changed)
    assert run("get", "deployment/web", "-o", "jsonpath={.spec.replicas}") == "5"
    assert managers(run, "deployment/web") == [("kubectl", "Apply"), ("other", "Apply")]


def test_client_side_applies_migrate_to_the_server(run):
    run("apply", "-f", "-", stdin=MANIFEST)
    assert managers(run, "deployment/web") == [("kubectl-client-side-apply", "Update")]
    run("apply", "--server-side", "-f", "-", stdin=MANIFEST.replace("app:1", "app:2"))
    found = managers(run, "deployment/web")
    assert set(found) == {("kubectl", "Apply"), ("kubectl-last-applied", "Apply")}  # the latter owns the annotation
    without = "\n".join(line for line in MANIFEST.splitlines() if "replicas" not in line)
    run("apply", "--server-side", "-f", "-", stdin=without)
    assert run("get", "deployment/web", "-o", "jsonpath={.spec.replicas}") == "1"


def test_and_back_to_the_client(run):
    run("apply", "-f", "-", stdin=MANIFEST)
    run("apply", "--server-side", "-f", "-", stdin=MANIFEST.replace("app:1", "app:2"))
    said = run("apply", "-f", "-", stdin=MANIFEST.replace("app:1", "app:3"))
    assert "configured" in said
    assert run("get", "deployment/web", "-o", "jsonpath={.spec.template.spec.containers[0].image}") == "app:3"


def test_diff_shows_what_would_change(run):
    assert "+  name: web" in run("diff", "-f", "-", stdin=MANIFEST, code=1)
    run("apply", "-f", "-", stdin=MANIFEST)
    assert run("diff", "-f", "-", stdin=MANIFEST) == ""
    shown = run("diff", "-f", "-", stdin=MANIFEST.replace("app:1", "app:2"), code=1)
    assert ("-      - image: app:1" in shown, "+      - image: app:2" in shown) == (True, True)
    shown = run("diff", "--server-side", "--force-conflicts", "-f", "-", stdin=MANIFEST.replace("3", "4"), code=1)
    assert "+  replicas: 4" in shown


def test_dry_runs_on_the_server(run):
    assert "created (server dry run)" in run("apply", "--dry-run=server", "-f", "-", stdin=MANIFEST)
    said = run("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=MANIFEST)
    assert "serverside-applied (server dry run)" in said
    assert "NotFound" in run("get", "deployment/web", code=1)


def test_replace_keeps_the_object_and_forced_makes_another(run):
    run("create", "-f", "-", stdin=MANIFEST)
    uid = run("get", "deployment/web", "-o", "jsonpath={.metadata.uid}")
    run("replace", "-f", "-", stdin=MANIFEST.replace("app:1", "app:2"))
    assert run("get", "deployment/web", "-o", "jsonpath={.metadata.uid}") == uid
    run("replace", "--force", "-f", "-", stdin=MANIFEST)
    assert run("get", "deployment/web", "-o", "jsonpath={.metadata.uid}") != uid


def test_prune_deletes_what_was_applied_and_is_not_any_more(run):
    both = "---\n".join(CONFIG_MAP.format(name=name, a=1) for name in ("one", "two"))
    run("apply", "-f", "-", stdin=both)
    run("create", "configmap", "mine")
    pruning = ("apply", "--prune", "-l", "set=mine", "--prune-allowlist=core/v1/ConfigMap", "-f", "-")
    said = run(*pruning, stdin=CONFIG_MAP.format(name="one", a=2))
    assert "configmap/two pruned" in said
    assert set(run("get", "configmaps", "-o", "name").split()) >= {"configmap/one", "configmap/mine"}
    assert "NotFound" in run("get", "configmap", "two", code=1)


def test_edits_labels_and_scales_are_booked_to_their_commands(run):
    run("apply", "--server-side", "-f", "-", stdin=MANIFEST)
    run("label", "deployment/web", "x=y")
    run("set", "image", "deployment/web", "web=app:9")
    run("scale", "deployment/web", "--replicas=7")
    assert set(managers(run, "deployment/web")) == {
        ("kubectl", "Apply"), ("kubectl-label", "Update"), ("kubectl-set", "Update"), ("kubectl", "Update"),
    }  # fmt: skip


def test_view_and_edit_the_last_applied_configuration(run):
    run("apply", "-f", "-", stdin=MANIFEST)
    assert "image: app:1" in run("apply", "view-last-applied", "deployment/web")
    run("apply", "set-last-applied", "-f", "-", stdin=MANIFEST.replace("app:1", "app:5"))
    assert "image: app:5" in run("apply", "view-last-applied", "deployment/web")
