"""Objects with their defaults, and what validation says of them."""

import copy

from drumroll.domain.defaults import set_defaults
from drumroll.domain.validation import validate_create

META = {"name": "x", "namespace": "n"}


def made(kind, spec):
    obj = {"metadata": dict(META), "spec": copy.deepcopy(spec)}
    set_defaults(kind, obj)
    return obj


def refused(kind, spec):
    return [str(error) for error in validate_create(kind, made(kind, spec))]


def pod_spec(spec=None, **container):
    return {"containers": [{"name": "web", "image": "app:1", **container}], **(spec or {})}
