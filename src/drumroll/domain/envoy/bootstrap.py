"""What Envoy is told at its start: where the control plane and the admin socket are. The rest comes over ADS."""

from drumroll.domain.envoy import types
from drumroll.domain.envoy.counting import stats_config
from drumroll.objects.meta import Obj

CONTROL_PLANE = "drumroll-control-plane"


def bootstrap(ads_socket: str, admin_socket: str) -> Obj:
    """The bootstrap configuration; both sockets are Unix paths, so nothing of it can be reached from the network."""
    return {
        "node": {"id": "drumroll", "cluster": "drumroll"},
        "admin": {"address": {"pipe": {"path": admin_socket, "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": CONTROL_PLANE, "retry_policy": _RECONNECT}}],
            },
            "cds_config": types.ADS,
            "lds_config": types.ADS,
        },
        **stats_config(),
        "static_resources": {"clusters": [_control_plane(ads_socket)]},
    }


_RECONNECT = {"retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"}}
"""The default grows to 30 s after an outage of the control plane."""


def _control_plane(ads_socket: str) -> Obj:
    host = {"endpoint": {"address": {"pipe": {"path": ads_socket}}}}
    options = {"@type": types.HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}
    return {
        "name": CONTROL_PLANE,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {types.HTTP_OPTIONS_KEY: options},
        "load_assignment": {"cluster_name": CONTROL_PLANE, "endpoints": [{"lb_endpoints": [host]}]},
    }
