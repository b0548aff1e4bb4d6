"""The files that a ConfigMap, Secret, downwardAPI or projected volume shows, fresh from the API."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from drumroll.domain.expansion_fields import field_value, resource_value
from drumroll.domain.pod import all_containers
from drumroll.node.agent_context import NodeContext
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import CONFIG_MAP, SECRET, Kind
from drumroll.objects.meta import Obj

Files: TypeAlias = dict[str, tuple[bytes, int]]
"""Content and mode by relative path."""

DEFAULT_MODE = 0o644


class VolumeError(Exception):
    """A volume cannot be had now; the message is the text of the FailedMount event."""


async def volume_files(context: NodeContext, pod: Obj, volume: Obj) -> Files:
    """All files of one volume. Raises VolumeError."""
    try:
        return await _files(context, pod, volume)
    except (LookupError, ValueError) as error:
        reason = error.args[0] if error.args else error
        raise VolumeError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {reason}') from error


async def _files(context: NodeContext, pod: Obj, volume: Obj) -> Files:
    if (source := volume.get("configMap")) is not None:
        return await _keyed(context, pod, CONFIG_MAP, source["name"], source, source.get("defaultMode"))
    if (source := volume.get("secret")) is not None:
        return await _keyed(context, pod, SECRET, source["secretName"], source, source.get("defaultMode"))
    if (source := volume.get("downwardAPI")) is not None:
        return _downward(context, pod, source.get("items") or (), source.get("defaultMode"))
    return await _projected(context, pod, volume["projected"])


async def _projected(context: NodeContext, pod: Obj, projected: Mapping[str, Any]) -> Files:
    files: Files = {}
    mode = projected.get("defaultMode")
    for source in projected.get("sources") or ():
        if (inner := source.get("configMap")) is not None:
            files |= await _keyed(context, pod, CONFIG_MAP, inner["name"], inner, mode)
        elif (inner := source.get("secret")) is not None:
            files |= await _keyed(context, pod, SECRET, inner["name"], inner, mode)
        elif (inner := source.get("downwardAPI")) is not None:
            files |= _downward(context, pod, inner.get("items") or (), mode)
        elif (inner := source.get("serviceAccountToken")) is not None:
            token = await context.tokens.token(context.client, pod, inner, context.now())
            files[inner["path"]] = (token.encode(), DEFAULT_MODE if mode is None else mode)
    return files


async def _keyed(
    context: NodeContext, pod: Obj, kind: Kind, name: str, source: Mapping[str, Any], mode: int | None
) -> Files:
    try:
        obj = await context.client.get(kind, pod["metadata"]["namespace"], name)
    except NotFound:
        if source.get("optional"):
            return {}
        raise LookupError(f'{kind.singular} "{name}" not found') from None
    data = decoded_data({"kind": kind.name, **obj})
    fallback = DEFAULT_MODE if mode is None else mode
    if not source.get("items"):
        return {key: (value, fallback) for key, value in data.items()}
    files: Files = {}
    for item in source["items"]:
        if item["key"] in data:
            files[item["path"]] = (data[item["key"]], item.get("mode") or fallback)
        elif not source.get("optional"):
            what = "config" if kind is CONFIG_MAP else "secret"
            raise LookupError(f"references non-existent {what} key: {item['key']}")
    return files


def decoded_data(obj: Obj) -> dict[str, bytes]:
    """The values of a ConfigMap or Secret as bytes."""
    if obj.get("kind") == "Secret":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    texts = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    return texts | {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}


def _downward(context: NodeContext, pod: Obj, items: Iterable[Mapping[str, Any]], mode: int | None) -> Files:
    place = context.place("")
    containers = {container["name"]: container for container in all_containers(pod)}
    files: Files = {}
    for item in items:
        if (reference := item.get("fieldRef")) is not None:
            text = field_value(pod, reference["fieldPath"], place)
        else:
            reference = item["resourceFieldRef"]
            text = resource_value(containers[reference["containerName"]], reference, place)
        files[item["path"]] = (text.encode(), item.get("mode") or (DEFAULT_MODE if mode is None else mode))
    return files


def sources_of(pod: Obj) -> set[tuple[str, str]]:
    """(kind, name) of every ConfigMap and Secret that the pod's volumes show."""
    found: set[tuple[str, str]] = set()
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            if source.get("configMap"):
                found.add(("ConfigMap", source["configMap"]["name"]))
            if source.get("secret"):
                found.add(("Secret", source["secret"].get("secretName") or source["secret"].get("name")))
    return found
