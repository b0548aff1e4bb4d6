"""The schema table agrees with the package it is derived from, and with the kinds that the API serves."""

import subprocess
import sys
from pathlib import Path

import pytest

from drumroll.objects.kinds import CUSTOM_RESOURCE_DEFINITION, KINDS, Kind
from drumroll.objects.schema import is_message, message, message_names, message_of

SCRIPT = Path(__file__).parents[2] / "scripts/update_schema.py"


def test_table_is_what_the_script_derives_from_the_package():
    pytest.importorskip("kubernetes_validate")
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "schema.json agrees with the package")


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if kind is not CUSTOM_RESOURCE_DEFINITION],
    ids=lambda kind: f"{kind.api_version}-{kind.name}",
)
def test_every_kind_has_a_message_with_protobuf_numbers(kind: Kind):
    shape = message_of(kind)
    assert shape.fields["metadata"].number == 1
    assert shape.by_number[1].name == "metadata"


def test_every_message_that_a_field_names_is_there():
    for name in message_names():
        for field in message(name).fields.values():
            if is_message(field.element):
                assert message(field.element).name == field.element


@pytest.mark.parametrize(
    ("owner", "field", "key", "strategies"),
    [
        ("api.core.v1.PodSpec", "containers", "name", ("merge",)),
        ("api.core.v1.PodSpec", "volumes", "name", ("merge", "retainKeys")),
        ("api.core.v1.Container", "ports", "containerPort", ("merge",)),
        ("api.core.v1.Container", "args", "", ()),
        ("api.apps.v1.DeploymentSpec", "strategy", "", ("retainKeys",)),
        ("api.core.v1.ServiceSpec", "ports", "port", ("merge",)),
        ("apimachinery.pkg.apis.meta.v1.ObjectMeta", "finalizers", "", ("merge",)),
    ],
)
def test_merge_facts_are_the_published_ones(owner: str, field: str, key: str, strategies: tuple[str, ...]):
    found = message(owner).fields[field]
    assert (found.merge_key, found.strategies) == (key, strategies)
