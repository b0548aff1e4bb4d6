"""Who owns which fields after creates, updates and patches."""

import copy

import pytest

from drumroll.domain.defaults import set_defaults
from drumroll.domain.managed_fields import ANCIENT, Writer, same_but_for_times, schema_of, track
from drumroll.objects.decode import decode
from drumroll.objects.fieldset import difference, intersection, paths, union, without
from drumroll.objects.kinds import CONFIG_MAP, DEPLOYMENT, ENDPOINT_SLICE, POD, SERVICE

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"
CONTAINER = {".": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {}, "f:resources": {},
             "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {}}  # fmt: skip


def created(kind, *, by="a", **content):
    import orjson

    body = orjson.dumps({"metadata": {"name": "x", "namespace": "n"}, **content})
    obj = decode(body, "application/json", kind).obj
    set_defaults(kind, obj)
    track(schema_of(kind), Writer(by, "", EARLY), obj, None)
    return obj


def changed(kind, old, change, *, by="b", subresource="", time=LATE):
    new = copy.deepcopy(old)
    change(new)
    track(schema_of(kind), Writer(by, subresource, time), new, old)
    return new


def owned(obj):
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", ())
    }


def pod(**spec):
    return created(POD, spec={"containers": [{"name": "web", "image": "app:1"}], **spec})


def test_a_new_object_belongs_to_its_creator_less_what_the_system_sets():
    made = created(DEPLOYMENT, spec={
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "i"}]}},
    }, status={"replicas": 9})  # fmt: skip
    (entry,) = made["metadata"]["managedFields"]
    assert {name: entry[name] for name in entry if name != "fieldsV1"} == {
        "manager": "a", "operation": "Update", "apiVersion": "apps/v1", "time": EARLY, "fieldsType": "FieldsV1",
    }  # fmt: skip
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:progressDeadlineSeconds": {}, "f:replicas": {}, "f:revisionHistoryLimit": {}, "f:selector": {},
            "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}, "f:type": {}},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {'k:{"name":"web"}': CONTAINER}, "f:dnsPolicy": {}, "f:restartPolicy": {},
                    "f:schedulerName": {}, "f:securityContext": {}, "f:terminationGracePeriodSeconds": {},
                },
            },
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "content", "path", "fields"),
    [
        (SERVICE, {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}, ("f:spec", "f:ports"),
         {".": {}, 'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {}}}),
        (CONFIG_MAP, {"data": {"a/b": "1"}}, ("f:data",), {".": {}, "f:a/b": {}}),
        (CONFIG_MAP, {"metadata": {"finalizers": ["x/y", "a/b"]}}, ("f:metadata", "f:finalizers"),
         {".": {}, 'v:"x/y"': {}, 'v:"a/b"': {}}),
        (CONFIG_MAP, {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "k", "uid": "u"}]}},
         ("f:metadata",), {"f:ownerReferences": {".": {}, 'k:{"uid":"u"}': {}}}),
        (ENDPOINT_SLICE, {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": []}, (),
         {"f:addressType": {}, "f:endpoints": {}, "f:ports": {}}),
        (POD, {"spec": {"containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "v", "emptyDir": {}}]}},
         ("f:spec", "f:volumes"), {".": {}, 'k:{"name":"v"}': {".": {}, "f:emptyDir": {}, "f:name": {}}}),
        (POD, {"spec": {"containers": [{"name": "c", "image": "i", "env": [
            {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}]}},
         ("f:spec", "f:containers", 'k:{"name":"c"}', "f:env"),
         {".": {}, 'k:{"name":"N"}': {".": {}, "f:name": {}, "f:valueFrom": {".": {}, "f:fieldRef": {}}}}),
    ],
)  # fmt: skip
def test_lists_and_maps_are_owned_as_their_types_say(kind, content, path, fields):
    found = owned(created(kind, **content))["a", "Update", ""]
    for step in path:
        found = found[step]
    assert found == fields


def test_a_change_moves_the_field_and_dates_the_entry():
    old = created(CONFIG_MAP, data={"a": "1", "b": "2"})
    new = changed(CONFIG_MAP, old, lambda obj: obj["data"].update(a="9", c="3"))
    assert owned(new) == {
        ("a", "Update", ""): {"f:data": {".": {}, "f:b": {}}},
        ("b", "Update", ""): {"f:data": {"f:a": {}, "f:c": {}}},
    }
    assert [entry["time"] for entry in new["metadata"]["managedFields"]] == [EARLY, LATE]


def test_one_manager_has_one_entry_and_a_removal_dates_nothing():
    old = created(CONFIG_MAP, data={"a": "1", "b": "2"})
    grown = changed(CONFIG_MAP, old, lambda obj: obj["data"].update(c="3"), by="a")
    assert owned(grown) == {("a", "Update", ""): {"f:data": {".": {}, "f:a": {}, "f:b": {}, "f:c": {}}}}
    shrunk = changed(CONFIG_MAP, old, lambda obj: obj["data"].pop("a"), by="a")
    assert shrunk["metadata"]["managedFields"][0]["time"] == EARLY
    assert owned(shrunk) == {("a", "Update", ""): {"f:data": {".": {}, "f:b": {}}}}


def test_an_entry_that_owns_nothing_vanishes():
    old = created(CONFIG_MAP, data={"a": "1"})
    assert owned(changed(CONFIG_MAP, old, lambda obj: obj.pop("data"))) == {}


def test_no_change_changes_no_entry():
    old = pod()
    new = changed(POD, old, lambda obj: None)
    assert new["metadata"]["managedFields"] is not None
    assert new["metadata"] == old["metadata"]


def test_a_status_has_an_entry_of_its_own_and_does_not_own_the_spec():
    def ready(obj):
        obj["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None}]}
        obj["spec"]["nodeName"] = "n1"

    new = changed(POD, pod(), ready, by="kubelet", subresource="status")
    assert owned(new)["kubelet", "Update", "status"]["f:status"] == {
        "f:phase": {},
        "f:conditions": {
            ".": {}, 'k:{"type":"Ready"}': {".": {}, "f:lastProbeTime": {}, "f:status": {}, "f:type": {}},
        },
    }  # fmt: skip
    assert "f:spec" not in owned(new)["kubelet", "Update", "status"]
    (entry,) = (e for e in new["metadata"]["managedFields"] if e["manager"] == "kubelet")
    assert entry["subresource"] == "status"


def test_only_one_item_of_a_list_moves():
    old = pod(initContainers=[{"name": "i", "image": "x"}])
    new = changed(POD, old, lambda obj: obj["spec"]["containers"][0].update(image="app:2"))
    assert owned(new)["b", "Update", ""] == {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}}
    assert "f:image" not in owned(new)["a", "Update", ""]["f:spec"]["f:containers"]['k:{"name":"web"}']


def test_clients_may_rewrite_the_entries_and_forget_them():
    old = created(CONFIG_MAP, data={"a": "1"})
    mine = [{**old["metadata"]["managedFields"][0], "manager": "me"}]
    assert list(owned(changed(CONFIG_MAP, old, lambda o: o["metadata"].update(managedFields=mine)))) == [
        ("me", "Update", "")
    ]
    unreadable = [{"manager": "me", "operation": "Guess"}]
    kept = changed(CONFIG_MAP, old, lambda o: o["metadata"].update(managedFields=unreadable))
    assert kept["metadata"]["managedFields"] == old["metadata"]["managedFields"]
    reset = changed(CONFIG_MAP, old, lambda o: o["metadata"].update(managedFields=[{}]))
    assert "managedFields" not in reset["metadata"]
    assert "managedFields" not in changed(CONFIG_MAP, reset, lambda o: o["data"].update(b="2"))["metadata"]


def test_a_status_write_cannot_rewrite_the_entries():
    old = pod()
    mine = [{**old["metadata"]["managedFields"][0], "manager": "me"}]
    new = changed(POD, old, lambda o: o["metadata"].update(managedFields=mine), subresource="status")
    assert list(owned(new)) == [("a", "Update", "")]


def test_an_eleventh_updater_makes_the_oldest_two_ancient():
    obj = created(CONFIG_MAP, by="m0", data={"k0": "0"})
    for number in range(1, 14):
        time = f"2026-01-01T00:01:{number:02}Z"
        obj = changed(CONFIG_MAP, obj, lambda o, n=number: o["data"].update({f"k{n}": "x"}), by=f"m{number}", time=time)
        assert len(obj["metadata"]["managedFields"]) == min(number + 1, 10)
    ancient = obj["metadata"]["managedFields"][0]
    assert (ancient["manager"], ancient["time"]) == (ANCIENT, "2026-01-01T00:01:04Z")
    assert ancient["fieldsV1"] == {"f:data": {".": {}, **{f"f:k{number}": {} for number in range(5)}}}


def test_times_do_not_count_when_entries_are_compared():
    (entry,) = created(CONFIG_MAP, data={"a": "1"})["metadata"]["managedFields"]
    assert same_but_for_times([entry], [{**entry, "time": LATE}])
    assert not same_but_for_times([entry], [{**entry, "manager": "z"}])
    assert not same_but_for_times([entry], None)


def test_the_algebra_of_sets():
    one = {"f:a": {}, "f:b": {".": {}, "f:c": {}}}
    assert union(one, {"f:b": {"f:d": {}}}) == {"f:a": {}, "f:b": {".": {}, "f:c": {}, "f:d": {}}}
    assert difference(one, {"f:b": {}}) == {"f:a": {}, "f:b": {"f:c": {}}}
    assert difference(one, {"f:b": {"f:c": {}}}) == {"f:a": {}, "f:b": {}}
    assert difference(one, one) == {}
    assert intersection(one, {"f:b": {"f:c": {}, "f:e": {}}}) == {"f:b": {"f:c": {}}}
    assert intersection({"f:b": {"f:c": {}}}, {"f:b": {}}) == {}
    assert without(one, ("f:b",), ("f:x", "f:y")) == {"f:a": {}}
    shown = {"f:b": {'k:{"port":80,"name":"web"}': {"f:c": {}}, 'v:"x"': {}}, "f:a": {}}
    assert list(paths(shown)) == [".a", '.b[="x"]', '.b[name="web",port=80].c']
