"""Which form of an answer the client accepts: plain objects, a Table, or metadata only; JSON or YAML."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from drumroll.objects.errors import NotAcceptable

Form = Literal["object", "Table", "PartialObjectMetadata"]
YAML = "application/yaml"
JSON = "application/json"

_AVAILABLE = (
    "application/json, application/yaml, application/vnd.kubernetes.protobuf, "
    "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The form chosen, the version of meta.k8s.io in which it is wanted, and the media type."""

    form: Form = "object"
    version: str = "v1"
    media: str = JSON


@lru_cache(maxsize=256)
def accepted(header: str) -> Accepted:
    """The first form in an Accept header that is served. Raises NotAcceptable."""
    if not header:
        return Accepted()
    for clause in header.split(","):
        media, *parameters = (part.strip() for part in clause.split(";"))
        asked = dict(part.split("=", 1) for part in parameters if "=" in part)
        if media in (JSON, "*/*", "application/*"):
            choice = _form(asked, JSON)
        elif media == YAML:
            choice = _form(asked, YAML)
        else:
            choice = None
        if choice is not None:
            return choice
    raise NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {_AVAILABLE}", {})


def _form(asked: dict[str, str], media: str) -> Accepted | None:
    wanted = asked.get("as", "")
    if not wanted:
        return Accepted(media=media)
    version = asked.get("v", "v1")
    if asked.get("g") != "meta.k8s.io" or version not in ("v1", "v1beta1"):
        return None
    if wanted == "Table":
        return Accepted("Table", version, media)
    if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList"):
        return Accepted("PartialObjectMetadata", version, media)
    return None


def as_yaml(body: bytes) -> bytes:
    """A JSON answer as YAML."""
    import orjson
    import yaml

    return yaml.safe_dump(orjson.loads(body), default_flow_style=False, allow_unicode=True).encode()
