"""Definitions and their instances by real kubectl."""

import shutil
import subprocess

import pytest

from tests.apiserver.test_kubectl import Kubectl, kubectl  # noqa: F401 - the fixture

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on this machine"),
]
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.picks}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec, description: "When it runs"}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        description: Runs an image now and then.
        type: object
        properties:
          spec:
            description: What is wanted.
            type: object
            required: [cronSpec]
            properties:
              cronSpec: {type: string, pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$'}
              image: {type: string, description: The image to run.}
              replicas: {type: integer, minimum: 1, maximum: 10, default: 1}
          status:
            type: object
            properties:
              replicas: {type: integer}
              picks: {type: string}
              phase: {type: string}
"""
INSTANCE = """\
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: nightly}
spec: {cronSpec: "* * * * */5", image: "app:1"}
"""


def test_a_definition_and_its_instances_from_the_first_to_the_last_command(kubectl: Kubectl):  # noqa: F811
    created = kubectl("apply", "-f", "-", stdin=f"{DEFINITION}---\n")
    assert created == "customresourcedefinition.apiextensions.k8s.io/crontabs.stable.example.com created\n"
    kubectl("wait", "--for=condition=established", "crd/crontabs.stable.example.com", "--timeout=10s")
    assert "crontabs.stable.example.com" in kubectl("get", "crd")
    assert "ct" in kubectl("api-resources", "--api-group=stable.example.com")
    assert kubectl("apply", "-f", "-", stdin=INSTANCE) == "crontab.stable.example.com/nightly created\n"
    lines = kubectl("get", "ct").splitlines()
    assert lines[0].split() == ["NAME", "SPEC", "REPLICAS", "AGE"]
    assert lines[1].split()[:1] == ["nightly"]
    assert "nightly" in kubectl("get", "all")
    assert "The image to run." in kubectl("explain", "crontabs.spec.image")
    assert "crontab.stable.example.com/nightly unchanged" in kubectl("apply", "-f", "-", stdin=INSTANCE)
    changed = INSTANCE.replace("app:1", "app:2")
    assert "app:2" in kubectl("diff", "-f", "-", stdin=changed, code=1)
    assert "configured" in kubectl("apply", "-f", "-", stdin=changed)
    assert "scaled" in kubectl("scale", "crontab/nightly", "--replicas=3")
    assert kubectl("get", "ct/nightly", "-o", "jsonpath={.spec.replicas}/{.metadata.generation}") == "3/3"
    refused = kubectl("patch", "ct/nightly", "--type=merge", "-p", '{"spec":{"replicas":11}}', code=1)
    assert (
        'The CronTab "nightly" is invalid: spec.replicas: Invalid value: 11: spec.replicas in body should be less'
        in (refused)
    )
    strict = kubectl("apply", "-f", "-", stdin=INSTANCE.replace("image:", "imag:"), code=1)
    assert 'unknown field "spec.imag"' in strict
    kubectl("patch", "ct/nightly", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Done"}}')
    kubectl("wait", "--for=jsonpath={.status.phase}=Done", "ct/nightly", "--timeout=5s")
    assert "serverside-applied" in kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=INSTANCE)
    assert "Kind:         CronTab" in kubectl("describe", "ct", "nightly")
    assert "edited" in kubectl("edit", "ct/nightly", KUBE_EDITOR="sed -i s/app:1/app:3/")
    assert "labeled" in kubectl("label", "ct/nightly", "tier=back")
    assert "nightly" in kubectl("get", "ct", "-l", "tier=back", "--field-selector=metadata.name=nightly", "-A")
    assert "deleted" in kubectl("delete", "crd", "crontabs.stable.example.com")
    assert "could not find the requested resource" in kubectl("get", "crontabs", code=1)  # kubectl caches discovery


def test_a_watch_tells_of_instances(kubectl: Kubectl):  # noqa: F811
    kubectl("apply", "-f", "-", stdin=DEFINITION)
    kubectl("apply", "-f", "-", stdin=INSTANCE)
    argv = ["kubectl", "get", "ct", "-w", "--no-headers", "--kubeconfig", str(kubectl.folder / "kubeconfig")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as watch:
        try:
            assert watch.stdout.readline().split()[:1] == ["nightly"]
            kubectl("patch", "ct/nightly", "--type=merge", "-p", '{"spec":{"replicas":7}}')
            assert "7" in watch.stdout.readline().split()
        finally:
            watch.terminate()
    kubectl("delete", "crd", "crontabs.stable.example.com")
