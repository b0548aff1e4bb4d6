"""A listener of Envoy's own through which copies pass, so that their answers are seen without us in the way."""

from drumroll.domain.envoy.gateway_routes import MIRROR_MARK
from drumroll.domain.envoy.listeners import connection_manager
from drumroll.domain.envoy.taps import tapped
from drumroll.objects.meta import Obj


def refusing_copies(table: Obj) -> Obj:
    """The route configuration, but copies, and what programs ask on account of copies, are answered with 403."""
    refusal = {
        "status": 403,
        "body": {"inline_string": "copies of requests are refused here (drumroll.dev/refuse-copies)\n"},
    }
    signs = (
        {"name": MIRROR_MARK, "present_match": True},
        {"name": "baggage", "string_match": {"safe_regex": {"regex": r"(?:.*,)?\s*drumroll-copy\s*=.*"}}},
    )
    refused = [{"match": {"prefix": "/", "headers": [sign]}, "direct_response": refusal} for sign in signs]
    hosts = [{**host, "routes": [*refused, *host["routes"]]} for host in table["virtual_hosts"]]
    return {**table, "virtual_hosts": hosts}


def copies_cluster(name: str, socket: str) -> Obj:
    """The way into the copies' listener."""
    endpoint = {"endpoint": {"address": {"pipe": {"path": socket}}}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "3s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def copies_listener(name: str, socket: str) -> Obj:
    """The listener through which the copies pass."""
    chain = {"filters": [connection_manager(name, name, edge=False)]}
    return {"name": name, "address": {"pipe": {"path": socket, "mode": 0o600}}, "filter_chains": [chain]}


def copies_routes(name: str, target: str) -> Obj:
    """Everything to the shadow, seen by the tap; nothing is asked again, and a copy never waits for ever."""
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster": target, "timeout": "60s"},
        "typed_per_filter_config": tapped(),
    }
    hosts = [{"name": "all", "domains": ["*"], "routes": [route]}]
    return {"name": name, "virtual_hosts": hosts, "validate_clusters": False}
