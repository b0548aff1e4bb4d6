"""Arguments of templates and runs: merged, resolved, and put in the place of `{{args.name}}`."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from drumroll.objects.meta import Obj


class ArgumentError(Exception):
    """An argument has no value, two values, or names what is not there."""


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` with every `{{name}}` replaced. Raises ArgumentError for a name without a value, and for no `}}`."""
    out, rest = [], text
    while (start := rest.find("{{")) >= 0:
        end = rest.find("}}", start)
        if end < 0:
            tail = rest[start + 2 :]
            raise ArgumentError(f'Cannot find end tag="}}}}" in the template={text!r} starting from {tail!r}')
        tag = rest[start + 2 : end]
        if tag.strip() not in values:
            raise ArgumentError(f"failed to resolve {{{{{tag}}}}}")
        out += [rest[:start], values[tag.strip()]]
        rest = rest[end + 2 :]
    return "".join([*out, rest])


def named(arguments: Iterable[Obj]) -> dict[str, str]:
    """Values by the name under which a template has them. Raises ArgumentError for an argument without a value."""
    values = {}
    for argument in arguments:
        if argument.get("value") is None:
            raise ArgumentError(f'argument "{argument["name"]}" was not supplied')
        values[f"args.{argument['name']}"] = str(argument["value"])
    return values


def resolve(part: Any, values: Mapping[str, str]) -> Any:
    """A part of a template with every text in it resolved; nothing that a value contains can change its structure."""
    if isinstance(part, str):
        return substitute(part, values) if "{{" in part else part
    if isinstance(part, list):
        return [resolve(item, values) for item in part]
    if isinstance(part, dict):
        return {resolve(key, values): resolve(value, values) for key, value in part.items()}
    return part


def merge(given: Sequence[Obj], declared: Sequence[Obj]) -> list[Obj]:
    """The declared arguments with the values that were given. Raises ArgumentError when one has none."""
    merged = [dict(argument) for argument in declared]
    by_name = {argument["name"]: argument for argument in merged}
    for argument in given:
        own = by_name.get(argument["name"])
        if own is None:
            continue
        if argument.get("value") is not None:
            own.pop("valueFrom", None)
            own["value"] = argument["value"]
        elif argument.get("valueFrom") is not None:
            own.pop("value", None)
            own["valueFrom"] = argument["valueFrom"]
    for argument in merged:
        if argument.get("value") is None and argument.get("valueFrom") is None:
            raise ArgumentError(f"args.{argument['name']} was not resolved")
    return merged


def from_rollout(arguments: Iterable[Obj], rollout: Obj, hashes: Mapping[str, str]) -> list[Obj]:
    """The arguments that a Rollout gives to a run: values, `podTemplateHashValue`, fields of the Rollout.

    `hashes` has the pod template hash of `Stable` and of `Latest`. Raises ArgumentError.
    """
    resolved: list[Obj] = []
    for argument in arguments:
        value, source = argument.get("value", ""), argument.get("valueFrom") or {}
        if source.get("podTemplateHashValue"):
            value = hashes.get(source["podTemplateHashValue"], "")
        elif source.get("fieldRef"):
            value = field_of(rollout, source["fieldRef"]["fieldPath"])
        elif source.get("secretKeyRef"):
            resolved.append({"name": argument["name"], "valueFrom": source})
            continue
        resolved.append({"name": argument["name"], "value": value})
    return resolved


_QUOTED_KEY = re.compile(r"(metadata\.(?:labels|annotations))\['([^']+)'\]")


def field_of(rollout: Obj, path: str) -> str:
    """The value of a field of the Rollout: `metadata.labels['team']`, `spec.replicas`, `status.stableRS`."""
    if quoted := _QUOTED_KEY.fullmatch(path):
        holder = rollout["metadata"].get(quoted[1].partition(".")[2]) or {}
        return str(holder.get(quoted[2], ""))
    found: Any = rollout
    for section in filter(None, re.split(r"[.\[\]]+", path)):
        if isinstance(found, list):
            if not section.isdigit():
                raise ArgumentError(f"invalid index '{section}'")
            if int(section) >= len(found):
                raise ArgumentError(f"index {section} out of range")
            found = found[int(section)]
        elif isinstance(found, dict):
            found = found.get(section)
        else:
            raise ArgumentError(f"invalid path {path} in rollout")
    if found is None:
        raise ArgumentError(f"invalid path {path} in rollout")
    if isinstance(found, list | dict):
        raise ArgumentError(f"path {path} in rollout must terminate in a primitive value")
    return json.dumps(found) if isinstance(found, bool) else str(found)


def with_secrets(arguments: Iterable[Obj], read: Callable[[str, str], str]) -> tuple[list[Obj], frozenset[str]]:
    """The arguments with values in the place of secret references, and the secret values, which no message may show.

    `read` gives the value of a key of a Secret, and raises ArgumentError when there is none.
    """
    resolved, secrets = [], set()
    for argument in arguments:
        source = argument.get("valueFrom") or {}
        if not source:
            resolved.append(argument)
            continue
        if argument.get("value") is not None:
            raise ArgumentError(f"arg {argument['name']} has both Value and ValueFrom fields")
        reference = source.get("secretKeyRef")
        if not reference:
            raise ArgumentError(f"arg {argument['name']} has a valueFrom that only a Rollout can resolve")
        value = read(reference["name"], reference["key"])
        secrets.add(value)
        resolved.append({"name": argument["name"], "value": value})
    return resolved, frozenset(secrets)


def secret_names(arguments: Iterable[Obj]) -> frozenset[str]:
    """The Secrets that the arguments refer to."""
    references = ((argument.get("valueFrom") or {}).get("secretKeyRef") for argument in arguments)
    return frozenset(reference["name"] for reference in references if reference)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret value, long ones first, replaced by stars."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "*****")
    return text
