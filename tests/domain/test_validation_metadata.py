"""Rules for names, labels, annotations, owners, selectors and for metadata that may not change."""

import pytest

from drumroll.domain.validation import validate_create, validate_update
from drumroll.domain.validation.metadata import validate_selector
from drumroll.domain.validation.names import (
    config_key_faults,
    host_faults,
    label_faults,
    path_segment_faults,
    percent_faults,
    port_name_faults,
    qualified_faults,
    rfc_1035_faults,
    subdomain_faults,
    value_faults,
    variable_faults,
)
from drumroll.objects.errors import invalid
from drumroll.objects.kinds import CONFIG_MAP, DEPLOYMENT, NAMESPACE, SERVICE_ACCOUNT

LABEL = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"
QUALIFIED = "name part must consist of alphanumeric characters, '-', '_' or '.'"


@pytest.mark.parametrize(
    ("rule", "name", "faults"),
    [
        pytest.param(label_faults, "web-1", [], id="a label"),
        pytest.param(label_faults, "1bad", [], id="a label may start with a digit"),
        pytest.param(label_faults, "Bad_Name", [LABEL], id="no upper case"),
        pytest.param(label_faults, "a.b", ["must not contain dots"], id="no dots"),
        pytest.param(label_faults, "web\n", [LABEL], id="no newline at the end"),
        pytest.param(label_faults, "a" * 64, ["must be no more than 63 characters"], id="63 characters"),
        pytest.param(subdomain_faults, "a.b", [], id="dots in a subdomain"),
        pytest.param(subdomain_faults, "a..b", ["a lowercase RFC 1123 subdomain"], id="no empty part"),
        pytest.param(subdomain_faults, "a" * 254, ["must be no more than 253 characters"], id="253 characters"),
        pytest.param(rfc_1035_faults, "1a", ["a DNS-1035 label"], id="starts with a letter"),
        pytest.param(host_faults, "*.a.b", [], id="a wildcard host"),
        pytest.param(host_faults, "a.*", ["a wildcard DNS-1123 subdomain must start with '*.'"], id="wildcard first"),
        pytest.param(qualified_faults, "a.b/C_d", [], id="a qualified name"),
        pytest.param(qualified_faults, "bad key!", [QUALIFIED], id="a bad name"),
        pytest.param(qualified_faults, "/a", ["prefix part must be non-empty"], id="an empty prefix"),
        pytest.param(qualified_faults, "A/a", ["prefix part a lowercase RFC 1123"], id="a bad prefix"),
        pytest.param(qualified_faults, "", ["name part must be non-empty", QUALIFIED], id="an empty name"),
        pytest.param(qualified_faults, "a/b/c", ["a qualified name must consist of"], id="two slashes"),
        pytest.param(value_faults, "", [], id="an empty value"),
        pytest.param(value_faults, "-a", ["a valid label must be an empty string"], id="a bad value"),
        pytest.param(value_faults, "a" * 64, ["must be no more than 63"], id="a long value"),
        pytest.param(port_name_faults, "http-2", [], id="a port's name"),
        pytest.param(port_name_faults, "80", ["must contain at least one letter (a-z)"], id="a number is no name"),
        pytest.param(port_name_faults, "-a--b", ["must not contain consecutive", "must not begin or end"], id="dashes"),
        pytest.param(port_name_faults, "a" * 16, ["must be no more than 15 characters"], id="15 characters"),
        pytest.param(variable_faults, "1 odd.name", [], id="a variable of printable characters"),
        pytest.param(variable_faults, "a=b", ["a valid environment variable name"], id="no equals sign"),
        pytest.param(config_key_faults, "a.txt", [], id="a file name"),
        pytest.param(config_key_faults, "..", ["must not be '..'"], id="no parent folder"),
        pytest.param(config_key_faults, "a b", ["a valid config key must consist"], id="no blank"),
        pytest.param(path_segment_faults, "a/b%", ["may not contain '/'", "may not contain '%'"], id="path segments"),
        pytest.param(percent_faults, "25", ["a valid percent string"], id="a percent sign"),
    ],
)
def test_names(rule, name, faults):
    found = rule(name)
    assert len(found) == len(faults)
    assert all(fault in text for fault, text in zip(faults, found, strict=True))


def test_the_words_are_the_originals():
    assert label_faults("Bad_NS") == (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    )


def causes(kind, **meta):
    return [str(error) for error in validate_create(kind, {"metadata": meta})]


OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "u"}


@pytest.mark.parametrize(
    ("kind", "meta", "expected"),
    [
        pytest.param(SERVICE_ACCOUNT, {}, ["metadata.name: Required value: name or generateName is required",
                                           "metadata.namespace: Required value"], id="names are needed"),
        pytest.param(SERVICE_ACCOUNT, {"generateName": "web-", "namespace": "n"}, [], id="a name to be made up"),
        pytest.param(NAMESPACE, {"name": "n", "namespace": "m"},
                     ["metadata.namespace: Forbidden: not allowed on this type"], id="no namespace in a namespace"),
        pytest.param(NAMESPACE, {"name": "n", "generation": -1},
                     ["metadata.generation: Invalid value: -1: must be greater than or equal to 0"], id="generation"),
        pytest.param(NAMESPACE, {"name": "n", "annotations": {"A.B/Upper": "", "k": "x" * 262144}},
                     ["metadata.annotations: Too long: may not be more than 262144 bytes"], id="annotations' size"),
        pytest.param(NAMESPACE, {"name": "n", "ownerReferences": [{**OWNER, "uid": ""}]},
                     ['metadata.ownerReferences.uid: Invalid value: "": must not be empty'], id="owner without uid"),
        pytest.param(NAMESPACE, {"name": "n", "ownerReferences": [{**OWNER, "controller": True}] * 2},
                     ["Only one reference can have Controller set to true. "
                      'Found "true" in references for ReplicaSet/a and ReplicaSet/a'], id="two controllers"),
        pytest.param(NAMESPACE, {"name": "n", "finalizers": ["orphan", "foregroundDeletion"]},
                     ["finalizer orphan and foregroundDeletion cannot be both set"], id="opposite finalizers"),
    ],
)  # fmt: skip
def test_new_metadata(kind, meta, expected):
    found = causes(kind, **meta)
    assert len(found) == len(expected)
    assert all(text in line for text, line in zip(expected, found, strict=True))


OLD = {"name": "x", "namespace": "n", "uid": "u", "creationTimestamp": "t", "generation": 2}


@pytest.mark.parametrize(
    ("change", "before", "expected"),
    [
        pytest.param({"uid": "other"}, {}, 'metadata.uid: Invalid value: "other": field is immutable', id="uid"),
        pytest.param({"creationTimestamp": "s"}, {}, "metadata.creationTimestamp", id="creation"),
        pytest.param({"deletionTimestamp": "s"}, {}, "metadata.deletionTimestamp", id="deletion is no update"),
        pytest.param({"generation": 1}, {}, "metadata.generation: Invalid value: 1: must not be decremented",
                     id="generations grow"),
        pytest.param({"finalizers": ["a.b/c"]}, {"deletionTimestamp": "t"},
                     'no new finalizers can be added if the object is being deleted, found new finalizers '
                     '[]string{"a.b/c"}', id="no finalizer while deleting"),
        pytest.param({"labels": {"a": "b c"}}, {}, "metadata.labels", id="labels are checked, too"),
    ],
)  # fmt: skip
def test_changed_metadata(change, before, expected):
    old = {"metadata": {**OLD, **before}}
    new = {"metadata": {**OLD, **before, **change}}
    found = [str(error) for error in validate_update(CONFIG_MAP, new, old)]
    assert found
    assert all(expected in line for line in found)


def test_both_checks_of_metadata_are_causes_and_one_message():
    old = {"metadata": OLD}
    errors = validate_update(DEPLOYMENT, {"metadata": {**OLD, "uid": "other"}}, old)
    status = invalid("apps", "Deployment", "web", errors).to_status()
    text = 'metadata.uid: Invalid value: "other": field is immutable'
    assert status["message"] == f'Deployment.apps "web" is invalid: {text}'
    assert [cause["field"] for cause in status["details"]["causes"]] == ["metadata.uid", "metadata.uid"]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param({"key": "a", "operator": "In"}, "values: Required value: must be specified", id="In needs values"),
        pytest.param({"key": "a", "operator": "Exists", "values": ["b"]}, "values: Forbidden", id="Exists needs none"),
        pytest.param({"key": "a", "operator": "Bad"}, "not a valid selector operator", id="a bad operator"),
        pytest.param({"key": "", "operator": "Exists"}, "key: Invalid value", id="an empty key"),
    ],
)
def test_selectors(wish, expected):
    errors = list(validate_selector({"matchExpressions": [wish]}, "spec.selector"))
    assert all(error.field.startswith("spec.selector.matchExpressions[0].") for error in errors)
    assert expected in str(errors[0])
