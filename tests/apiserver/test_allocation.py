"""Addresses and node ports of Services: unique, honoured when asked for, given back."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from tests.apiserver.server import Server, service

pytestmark = pytest.mark.asyncio
SERVICES = "/api/v1/namespaces/default/services"


async def addresses(server: Server) -> list[str]:
    return [item["spec"]["clusterIP"] for item in (await server.made("GET", SERVICES))["items"]]


async def test_the_kubernetes_service_has_the_first_address(server):
    assert (await server.made("GET", f"{SERVICES}/kubernetes"))["spec"]["clusterIP"] == "10.96.0.1"


async def test_a_small_range_is_used_up_without_its_reserved_addresses_and_then_refuses():
    server = Server(services="10.9.0.0/28")
    await server.api.prepare()
    for n in range(12):
        await server.made("POST", SERVICES, service(f"s{n}"))
    assert sorted(await addresses(server)) == sorted(f"10.9.0.{n}" for n in range(1, 15) if n != 10)
    await server.refused(500, "POST", SERVICES, service("more"))
    await server.made("DELETE", f"{SERVICES}/s3")
    await server.made("POST", SERVICES, service("more"))


async def test_an_address_may_be_asked_for_once(server):
    await server.made("POST", SERVICES, service("a", clusterIP="10.96.0.10"))
    message = await server.refused(422, "POST", SERVICES, service("b", clusterIP="10.96.0.10"))
    assert "failed to allocate IP 10.96.0.10: provided IP is already allocated" in message
    await server.made("DELETE", f"{SERVICES}/a")
    await server.made("POST", SERVICES, service("b", clusterIP="10.96.0.10"))


async def test_an_address_outside_of_the_range_is_refused(server):
    message = await server.refused(422, "POST", SERVICES, service("a", clusterIP="10.97.0.1"))
    assert "the provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/16" in message


async def test_services_of_another_range_are_moved_when_the_server_starts(server):
    """As when a home changes its isolation: pods and Services have other ranges then."""
    await server.made("POST", SERVICES, service("web", type="NodePort", ports=[{"port": 80, "nodePort": 31000}]))
    await server.made("POST", SERVICES, service("pinned", clusterIP="10.96.3.3"))
    await server.made("POST", SERVICES, service("headless", clusterIP="None"))
    await server.made("POST", SERVICES, service("away", type="ExternalName", externalName="example.org", ports=[]))
    moved = Server(server.store, services="127.96.4.0/22")
    await moved.api.prepare()
    items = {item["metadata"]["name"]: item["spec"] for item in (await moved.made("GET", SERVICES))["items"]}
    assert items["kubernetes"]["clusterIP"] == "127.96.4.1"
    assert items["headless"]["clusterIP"] == "None"
    assert "clusterIP" not in items["away"]
    found = [items["web"]["clusterIP"], items["pinned"]["clusterIP"]]
    assert all(IPv4Address(address) in IPv4Network("127.96.4.0/22") for address in found)
    assert items["web"]["clusterIPs"] == found[:1] != found[1:]
    assert items["web"]["ports"][0]["nodePort"] == 31000
    await moved.refused(422, "POST", SERVICES, service("twice", clusterIP=found[0]))
    await moved.refused(422, "POST", SERVICES, service("same", type="NodePort", ports=[{"port": 1, "nodePort": 31000}]))
    revision = moved.store.revision
    await Server(moved.store, services="127.96.4.0/22").api.prepare()
    assert moved.store.revision == revision


async def test_a_refused_service_holds_nothing(server):
    wanted = {"type": "NodePort", "clusterIP": "10.96.3.3", "ports": [{"port": 80, "nodePort": 99}]}
    await server.refused(422, "POST", SERVICES, service("a", **wanted))
    await server.made("POST", f"{SERVICES}?dryRun=All", service("a", clusterIP="10.96.3.3"))
    await server.made("POST", SERVICES, service("b", clusterIP="10.96.3.3"))


async def test_node_ports_come_from_their_range_and_are_unique(server):
    for n in range(20):
        await server.made("POST", SERVICES, service(f"s{n}", type="NodePort"))
    items = (await server.made("GET", SERVICES))["items"]
    ports = [port["nodePort"] for item in items for port in item["spec"]["ports"] if "nodePort" in port]
    assert len(set(ports)) == 20
    assert all(30000 <= port <= 32767 for port in ports)


async def test_a_node_port_may_be_asked_for_once(server):
    ports = [{"port": 80, "nodePort": 31000}]
    await server.made("POST", SERVICES, service("a", type="NodePort", ports=ports))
    message = await server.refused(422, "POST", SERVICES, service("b", type="NodePort", ports=ports))
    assert "spec.ports[0].nodePort: Invalid value: 31000: provided port is already allocated" in message


async def test_a_service_that_changes_its_type_gets_and_gives_back(server):
    await server.made("POST", SERVICES, service("a"))
    node_port = {"spec": {"type": "NodePort"}}
    made = await server.made("PATCH", f"{SERVICES}/a", node_port)
    number = made["spec"]["ports"][0]["nodePort"]
    await server.made("PATCH", f"{SERVICES}/a", {"spec": {"type": "ClusterIP"}})
    wanted = service("b", type="NodePort", ports=[{"port": 80, "nodePort": number}])
    await server.made("POST", SERVICES, wanted)


async def test_changing_something_else_keeps_address_and_ports(server):
    before = await server.made("POST", SERVICES, service("a", type="NodePort"))
    after = await server.made("PATCH", f"{SERVICES}/a", {"spec": {"selector": {"app": "y"}}})
    assert after["spec"]["clusterIP"] == before["spec"]["clusterIP"]
    assert after["spec"]["ports"] == before["spec"]["ports"]


async def test_what_is_held_is_known_again_after_a_restart(server):
    await server.made("POST", SERVICES, service("a", clusterIP="10.96.7.7"))
    again = Server(server.store)
    await again.api.prepare()
    assert "already allocated" in await again.refused(422, "POST", SERVICES, service("b", clusterIP="10.96.7.7"))
