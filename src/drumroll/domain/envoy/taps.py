"""How Envoy lets us see both answers to a request: a tap filter, off but on the routes of a comparison."""

from drumroll.domain.envoy import types
from drumroll.objects.meta import Obj

TAP = "envoy.filters.http.tap"
CONFIG_ID = "drumroll"
PAIR_HEADER = "x-drumroll-pair"
"""An id that a request and its copy share."""


def tap_filter() -> Obj:
    """The filter, off until a route turns it on. One admin stream serves all filters of a configuration id."""
    config = {
        "@type": types.TAP,
        "record_headers_received_time": True,
        "common_config": {"admin_config": {"config_id": CONFIG_ID}},
    }
    return {"name": TAP, "typed_config": config, "disabled": True}


def tapped() -> Obj:
    """A route's `typed_per_filter_config` entry that turns the filter on."""
    return {TAP: {"@type": types.FILTER_CONFIG, "config": {}}}


def pair_header() -> Obj:
    """A new id for every request; its copy is made afterwards, so it has the same one."""
    header = {"key": PAIR_HEADER, "value": "%UNIQUE_ID%"}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
