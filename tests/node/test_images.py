import json
import subprocess
import sys
from pathlib import Path

import pytest

from drumroll.node.build import build_image
from drumroll.node.images import ImageStore
from drumroll.node.oci_reference import parse_reference

LAB = "fra.ocir.io/oractdemeabdmnative/h-k8s_repo/storefront:0.0.2"
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "whole", "familiar"),
    [
        pytest.param("storefront", "docker.io/library/storefront:latest", "storefront:latest", id="a bare name"),
        pytest.param("storefront:0.0.1", "docker.io/library/storefront:0.0.1", "storefront:0.0.1", id="a name and tag"),
        pytest.param("me/app:1", "docker.io/me/app:1", "me/app:1", id="a user's name"),
        pytest.param("docker.io/library/a:1", "docker.io/library/a:1", "a:1", id="a whole name"),
        pytest.param("index.docker.io/a:1", "docker.io/library/a:1", "a:1", id="the index's old name"),
        pytest.param("localhost/a", "localhost/a:latest", "localhost/a:latest", id="localhost is a registry"),
        pytest.param("reg:5000/a/b", "reg:5000/a/b:latest", "reg:5000/a/b:latest", id="a port is not a tag"),
        pytest.param(LAB, LAB, LAB, id="the lab's name"),
        pytest.param(f"a@{DIGEST}", f"docker.io/library/a@{DIGEST}", f"a@{DIGEST}", id="a digest needs no tag"),
    ],
)
def test_names_are_normalised_as_docker_does(text, whole, familiar):
    reference = parse_reference(text)
    assert (str(reference), reference.familiar) == (whole, familiar)


@pytest.mark.parametrize("text", ["", "UPPER", "a b", "a:", "a:b c", "a//b", "/a", "a@sha256:12", "-a", "a:-x"])
def test_what_is_not_a_name_is_refused_with_its_text(text):
    with pytest.raises(ValueError, match="couldn't parse image name"):
        parse_reference(text)


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def image(store: ImageStore, tmp_path: Path, tag: str, content: str = "one") -> str:
    context = tmp_path / f"context-{content}"
    context.mkdir(exist_ok=True)
    (context / "file").write_text(content)
    (context / "Dockerfile").write_text('FROM scratch\nCOPY file /file\nCMD ["/file"]\n')
    return build_image(store, context, [tag]).digest


def test_an_image_is_found_by_every_spelling_of_its_name(store, tmp_path):
    digest = image(store, tmp_path, "storefront:0.0.1")
    for spelling in ("storefront:0.0.1", "docker.io/library/storefront:0.0.1", digest, f"storefront@{digest}"):
        found = store.resolve(spelling)
        assert found is not None
        assert (found.digest, found.command) == (digest, ("/file",))
    assert store.resolve("storefront:0.0.2") is None
    assert store.resolve(f"other@{digest}") is None


def test_a_tag_is_a_second_name_and_moving_it_changes_nothing_else(store, tmp_path):
    first = image(store, tmp_path, "storefront:0.0.1")
    second = image(store, tmp_path, "storefront:0.0.2", "two")
    store.tag("storefront:0.0.1", LAB)
    assert store.resolve(LAB).digest == first
    store.tag("storefront:0.0.2", LAB)
    assert store.resolve(LAB).digest == second
    assert store.resolve("storefront:0.0.1").digest == first
    assert [info.reference for info in store.list()] == [LAB, "storefront:0.0.1", "storefront:0.0.2"]


def test_removing_the_last_name_removes_the_content_and_nothing_more(store, tmp_path):
    image(store, tmp_path, "a:1")
    kept = image(store, tmp_path, "b:1", "two")
    store.tag("a:1", "a:2")
    store.remove("a:1")
    layer = store.resolve("a:2").layers[0]
    assert layer.is_dir()
    store.remove("a:2")
    assert not layer.exists()
    assert store.resolve("b:1").digest == kept
    assert store.resolve("b:1").layers[0].is_dir()
    blobs = {path.name for path in (store.folder / "blobs" / "sha256").iterdir()}
    assert len(blobs) == 3  # one manifest, one configuration, one layer


def test_removing_or_tagging_what_is_not_there_says_so(store):
    with pytest.raises(KeyError, match="there is no image nothing:1: `drumroll image ls`"):
        store.remove("nothing:1")
    with pytest.raises(KeyError, match="there is no image nothing:1: `drumroll image ls`"):
        store.tag("nothing:1", "a:1")


def test_an_empty_store_lists_nothing_and_writes_nothing(store):
    assert list(store.list()) == []
    assert store.resolve("a") is None
    assert not store.folder.exists()


def test_another_process_sees_a_new_image_at_once(store, tmp_path):
    other = ImageStore(store.folder)
    image(store, tmp_path, "a:1")
    assert other.resolve("a:1") is not None
    image(store, tmp_path, "b:1", "two")
    assert other.resolve("b:1") is not None


def test_writers_in_several_processes_lose_no_name(store, tmp_path):
    image(store, tmp_path, "a:1")
    code = (
        "import sys; from pathlib import Path; from drumroll.node.images import ImageStore\n"
        "store = ImageStore(Path(sys.argv[1]))\n"
        "for n in range(20): store.tag('a:1', f'p{sys.argv[2]}:{n}')\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(store.folder), str(n)]) for n in range(3)]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    assert len(store.list()) == 61


def test_the_folder_is_an_oci_layout(store, tmp_path):
    digest = image(store, tmp_path, "a:1")
    assert json.loads((store.folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (descriptor,) = json.loads((store.folder / "index.json").read_text())["manifests"]
    assert descriptor["digest"] == digest
    assert store.blob_path(digest).stat().st_size == descriptor["size"]
