"""Volumes as files: contents, modes, atomic change, subPath, hostPath types."""

import base64
import stat
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from drumroll.domain.expansion_fields import PodPlace
from drumroll.node.tokens import Tokens
from drumroll.node.volumes import container_mounts, set_up_volumes, unenforced_limits, write_atomically
from drumroll.node.volumes_content import VolumeError, sources_of
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import SERVICE_ACCOUNT

OBJECTS = {
    "conf": {"data": {"name": "My Shop", "colour": "red"}, "binaryData": {"bin": base64.b64encode(b"\0\1").decode()}},
    "keys": {"data": {"password": base64.b64encode(b"secret").decode()}},
}


class Client:
    async def get(self, kind, namespace, name):
        if name not in OBJECTS:
            raise NotFound(name)
        return OBJECTS[name]

    async def create(self, obj, *, subresource, parent):
        assert (subresource, parent, obj["spec"]["boundObjectRef"]["uid"]) == ("token", SERVICE_ACCOUNT, "u1")
        return {"status": {"token": "a.b.c", "expirationTimestamp": "2026-01-01T01:00:00Z"}}


NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = SimpleNamespace(
    client=Client(), place=lambda ip: PodPlace(ip, "10.244.0.1", 2, 4096), tokens=Tokens(), now=lambda: NOW
)


def pod(*volumes, **container):
    meta = {"name": "web", "namespace": "default", "uid": "u1", "labels": {"app": "web"}}
    first = {"name": "web", "resources": {"limits": {"cpu": "250m"}}, **container}
    return {"metadata": meta, "spec": {"volumes": list(volumes), "containers": [first]}}


async def shown(tmp_path, source):
    places = await set_up_volumes(CONTEXT, pod({"name": "v", **source}), tmp_path)
    folder = places["v"]
    return {
        str(path.relative_to(folder)): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.relative_to(folder).parts[0].startswith("..")
    }


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            {"configMap": {"name": "conf", "defaultMode": 0o640}},
            {"bin": (b"\0\1", 0o640), "colour": (b"red", 0o640), "name": (b"My Shop", 0o640)},
            id="a ConfigMap's keys with the default mode",
        ),
        pytest.param(
            {"configMap": {"name": "conf", "items": [{"key": "name", "path": "n", "mode": 0o400}]}},
            {"n": (b"My Shop", 0o400)},
            id="items choose, name and set the mode",
        ),
        pytest.param({"secret": {"secretName": "keys"}}, {"password": (b"secret", 0o644)}, id="a Secret decoded"),
        pytest.param({"configMap": {"name": "none", "optional": True}}, {}, id="an optional one that is missing"),
        pytest.param(
            {"configMap": {"name": "conf", "optional": True, "items": [{"key": "none", "path": "n"}]}},
            {},
            id="an optional key that is missing",
        ),
        pytest.param(
            {
                "downwardAPI": {
                    "items": [
                        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                        {"path": "cpu", "resourceFieldRef": {"containerName": "web", "resource": "limits.cpu"}},
                    ]
                }
            },
            {"cpu": (b"1", 0o644), "labels": (b'app="web"', 0o644)},
            id="facts of the pod itself",
        ),
        pytest.param(
            {
                "projected": {
                    "defaultMode": 0o600,
                    "sources": [
                        {"secret": {"name": "keys"}},
                        {"configMap": {"name": "conf", "items": [{"key": "name", "path": "n"}]}},
                        {"serviceAccountToken": {"path": "token"}},
                    ],
                }
            },
            {"n": (b"My Shop", 0o600), "password": (b"secret", 0o600), "token": (b"a.b.c", 0o600)},
            id="several sources in one folder",
        ),
        pytest.param({"emptyDir": {}}, {}, id="an empty folder"),
    ],
)
async def test_what_a_volume_shows(tmp_path, source, expected):
    assert await shown(tmp_path, source) == expected


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        (
            {"configMap": {"name": "conf", "items": [{"key": "x", "path": "x"}]}},
            "references non-existent config key: x",
        ),
        ({"hostPath": {"path": "/none/such", "type": "Directory"}}, "/none/such is not a directory"),
        ({"hostPath": {"path": "/etc", "type": "File"}}, "/etc is not a file"),
    ],
)
async def test_what_cannot_be_mounted_says_why(tmp_path, source, message):
    with pytest.raises(VolumeError) as caught:
        await set_up_volumes(CONTEXT, pod({"name": "v", **source}), tmp_path)
    assert str(caught.value).startswith('MountVolume.SetUp failed for volume "v" : ')
    assert message in str(caught.value)


@pytest.mark.asyncio
async def test_host_paths_are_made_where_asked(tmp_path):
    volumes = (
        {"name": "folder", "hostPath": {"path": str(tmp_path / "a" / "b"), "type": "DirectoryOrCreate"}},
        {"name": "file", "hostPath": {"path": str(tmp_path / "f"), "type": "FileOrCreate"}},
        {"name": "any", "hostPath": {"path": "/etc"}},
    )
    places = await set_up_volumes(CONTEXT, pod(*volumes), tmp_path)
    assert places["folder"].is_dir()
    assert places["file"].is_file()
    assert str(places["any"]) == "/etc"


def test_files_change_all_at_once_and_only_when_they_differ(tmp_path):
    assert write_atomically(tmp_path, {"a": (b"1", 0o644), "b": (b"1", 0o644)})
    first = (tmp_path / "..data").resolve()
    assert not write_atomically(tmp_path, {"a": (b"1", 0o644), "b": (b"1", 0o644)})
    assert (tmp_path / "..data").resolve() == first
    assert write_atomically(tmp_path, {"a": (b"2", 0o644), "deep/c": (b"3", 0o600)})
    assert not first.exists()
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("..")) == ["a", "deep"]
    assert ((tmp_path / "a").read_text(), (tmp_path / "deep" / "c").read_text()) == ("2", "3")


def test_a_mode_alone_is_a_change(tmp_path):
    write_atomically(tmp_path, {"a": (b"1", 0o644)})
    assert write_atomically(tmp_path, {"a": (b"1", 0o600)})


def test_mounts_and_sub_paths(tmp_path):
    write_atomically(tmp_path / "conf", {"name": (b"My Shop", 0o644)})
    (tmp_path / "data").mkdir()
    mounts = [
        {"name": "conf", "mountPath": "/conf"},
        {"name": "conf", "mountPath": "/etc/name", "subPath": "name"},
        {"name": "data", "mountPath": "/data", "subPathExpr": "$(POD)/x"},
        {"name": "data", "mountPath": "/ro", "readOnly": True},
        {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
    ]
    subject = pod(
        {"name": "conf", "configMap": {"name": "conf"}}, {"name": "data", "emptyDir": {}}, volumeMounts=mounts
    )
    places = {"conf": tmp_path / "conf", "data": tmp_path / "data"}
    found = container_mounts(subject, subject["spec"]["containers"][0], places, {"POD": "web"})
    assert [(m.target, m.read_only) for m in found] == [
        ("/conf", True), ("/etc/name", True), ("/data", False), ("/ro", True),
    ]  # fmt: skip
    assert found[1].source.read_text() == "My Shop"
    assert found[2].source == (tmp_path / "data" / "web" / "x").resolve()
    assert found[2].source.is_dir()


def test_a_sub_path_may_not_leave_its_volume(tmp_path):
    (tmp_path / "data").mkdir()
    mounts = [{"name": "data", "mountPath": "/data", "subPath": "../other"}]
    subject = pod({"name": "data", "emptyDir": {}}, volumeMounts=mounts)
    with pytest.raises(VolumeError):
        container_mounts(subject, subject["spec"]["containers"][0], {"data": tmp_path / "data"}, {})


def test_which_objects_a_pod_shows():
    subject = pod(
        {"name": "a", "configMap": {"name": "conf"}},
        {"name": "b", "secret": {"secretName": "keys"}},
        {"name": "c", "projected": {"sources": [{"secret": {"name": "more"}}, {"configMap": {"name": "rest"}}]}},
        {"name": "d", "emptyDir": {}},
    )
    assert sources_of(subject) == {
        ("ConfigMap", "conf"), ("Secret", "keys"), ("Secret", "more"), ("ConfigMap", "rest"),
    }  # fmt: skip


def test_limits_that_nobody_enforces_are_told():
    def pod(*volumes):
        return {"spec": {"volumes": list(volumes)}}

    assert unenforced_limits({"spec": {}}) == ""
    assert unenforced_limits(pod({"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "b"}})) == ""
    limited = pod({"name": "a", "emptyDir": {"sizeLimit": "1Mi"}}, {"name": "b", "emptyDir": {"sizeLimit": "1Gi"}})
    assert unenforced_limits(limited) == "sizeLimit of emptyDir volumes is not enforced here: a, b"
