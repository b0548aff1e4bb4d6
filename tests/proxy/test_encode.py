"""Endpoints are encoded piece by piece, and come out as the library would encode them whole."""

from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from google.protobuf.json_format import ParseDict

from drumroll.domain.endpoint_life import Address, Entry, Phase
from drumroll.domain.envoy import types
from drumroll.domain.envoy.clusters import load_assignment
from drumroll.proxy.encode import encode


def test_endpoints_are_as_the_library_encodes_them() -> None:
    phases = (Phase.HEALTHY, Phase.DRAINING)
    entries = {Address(f"10.0.0.{n}", 80 + n % 3): Entry(phases[n % 2], 1) for n in range(20)}
    for revisions in ({}, {"10.0.0.1": "abc", "10.0.0.2": "abc", "10.0.0.3": "def"}):
        for held in (entries, {}):
            resource = load_assignment("shop/web/http", held, revisions)
            found = ClusterLoadAssignment.FromString(encode(types.ENDPOINTS, resource).value)
            assert found == ParseDict(resource, ClusterLoadAssignment())
