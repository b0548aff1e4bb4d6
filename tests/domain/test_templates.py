"""Template equality and hashes."""

from typing import Any

import pytest

from drumroll.domain.templates import ALPHABET, is_same_template, template_hash


def template(**container: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", **container}]}}


def limits(cpu: str) -> dict[str, Any]:
    return template(resources={"limits": {"cpu": cpu}})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(template(image="a"), template(image="b"), False, id="another image"),
        pytest.param(template(env=[]), template(), True, id="an empty list is none"),
        pytest.param(template(env=None), template(), True, id="null is none"),
        pytest.param(limits("250m"), limits("0.25"), True, id="quantities by value"),
        pytest.param(limits("250m"), limits("0.5"), False, id="another quantity"),
        pytest.param(template(command=["a", "b"]), template(command=["b", "a"]), False, id="order counts"),
        pytest.param(template(tty=False), template(), False, id="false is a value"),
    ],
)
def test_equality(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    assert is_same_template(one, other) is same
    assert (template_hash(one, None) == template_hash(other, None)) is same


def test_the_hash_label_makes_no_difference() -> None:
    labelled = template()
    labelled["metadata"] = {"labels": {"app": "web", "pod-template-hash": "x"}}
    assert is_same_template(labelled, template())


def test_a_collision_changes_the_hash_and_it_is_speakable() -> None:
    hashes = {template_hash(template(), count) for count in (None, 0, 1, 2)}
    assert len(hashes) == 4
    assert all(set(one) <= set(ALPHABET) and 1 <= len(one) <= 10 for one in hashes)
