"""The samples' manifests are what the lab shows, and what the demo applies."""

import base64
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from drumroll.demo.manifests import HOST, NAMESPACE, NoSamples, demo_objects
from drumroll.demo.run import LIMITS, STOREFRONT, demo_images, samples_folder
from drumroll.objects import clock
from drumroll.objects.kinds import kind_of

MANIFESTS = samples_folder() / "manifests"


def load(name):
    return next(yaml.safe_load_all((MANIFESTS / name).read_text()))


def test_the_edited_deployment_differs_from_the_first_only_as_the_lab_edits_it():
    first, edited = load("storefront-deployment.yaml"), load("storefront-deployment-v0.0.1.yaml")
    assert first["spec"].pop("replicas") == 1
    assert edited["spec"].pop("replicas") == 4
    strategy = edited["spec"].pop("strategy")
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    assert first == edited


def test_the_labs_probes_are_as_written():
    (container,) = load("storefront-deployment.yaml")["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["exec"]["command"] == [
        "/bin/bash",
        "-c",
        'curl -s http://localhost:9080/health/ready | json_pp | grep "\\"outcome\\" : \\"UP\\""',
    ]
    liveness = container["livenessProbe"]
    assert (liveness["initialDelaySeconds"], liveness["periodSeconds"], liveness["failureThreshold"]) == (60, 5, 3)


def test_the_demo_differs_from_the_lab_only_in_its_probes():
    lab, demo = load("storefront-deployment-v0.0.1.yaml"), load("demo/storefront-deployment.yaml")
    for manifest in (lab, demo):
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        del container["readinessProbe"], container["livenessProbe"]
    assert lab == demo


def test_everything_that_the_demo_applies_is_a_kind_that_we_serve():
    objects = demo_objects(MANIFESTS, clock.now())
    assert [obj["kind"] for obj in objects[:2]] == ["Namespace", "Secret"]
    for obj in objects:
        assert kind_of(obj)
        assert obj["kind"] == "Namespace" or obj["metadata"]["namespace"] == NAMESPACE
    services = next(i for i, obj in enumerate(objects) if obj["kind"] == "Service")
    deployments = next(i for i, obj in enumerate(objects) if obj["kind"] == "Deployment")
    assert services < deployments, "pods learn of Services by variables that are set when they start"


def test_the_certificate_is_for_the_ingress():
    secret = demo_objects(MANIFESTS, clock.now())[1]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]


def test_every_image_of_the_manifests_is_built():
    built = {tag for image in demo_images(samples_folder()) for tag in image.tags}
    wanted = {f"{STOREFRONT}:0.0.2"}
    for path in MANIFESTS.glob("**/*.yaml"):
        for obj in yaml.safe_load_all(path.read_text()):
            if obj["kind"] == "Deployment":
                wanted |= {each["image"] for each in obj["spec"]["template"]["spec"]["containers"]}
    assert wanted <= built
    for image in demo_images(samples_folder()):
        assert image.dockerfile.is_file()


def test_the_limits_are_the_manifests():
    spec = load("demo/storefront-deployment.yaml")["spec"]
    rolling = spec["strategy"]["rollingUpdate"]
    assert (spec["replicas"], rolling["maxUnavailable"], rolling["maxSurge"]) == (
        LIMITS.replicas,
        LIMITS.max_unavailable,
        LIMITS.max_surge,
    )


def test_a_missing_folder_is_a_sentence(tmp_path: Path):
    with pytest.raises(NoSamples, match="runs from a checkout"):
        demo_objects(tmp_path, clock.now())
