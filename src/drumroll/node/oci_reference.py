"""What an image is called: Docker's short names made whole, and back."""

import re
from dataclasses import dataclass

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9-]+)*(?::[0-9]+)?")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image's whole name. `tag` is empty when the reference names a digest only."""

    host: str
    path: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.host}/{self.path}{self._suffix}"

    @property
    def repository(self) -> str:
        """The name without tag and digest, e.g. `docker.io/library/storefront`."""
        return f"{self.host}/{self.path}"

    @property
    def familiar(self) -> str:
        """The name as people write it: `storefront:0.0.1` for `docker.io/library/storefront:0.0.1`."""
        if self.host != "docker.io":
            return str(self)
        return self.path.removeprefix("library/") + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> ImageReference:
    """The reference that `text` names, with Docker's defaults (docker.io, library/, latest) filled in.

    Raises ValueError with the original's message. Source: github.com/distribution/reference, normalize.go.
    """
    name, _, digest = text.partition("@")
    if digest and not _DIGEST.fullmatch(digest):
        raise _invalid(text, "invalid reference format")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, ""
    elif not _TAG.fullmatch(tag):
        raise _invalid(text, "invalid reference format")
    host, path = _split_host(head)
    if not _PATH.fullmatch(path):
        if _PATH.fullmatch(path.lower()):
            raise _invalid(text, "invalid reference format: repository name must be lowercase")
        raise _invalid(text, "invalid reference format")
    if not _HOST.fullmatch(host):
        raise _invalid(text, "invalid reference format")
    return ImageReference(host, path, tag or ("" if digest else "latest"), digest)


def _split_host(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first)
    host, path = (first, rest) if is_host else ("docker.io", name)
    if host == "index.docker.io":
        host = "docker.io"
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return host, path


def _invalid(text: str, why: str) -> ValueError:
    return ValueError(f'couldn\'t parse image name "{text}": {why}')
