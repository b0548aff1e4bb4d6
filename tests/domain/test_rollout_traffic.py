"""What routers write for a share of the traffic: the Gateway API, nginx and SMI."""

from copy import deepcopy
from typing import Any

import pytest

from drumroll.domain.actions import Create, Patch
from drumroll.domain.ingress_annotations import acknowledgement_of
from drumroll.domain.rollout.analysis import ExperimentShare
from drumroll.domain.rollout.inputs import Inputs
from drumroll.domain.rollout.traffic import Routed, Share, route
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Key, Obj
from drumroll.objects.patch import merge
from tests.domain.rollout_world import SERVICES, http_route, rollout

LABEL = "rollouts.argoproj.io/gatewayapi-canary"
HEADER = {"name": "beta", "match": [{"headerName": "x-beta", "headerValue": {"exact": "yes"}}]}
MIRROR = {"name": "copy", "match": [{"path": {"prefix": "/pay"}, "method": {"exact": "POST"}}], "percentage": 10}


def share(weight: int, *managed: Obj, **more: Any) -> Share:
    return Share("web-stable", "web-canary", weight, managed=managed, **more)


def gateway(**config: Any) -> Obj:
    plugin = {"argoproj-labs/gatewayAPI": {"httpRoute": "web", **config}}
    routing = {"plugins": plugin, "managedRoutes": [{"name": "beta"}, {"name": "copy"}]}
    return rollout(**SERVICES, trafficRouting=routing)


def routed(one: Obj, wanted: Share, *routes: Obj, **there: Any) -> Routed:
    return route(Inputs(one, routes=routes, **there), Rollout(one), wanted)


def patched(route_obj: Obj, answer: Routed) -> Obj:
    [action] = answer.actions
    assert isinstance(action, Patch)
    made: Obj = merge(route_obj, action.patch)
    made["metadata"]["generation"] += 1
    return made


def acknowledged(obj: Obj, kind: str = "drumroll.dev/Acknowledged", behind: int = 0) -> Obj:
    condition = {"type": kind, "status": "True", "observedGeneration": obj["metadata"]["generation"] - behind}
    return {**obj, "status": {"parents": [{"conditions": [condition]}]}}


def backends(rule: Obj) -> dict[str, int]:
    return {ref["name"]: ref["weight"] for ref in rule["backendRefs"]}


def test_weights_go_into_every_rule_that_leads_to_both_services() -> None:
    other = {"backendRefs": [{"name": "else", "port": 80, "weight": 7}]}
    before = http_route()
    before["spec"]["rules"].append(other)
    after = patched(before, routed(gateway(), share(30), before))
    assert backends(after["spec"]["rules"][0]) == {"web-stable": 70, "web-canary": 30}
    assert after["spec"]["rules"][1] == other
    assert after["metadata"]["labels"] == {LABEL: "in-progress"}
    back = patched(after, routed(gateway(), share(0), after))
    assert backends(back["spec"]["rules"][0]) == {"web-stable": 100, "web-canary": 0}
    assert back["metadata"]["labels"] == {}


def test_a_greatest_weight_of_a_thousand_splits_finer() -> None:
    after = patched(http_route(), routed(gateway(), share(5, most=1000), http_route()))
    assert backends(after["spec"]["rules"][0]) == {"web-stable": 995, "web-canary": 5}


def test_a_weight_is_verified_when_the_generation_that_has_it_is_acknowledged() -> None:
    after = patched(http_route(), routed(gateway(), share(30), http_route()))
    assert routed(gateway(), share(30), http_route()).is_verified is False
    assert routed(gateway(), share(30), after).is_verified is False
    assert routed(gateway(), share(30), acknowledged(after, behind=1)).is_verified is False
    assert routed(gateway(), share(30), acknowledged(after)) == Routed((), is_verified=True)
    assert routed(gateway(), share(30), acknowledged(after, "Accepted")).is_verified is True
    both = acknowledged(after, "Accepted")
    both["status"]["parents"][0]["conditions"].append({"type": "drumroll.dev/Acknowledged", "status": "False"})
    assert routed(gateway(), share(30), both).is_verified is False


def test_headers_lead_to_the_canary_by_a_rule_after_the_users() -> None:
    match = [
        {"headerName": "x-beta", "headerValue": {"prefix": "y."}},
        {"headerName": "a", "headerValue": {"regex": "b+"}},
    ]
    wanted = share(0, {"setHeaderRoute": {"name": "beta", "match": match}})
    after = patched(http_route(), routed(gateway(), wanted, http_route()))
    own, made = after["spec"]["rules"]
    assert made["name"] == "beta"
    assert made["matches"] == [{
        "path": {"type": "PathPrefix", "value": "/"},
        "headers": [{"type": "RegularExpression", "name": "x-beta", "value": r"^y\..*"},
                    {"type": "RegularExpression", "name": "a", "value": "b+"}],
    }]  # fmt: skip
    assert backends(made) == {"web-canary": 1}
    assert backends(own) == {"web-stable": 100, "web-canary": 0}
    assert routed(gateway(), wanted, acknowledged(after)).actions == ()


def test_a_header_rule_is_ahead_where_only_its_place_lets_it_win() -> None:
    route = http_route()
    route["spec"]["rules"][0]["matches"][0]["headers"] = [{"type": "Exact", "name": "x-beta", "value": "yes"}]
    wanted = share(20, {"setHeaderRoute": HEADER})
    after = patched(route, routed(gateway(), wanted, route))
    assert [rule.get("name") for rule in after["spec"]["rules"]] == [HEADER["name"], None]
    assert routed(gateway(), wanted, acknowledged(after)).actions == ()


def test_a_mirror_copies_to_the_canary_what_goes_where_it_went() -> None:
    wanted = share(20, {"setMirrorRoute": MIRROR})
    after = patched(http_route(), routed(gateway(), wanted, http_route()))
    first = after["spec"]["rules"][0]
    assert first["name"] == "copy"
    assert first["matches"] == [{"path": {"type": "PathPrefix", "value": "/pay"}, "method": "POST"}]
    [found] = first["filters"]
    assert found["requestMirror"] == {"backendRef": {"name": "web-canary", "port": 80}, "percent": 10}
    assert backends(first) == {"web-stable": 80, "web-canary": 20}


def test_a_managed_rule_that_somebody_changed_or_deleted_comes_back() -> None:
    wanted = share(20, {"setHeaderRoute": HEADER}, {"setMirrorRoute": MIRROR})
    good = patched(http_route(), routed(gateway(), wanted, http_route()))
    changed, deleted = deepcopy(good), deepcopy(good)
    assert [rule.get("name") for rule in good["spec"]["rules"]] == [MIRROR["name"], None, HEADER["name"]]
    changed["spec"]["rules"][2]["matches"][0]["headers"][0]["value"] = "no"
    changed["spec"]["rules"][1]["backendRefs"][1]["weight"] = 90
    del deleted["spec"]["rules"][2], deleted["spec"]["rules"][0]
    for broken in (changed, deleted):
        assert patched(broken, routed(gateway(), wanted, broken))["spec"] == good["spec"]
    defaulted = deepcopy(good)
    defaulted["spec"]["rules"][0]["filters"][0]["requestMirror"]["backendRef"] |= {"group": "", "kind": "Service"}
    assert routed(gateway(), wanted, defaulted).actions == ()
    gone = patched(good, routed(gateway(), share(20), good))
    assert [rule.get("name") for rule in gone["spec"]["rules"]] == [None]


def test_rules_without_their_names_are_not_made_again_and_again() -> None:
    wanted = share(20, {"setHeaderRoute": HEADER})
    after = patched(http_route(), routed(gateway(), wanted, http_route()))
    del after["spec"]["rules"][1]["name"]  # an older definition of the route forgets it
    answer = routed(gateway(), wanted, after)
    assert answer.actions == ()
    assert "forgets the names of rules" in answer.faults[0]


def test_an_experiment_takes_its_part_of_the_stable_share_and_gives_it_back() -> None:
    wanted = share(20, additional=(ExperimentShare("web-try", "h", 5),))
    after = patched(http_route(), routed(gateway(), wanted, http_route()))
    assert backends(after["spec"]["rules"][0]) == {"web-stable": 75, "web-canary": 20, "web-try": 5}
    back = patched(after, routed(gateway(), share(20, former=frozenset({"web-try"})), after))
    assert backends(back["spec"]["rules"][0]) == {"web-stable": 80, "web-canary": 20}


def test_what_is_missing_is_named() -> None:
    [fault] = routed(gateway(), share(20)).faults
    assert fault.startswith("HTTPRoute shop/web is missing")
    lonely = http_route()
    lonely["spec"]["rules"][0]["backendRefs"].pop()
    [fault] = routed(gateway(), share(20), lonely).faults
    assert "no rule with both backends, web-stable and web-canary" in fault


def test_routes_found_by_labels_share_the_weight() -> None:
    selected, other = http_route(), http_route()
    selected["metadata"] |= {"name": "one", "labels": {"for": "web"}}
    other["metadata"]["name"] = "two"
    one = rollout(**SERVICES, trafficRouting={
        "plugins": {"argoproj-labs/gatewayAPI": {"httpRouteSelector": {"matchLabels": {"for": "web"}}}}
    })  # fmt: skip
    [action] = routed(one, share(20), selected, other).actions
    assert isinstance(action, Patch)
    assert action.key.name == "one"


def ingress() -> Obj:
    paths = [{"path": path, "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}}
             for path, name in (("/", "web-stable"), ("/other", "else"))]  # fmt: skip
    rules = [{"host": "web.test", "http": {"paths": paths}}]
    meta = {"name": "front", "namespace": "shop", "uid": "i", "annotations": {"kubernetes.io/ingress.class": "nginx"}}
    return {"kind": "Ingress", "metadata": meta, "spec": {"rules": rules}}


def test_nginx_gets_a_second_ingress_with_its_weight() -> None:
    extra = {"canary-by-header": "x-beta"}
    one = rollout(
        **SERVICES, trafficRouting={"nginx": {"stableIngress": "front", "additionalIngressAnnotations": extra}}
    )
    assert routed(one, share(0), ingresses={"front": ingress()}).actions == ()
    answer = routed(one, share(20), ingresses={"front": ingress()})
    [action] = answer.actions
    assert answer.is_verified is False
    assert isinstance(action, Create)
    made = action.obj
    assert made["metadata"]["name"] == "web-front-canary"
    assert made["metadata"]["annotations"] == {
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": "20",
        "nginx.ingress.kubernetes.io/canary-by-header": "x-beta",
        "kubernetes.io/ingress.class": "nginx",
    }
    [path] = made["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "web-canary", "port": {"number": 80}}
    both = {"front": ingress(), "web-front-canary": made}
    assert routed(one, share(20), ingresses=both) == Routed()
    [change] = routed(one, share(40), ingresses=both).actions
    assert isinstance(change, Patch)
    weight = {"nginx.ingress.kubernetes.io/canary-weight": "40", "drumroll.dev/Acknowledged": None}
    assert change.patch["metadata"]["annotations"] == weight
    del made["metadata"]["ownerReferences"]
    assert "belongs to somebody else" in routed(one, share(40), ingresses=both).faults[0]
    assert "Ingress front is missing" in routed(one, share(40)).faults[0]


CANARY = Key("shop", "web-front-canary")


def pair(weight: int) -> dict[str, Obj]:
    """The stable Ingress, and the canary's with that weight as the controller makes it."""
    [action] = routed(nginx(), share(weight or 1), ingresses={"front": ingress()}).actions
    assert isinstance(action, Create)
    made = {**deepcopy(action.obj), "kind": "Ingress"}
    made["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] = str(weight)
    return {"front": ingress(), "web-front-canary": made}


def nginx(**config: Any) -> Obj:
    return rollout(**SERVICES, trafficRouting={"nginx": {"stableIngress": "front", **config}})


def in_force(obj: Obj, *canaries: Key) -> Obj:
    """The Ingress as the proxy leaves it when Envoy holds what it asks for."""
    notes = {**obj["metadata"]["annotations"], "drumroll.dev/Acknowledged": acknowledgement_of(obj, canaries)}
    return {**obj, "metadata": {**obj["metadata"], "annotations": notes}}


def changed(obj: Obj, **notes: str) -> Obj:
    """The Ingress with other annotations, and what was acknowledged before."""
    meta = obj["metadata"]
    return {**obj, "metadata": {**meta, "annotations": {**meta["annotations"], **notes}}}


FRONT, BESIDE = pair(20)["front"], pair(20)["web-front-canary"]
NEWER = {**in_force(FRONT, CANARY), "metadata": {**in_force(FRONT, CANARY)["metadata"], "generation": 9}}
STALE = {**in_force(BESIDE), "metadata": {**in_force(BESIDE)["metadata"], "generation": 9}}
OTHERS = changed(FRONT, **{"drumroll.dev/Acknowledged": "yes, quite"})


@pytest.mark.parametrize(
    ("weight", "front", "beside", "verified"),
    [
        pytest.param(20, FRONT, BESIDE, None, id="another controller's Ingress: nobody tells"),
        pytest.param(20, in_force(FRONT), BESIDE, False, id="ours, and the canary's is new"),
        pytest.param(20, in_force(FRONT, CANARY), in_force(BESIDE), True, id="both are in force"),
        pytest.param(20, NEWER, in_force(BESIDE), False, id="the stable one has another generation"),
        pytest.param(20, in_force(FRONT, CANARY), STALE, False, id="the canary's has another generation"),
        pytest.param(20, OTHERS, in_force(BESIDE), False, id="words that are not ours"),
        pytest.param(0, FRONT, None, None, id="no canary, and nobody tells"),
        pytest.param(0, in_force(FRONT), None, True, id="no canary was ever there"),
        pytest.param(0, in_force(FRONT, CANARY), None, False, id="a deleted canary still has its part"),
        pytest.param(0, in_force(FRONT, Key("shop", "web-else-canary")), None, True, id="another's canary is there"),
    ],
)
def test_an_nginx_weight_is_verified_when_both_ingresses_are_in_force(
    weight: int, front: Obj, beside: Obj | None, verified: bool | None
) -> None:
    there = {"front": front, **({"web-front-canary": beside} if beside else {})}
    assert routed(nginx(), share(weight), ingresses=there) == Routed(is_verified=verified)


def test_an_nginx_weight_that_was_asked_for_before_is_asked_for_anew() -> None:
    there = {"front": in_force(FRONT, CANARY), "web-front-canary": in_force(BESIDE)}
    for weight in (40, 20):  # 20 was in force before 40 was asked for, and must be acknowledged once more
        answer = routed(nginx(), share(weight), ingresses=there)
        assert answer.is_verified is False
        there["web-front-canary"] = merge(there["web-front-canary"], answer.actions[0].patch)  # type: ignore[union-attr]
        assert routed(nginx(), share(weight), ingresses=there) == Routed(is_verified=False)


def test_annotations_under_another_prefix_are_not_our_proxys() -> None:
    one = nginx(annotationPrefix="other.test")
    [action] = routed(one, share(20), ingresses={"front": ingress()}).actions
    assert isinstance(action, Create)
    there = {"front": in_force(FRONT), "web-front-canary": action.obj}
    assert routed(one, share(20), ingresses=there) == Routed()


def test_smi_gets_a_traffic_split_of_its_own() -> None:
    one = rollout(**SERVICES, trafficRouting={"smi": {"rootService": "web"}})
    [action] = routed(one, share(20)).actions
    assert isinstance(action, Create)
    made = action.obj
    assert made["metadata"]["name"] == "web"
    assert made["spec"] == {
        "service": "web",
        "backends": [{"service": "web-canary", "weight": 20}, {"service": "web-stable", "weight": 80}],
    }
    assert routed(one, share(20), splits={"web": made}) == Routed()  # no mesh says anything
    made["metadata"] |= {"generation": 2, "annotations": {"drumroll.dev/Acknowledged": "1"}}
    assert routed(one, share(20), splits={"web": made}) == Routed(is_verified=False)
    made["metadata"]["annotations"]["drumroll.dev/Acknowledged"] = "2"
    assert routed(one, share(20), splits={"web": made}) == Routed(is_verified=True)
    [change] = routed(one, share(0), splits={"web": made}).actions
    assert isinstance(change, Patch)
    del made["metadata"]["ownerReferences"]
    assert "belongs to somebody else" in routed(one, share(20), splits={"web": made}).faults[0]
