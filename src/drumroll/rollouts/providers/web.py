"""A web server of the user's: any method, any body; the answer or a part of it is the result."""

import json
from typing import Any

from drumroll.domain.analysis.measurement import Reading
from drumroll.objects.jsonpath import find
from drumroll.objects.meta import Obj
from drumroll.rollouts.providers.asking import Answer, Asked, Call, ProviderError, authorized, headers_of

METHODS = ("GET", "POST", "PUT")
SECONDS = 10


async def read(settings: Obj, asked: Asked) -> Reading:
    """The part of the answer that jsonPath names, or all of it."""
    return _reading(settings, await asked.web.send(await _call(settings, asked)))


async def _call(settings: Obj, asked: Asked) -> Call:
    method = (settings.get("method") or "GET").upper()
    if method not in METHODS:
        raise ProviderError(f"method must be one of {', '.join(METHODS)}, not {method}")
    text, data = settings.get("body"), settings.get("jsonBody")
    headers = headers_of(settings)
    if text and data is not None:
        raise ProviderError("use either Body or JSONBody; both cannot exists for WebMetric payload")
    if method == "GET" and (text or data is not None):
        raise ProviderError("Body/JSONBody can only be used with POST or PUT WebMetric Method types")
    if data is not None:
        text = json.dumps(data)
        headers.setdefault("Content-Type", "application/json")
    return Call(
        method,
        settings.get("url") or "",
        await authorized(asked.web, settings, headers),
        (text or "").encode(),
        seconds=settings.get("timeoutSeconds") or SECONDS,
        is_insecure=bool(settings.get("insecure")),
    )


def _reading(settings: Obj, answer: Answer) -> Reading:
    if not answer.is_good:
        raise ProviderError(f"received non 2xx response code: {answer.status} {answer.text}".rstrip())
    path = settings.get("jsonPath") or ""
    try:
        body = json.loads(answer.body)
    except ValueError:
        if path:
            raise ProviderError("Could not parse JSON body: the answer is no JSON, so jsonPath finds nothing") from None
        text = answer.body.decode(errors="replace")
        return Reading(text, text)
    found = _part(path, body)
    return Reading(json.dumps(found, separators=(",", ":"), ensure_ascii=False), _floats(found))


def _part(path: str, body: Any) -> Any:
    if not path:
        return body
    try:
        found = find(path, body)
    except (ValueError, TypeError) as error:
        raise ProviderError(f"Could not find JSONPath in body: {error}") from None
    if not found:
        raise ProviderError("result of web metric produced no value")
    return found[0]


def _floats(value: Any) -> Any:
    """Numbers of JSON are floats, as in the original."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return [_floats(item) for item in value]
    if isinstance(value, dict):
        return {name: _floats(item) for name, item in value.items()}
    return value
