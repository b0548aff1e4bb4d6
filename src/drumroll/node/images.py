"""The node's images: an OCI image layout on disk, with every layer also unpacked and ready to be mounted.

`index.json` names the images, `blobs/sha256/` holds manifests, configs and layer archives, `layers/<hex>/` the
unpacked trees, `cache/<key>` what a build step once made. Every file is replaced as a whole, writers hold a lock:
several processes may share one folder.
"""

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from drumroll.node.archive import pack
from drumroll.node.oci_reference import ImageReference, parse_reference
from drumroll.node.runtime import RootImage
from drumroll.objects import clock

Json = dict[str, Any]

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
HOST_ROOT_LABEL = "dev.drumroll.host-root"
_NAME = "org.opencontainers.image.ref.name"
_CREATED = "org.opencontainers.image.created"
_BARE_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One name of one image, as `drumroll image ls` shows it. `size` is in bytes, of all layers together."""

    reference: str
    digest: str
    size: int
    created: datetime


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: the digest of its archive (also its diff id: archives are not compressed) and its size in bytes."""

    digest: str
    size: int


class UnknownImage(KeyError):
    """There is no image of that name; the message says where to look."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference

    def __str__(self) -> str:
        return f"there is no image {self.reference}: `drumroll image ls` shows those that exist"


class ImageStore:
    """The images below `folder`, which is made when first written to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index_read: tuple[int, int, list[Json]] = (0, 0, [])

    def resolve(self, reference: str) -> RootImage | None:
        """The image of that name, digest or id, or None. Raises ValueError when `reference` is not a name."""
        descriptor = self._find(reference)
        if descriptor is None:
            return None
        manifest = self._read_blob(descriptor["digest"])
        config = self._read_blob(manifest["config"]["digest"])
        return _root_image(reference, descriptor["digest"], manifest, config, self.layer_folder)

    def config(self, reference: str) -> Json | None:
        """The whole OCI image configuration of an image, or None."""
        descriptor = self._find(reference)
        if descriptor is None:
            return None
        config: Json = self._read_blob(self._read_blob(descriptor["digest"])["config"]["digest"])
        return config

    def layers(self, reference: str) -> tuple[Layer, ...]:
        """The layers of an image, lowest first; empty when there is no such image."""
        descriptor = self._find(reference)
        if descriptor is None:
            return ()
        manifest = self._read_blob(descriptor["digest"])
        return tuple(Layer(layer["digest"], layer["size"]) for layer in manifest["layers"])

    def normalize(self, reference: str) -> str:
        """The whole name that `reference` stands for, for comparing. Raises ValueError when it is not a name."""
        return str(parse_reference(reference))

    def tag(self, source: str, target: str) -> None:
        """Give the image `source` the further name `target`. Raises UnknownImage (a KeyError)."""
        name = _taggable(target)
        with self._locked():
            found = self._find(source)
            if found is None:
                raise UnknownImage(source)
            self._write_name(name, {k: v for k, v in found.items() if k != "annotations"})

    def remove(self, reference: str) -> None:
        """Take the name away; what no other name and no container needs goes with it. Raises UnknownImage."""
        with self._locked():
            found = self._find(reference)
            if found is None:
                raise UnknownImage(reference)
            name = found["annotations"][_NAME]
            self._write_index([d for d in self._index() if d["annotations"][_NAME] != name])
        self.prune()

    def prune(self) -> int:
        """Delete layers, blobs and build results that no image needs; the number of bytes freed.

        Layers that a mounted container stands on stay, and so does everything while a build runs.
        """
        with self._exclusive_of_builds() as alone:
            if not alone:
                return 0
            with self._locked():
                return self._sweep()

    def add_layer(self, tree: Path, *, keep_owners: bool = False) -> Layer:
        """Take the folder `tree` (on the same file system) in as a layer; it is moved away, not copied."""
        blobs = self._made("blobs", "sha256")
        with tempfile.NamedTemporaryFile(dir=blobs, prefix=".tmp-", delete=False) as out:
            digest, size = pack(tree, out, keep_owners=keep_owners)
        Path(out.name).chmod(0o644)
        Path(out.name).replace(self.blob_path(digest))
        target = self.layer_folder(digest)
        self._made("layers")
        try:
            tree.rename(target)
        except OSError:  # it is there already: equal trees have equal digests
            if not target.is_dir():
                raise
            shutil.rmtree(tree, ignore_errors=True)
        return Layer(digest, size)

    def add_image(self, name: str, config: Json, layers: Sequence[Layer]) -> str:
        """Write an image of these layers under `name`; its digest. The configuration's rootfs is filled in."""
        reference = _taggable(name)
        whole = {**config, "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]}}
        described = [{"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.size} for layer in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, **self._write_blob(whole)},
            "layers": described,
        }
        descriptor = {"mediaType": MANIFEST_TYPE, **self._write_blob(manifest)}
        with self._locked():
            self._write_name(reference, descriptor)
        return str(descriptor["digest"])

    def layer_folder(self, digest: str) -> Path:
        """Where the layer of that digest is unpacked. Short, because overlay's mount options are limited."""
        return self.folder / "layers" / digest.removeprefix("sha256:")[:20]

    def blob_path(self, digest: str) -> Path:
        """Where the blob of that digest is kept."""
        return self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def scratch_folder(self) -> Path:
        """A fresh folder on the store's file system; the caller moves or deletes it."""
        return Path(tempfile.mkdtemp(prefix="build-", dir=self._made("scratch")))

    def cached(self, key: str) -> Layer | None:
        """The layer that a build step with this key made before, when it still exists."""
        try:
            entry = json.loads((self.folder / "cache" / key).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        layer = Layer(entry["digest"], entry["size"])
        return layer if self.layer_folder(layer.digest).is_dir() and self.blob_path(layer.digest).exists() else None

    def remember(self, key: str, layer: Layer) -> None:
        """Let `cached(key)` find the layer from now on."""
        _replace(self._made("cache") / key, json.dumps({"digest": layer.digest, "size": layer.size}).encode())

    @contextmanager
    def building(self) -> Iterator[None]:
        """While the block runs, nothing is pruned."""
        with self._made().joinpath("build.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    def list(self) -> Sequence[ImageInfo]:
        """Every name of every image, in the order of their names."""
        found = []
        for descriptor in self._index():
            manifest = self._read_blob(descriptor["digest"])
            notes = descriptor["annotations"]
            found.append(
                ImageInfo(
                    reference=parse_reference(notes[_NAME]).familiar,
                    digest=descriptor["digest"],
                    size=sum(layer["size"] for layer in manifest["layers"]),
                    created=datetime.fromisoformat(notes[_CREATED]),
                )
            )
        return sorted(found, key=lambda info: info.reference)

    def _find(self, reference: str) -> Json | None:
        if _BARE_DIGEST.fullmatch(reference):
            digest = "sha256:" + reference.removeprefix("sha256:")
            return self._by_digest(digest, repository=None)
        name = parse_reference(reference)
        if name.digest:
            return self._by_digest(name.digest, repository=name.repository)
        return next((d for d in self._index() if d["annotations"][_NAME] == str(name)), None)

    def _by_digest(self, digest: str, repository: str | None) -> Json | None:
        for descriptor in self._index():
            name = parse_reference(descriptor["annotations"][_NAME])
            if repository is not None and name.repository != repository:
                continue
            if digest in (descriptor["digest"], self._read_blob(descriptor["digest"])["config"]["digest"]):
                return descriptor
        return None

    def _index(self) -> Sequence[Json]:
        path = self.folder / "index.json"
        try:
            status = path.stat()
        except FileNotFoundError:
            return []
        stamp = (status.st_mtime_ns, status.st_ino)
        if self._index_read[:2] != stamp:
            self._index_read = (*stamp, json.loads(path.read_bytes())["manifests"])
        return self._index_read[2]

    def _write_index(self, manifests: Sequence[Json]) -> None:
        _replace(self._made() / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        index = {"schemaVersion": 2, "manifests": manifests}
        _replace(self.folder / "index.json", json.dumps(index, indent=1).encode())

    def _write_name(self, name: ImageReference, descriptor: Json) -> None:
        notes = {_NAME: str(name), _CREATED: clock.now().isoformat()}
        others = [d for d in self._index() if d["annotations"][_NAME] != str(name)]
        self._write_index([*others, {**descriptor, "annotations": notes}])

    def _read_blob(self, digest: str) -> Json:
        content: Json = json.loads(self.blob_path(digest).read_bytes())
        return content

    def _write_blob(self, content: Json) -> Json:
        data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        digest = "sha256:" + sha256(data).hexdigest()
        self._made("blobs", "sha256")
        if not self.blob_path(digest).exists():
            _replace(self.blob_path(digest), data)
        return {"digest": digest, "size": len(data)}

    def _made(self, *below: str) -> Path:
        folder = self.folder.joinpath(*below)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._made().joinpath("lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _exclusive_of_builds(self) -> Iterator[bool]:
        with self._made().joinpath("build.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _sweep(self) -> int:
        needed = self._needed_digests()
        hexes = {digest.removeprefix("sha256:") for digest in needed}
        mounted = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
        freed = 0
        for blob in _children(self.folder / "blobs" / "sha256"):
            if blob.name not in hexes:
                freed += blob.stat().st_size
                blob.unlink(missing_ok=True)
        prefixes = {h[:20] for h in hexes}
        for layer in _children(self.folder / "layers"):
            if layer.name not in prefixes and str(layer) not in mounted:
                shutil.rmtree(layer, ignore_errors=True)
        for entry in _children(self.folder / "cache"):
            if self.cached(entry.name) is None:
                entry.unlink(missing_ok=True)
        for leftover in _children(self.folder / "scratch"):
            shutil.rmtree(leftover, ignore_errors=True)
        return freed

    def _needed_digests(self) -> Collection[str]:
        needed: set[str] = set()
        for descriptor in self._index():
            manifest = self._read_blob(descriptor["digest"])
            needed |= {descriptor["digest"], manifest["config"]["digest"]}
            needed |= {layer["digest"] for layer in manifest["layers"]}
        return needed


def _root_image(reference: str, digest: str, manifest: Json, config: Json, layer_folder: Any) -> RootImage:
    run: Mapping[str, Any] = config.get("config") or {}
    return RootImage(
        reference=reference,
        digest=digest,
        layers=tuple(layer_folder(layer["digest"]) for layer in manifest["layers"]),
        host_root=(run.get("Labels") or {}).get(HOST_ROOT_LABEL) == "true",
        entrypoint=tuple(run.get("Entrypoint") or ()),
        command=tuple(run.get("Cmd") or ()),
        env=dict(pair.split("=", 1) for pair in run.get("Env") or ()),
        working_dir=run.get("WorkingDir") or "/",
        user=run.get("User") or "",
        stop_signal=run.get("StopSignal") or "",
        size=sum(layer["size"] for layer in manifest["layers"]),
    )


def _taggable(name: str) -> ImageReference:
    reference = parse_reference(name)
    if reference.digest:
        raise ValueError(f"{name}: an image is named with a tag, not with a digest")
    return reference


def _children(folder: Path) -> Sequence[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    with os.fdopen(handle, "wb") as out:
        out.write(data)
    Path(name).chmod(0o644)
    Path(name).replace(path)


EPOCH = datetime.fromtimestamp(0, UTC).isoformat()
