"""The installed kinds by real kubectl, today's and Debian's."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import yaml

from drumroll.domain.custom.installed import definitions
from drumroll.objects.kinds import INSTALLED
from tests.apiserver.test_kubectl import Kubectl
from tests.e2e.elder_kubectl import elder_kubectl

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on this machine"),
]
MANIFESTS = Path(__file__).parent / "manifests"
COLUMNS = {
    "rollouts": "NAME DESIRED CURRENT UP-TO-DATE AVAILABLE AGE",
    "analysistemplates": "NAME AGE",
    "clusteranalysistemplates": "NAME AGE",
    "analysisruns": "NAME STATUS AGE",
    "experiments": "NAME STATUS AGE",
    "gatewayclasses": "NAME CONTROLLER ACCEPTED AGE",
    "gateways": "NAME CLASS ADDRESS PROGRAMMED AGE",
    "httproutes": "NAME HOSTNAMES AGE",
    "grpcroutes": "NAME HOSTNAMES AGE",
    "referencegrants": "NAME AGE",
    "trafficsplits": "NAME SERVICE",
}


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory) -> Iterator[Kubectl]:
    folder = tmp_path_factory.mktemp("installed")
    argv = [sys.executable, "-m", "drumroll.apiserver", "--folder", str(folder), "--installed"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("ready ")
        for file in MANIFESTS.iterdir():
            shutil.copy(file, folder)
        run = Kubectl(folder)
        run("apply", "-f", "argo.yaml", "-f", "gateway.yaml")
        yield run
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def test_every_kind_can_be_listed_under_all_its_names_with_the_columns_of_the_original(kubectl):
    for kind in INSTALLED:
        for name in (kind.plural, kind.singular, *kind.short_names):
            shown = kubectl("get", name)
            if kind.plural in COLUMNS:
                assert shown.splitlines()[0].split() == COLUMNS[kind.plural].split()


def test_manifests_applied_again_are_unchanged_and_a_dry_run_says_what_would_be(kubectl):
    again = kubectl("apply", "-f", "argo.yaml").splitlines()
    assert {line.split()[1] for line in again} == {"unchanged"}
    dry = kubectl("apply", "--dry-run=server", "-f", "gateway.yaml").splitlines()
    assert all(line.endswith("(server dry run)") for line in dry)


def test_fields_are_explained(kubectl):
    for kind in INSTALLED:
        assert f"KIND:       {kind.name}" in kubectl("explain", kind.singular)
    shown = kubectl("explain", "rollout.spec.strategy.canary.steps.setWeight")
    assert "FIELD: setWeight <integer>" in shown
    assert "share of the traffic" in shown


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("setWeight: 20", "setWieght: 20", 'unknown field "spec.strategy.canary.steps[0].setWieght"'),
        (
            "setWeight: 20",
            "setWeight: twenty",
            "spec.strategy.canary.steps[0].setWeight in body must be of type integer",
        ),
        ("image: registry", "imagee: registry", 'unknown field "spec.template.spec.containers[0].imagee"'),
        (
            "headerName: X-Test",
            "header: X-Test",
            'unknown field "spec.strategy.canary.steps[1].setHeaderRoute.match[0].',
        ),
        ("      activeService: shop-active\n", "", "spec.strategy.blueGreen.activeService: Required value"),
    ],
)
def test_a_wrong_field_is_refused(kubectl, old, new, said):
    text = (MANIFESTS / "argo.yaml").read_text()
    refused = kubectl(
        "create", "-n", "kube-public", "--dry-run=server", "-f", "-", stdin=text.replace(old, new, 1), code=1
    )
    assert said in refused


def test_scale_and_edit_of_a_rollout(kubectl):
    assert "scaled" in kubectl("scale", "rollout/shop-bluegreen", "--replicas=4")
    patched = kubectl(
        "patch", "ro", "shop-bluegreen", "--subresource=status", "--type=merge", "-p", '{"status":{"abort":true}}'
    )
    assert "patched" in patched
    assert kubectl("get", "ro", "shop-bluegreen", "-o", "jsonpath={.spec.replicas}/{.status.abort}") == "4/true"


def test_other_versions_show_the_same_objects(kubectl):
    for name in ("first", "second", "fourth"):
        shown = kubectl("get", f"trafficsplits.v1alpha2.split.smi-spec.io/{name}", "-o", "jsonpath={.apiVersion}")
        assert shown == "split.smi-spec.io/v1alpha2"
    assert (
        kubectl("get", "httproutes.v1beta1.gateway.networking.k8s.io", "-o", "name").splitlines()[0].endswith("/mesh")
    )
    assert "v1" in kubectl(
        "get", "referencegrants.v1.gateway.networking.k8s.io/from-web", "-o", "jsonpath={.apiVersion}"
    )


def test_a_users_own_definitions_may_be_applied_over_ours(kubectl):
    """As the installation of the originals does: from the client's side and from the server's."""
    for ours in definitions():
        crd = orjson.loads(orjson.dumps(ours))
        for version in crd["spec"]["versions"]:
            version["additionalPrinterColumns"] = []
            version["schema"] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        crd["spec"]["names"].pop("categories", None)
        head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
        text = yaml.safe_dump({**head, **crd})
        assert "serverside-applied" in kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=text)
        assert "configured" in kubectl("apply", "--dry-run=server", "-f", "-", stdin=text)


@pytest.mark.e2e
def test_debians_kubectl_gets_applies_and_explains(kubectl, tmp_path):
    elder = elder_kubectl()

    def run(*arguments: str, stdin: str = "", code: int = 0) -> str:
        argv = [elder, "--kubeconfig", str(kubectl.folder / "kubeconfig"), "--cache-dir", str(tmp_path), *arguments]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "rollout.argoproj.io/shop unchanged" in run("apply", "-f", str(kubectl.folder / "argo.yaml"))
    assert run("get", "ro").splitlines()[0].split()[:2] == ["NAME", "DESIRED"]
    assert "FIELDS:" in run("explain", "httproute.spec.rules.backendRefs")
    wrong = (MANIFESTS / "argo.yaml").read_text().replace("setWeight: 20", "setWieght: 20")
    assert 'unknown field "setWieght"' in run("apply", "-f", "-", stdin=wrong, code=1)
