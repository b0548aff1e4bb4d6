"""Datadog: queries of version 1 and 2 of its API. Credentials come from a Secret. Source: Datadog's API reference."""

import json
import os
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from drumroll.domain.analysis.durations import parse_duration
from drumroll.domain.analysis.measurement import Reading
from drumroll.objects.meta import Obj
from drumroll.rollouts.providers.asking import Answer, Asked, Call, ProviderError
from drumroll.rollouts.providers.prometheus import shown

ADDRESS = "https://api.datadoghq.com"
SECONDS = 10
WINDOW = timedelta(minutes=5)
AGGREGATORS = ("avg", "min", "max", "sum", "last", "percentile", "mean", "l2norm", "area")
MOST_GROUPS = 100


async def read(settings: Obj, asked: Asked) -> Reading:
    """The last value of the query; an array of values when version 2 groups it."""
    credentials = await _credentials(settings, asked)
    window = _time(settings, "interval", WINDOW)
    call = _call(settings, credentials, asked.now(), window)
    return _reading(settings, await asked.web.send(call))


def _time(settings: Obj, field: str, default: timedelta) -> timedelta:
    try:
        return parse_duration(settings[field]) if settings.get(field) else default
    except ValueError as error:
        raise ProviderError(f"{field}: {error}") from None


async def _credentials(settings: Obj, asked: Asked) -> dict[str, str]:
    """Address and keys: from the Secret that is named, the environment, or the controllers' Secret `datadog`."""
    reference = settings.get("secretRef") or {}
    found: dict[str, str] = {}
    if reference.get("name"):
        found = await asked.secret(reference["name"], asked.namespace if reference.get("namespaced") else "")
    elif os.environ.get("DD_API_KEY") and os.environ.get("DD_APP_KEY"):
        names = {"address": "DD_ADDRESS", "api-key": "DD_API_KEY", "app-key": "DD_APP_KEY"}
        found = {key: os.environ.get(name, "") for key, name in names.items()}
        asked.secrets.update(found.values())
    else:
        found = await asked.secret("datadog")
    if not (found.get("api-key") and found.get("app-key")):
        raise ProviderError("API or App token not found")
    asked.secrets.discard(found.get("address", ""))  # no secret, and of use in messages
    return found


def _call(settings: Obj, credentials: dict[str, str], now: datetime, window: timedelta) -> Call:
    headers = {
        "Content-Type": "application/json",
        "DD-API-KEY": credentials["api-key"],
        "DD-APPLICATION-KEY": credentials["app-key"],
    }
    address = (credentials.get("address") or ADDRESS).rstrip("/")
    seconds = _time(settings, "requestTimeout", timedelta(seconds=SECONDS)).total_seconds()
    end, start = int(now.timestamp()), int((now - window).timestamp())
    if (settings.get("apiVersion") or "v1") == "v1":
        query = urlencode({"query": settings.get("query") or "", "from": start, "to": end})
        return Call("GET", f"{address}/api/v1/query?{query}", headers, seconds=seconds)
    attributes = {"from": start * 1000, "to": end * 1000, **_queries(settings)}
    body = json.dumps({"data": {"type": "scalar_request", "attributes": attributes}}).encode()
    return Call("POST", f"{address}/api/v2/query/scalar", headers, body, seconds=seconds)


def _queries(settings: Obj) -> Obj:
    """The queries of version 2, and the formula over them."""
    aggregator = settings.get("aggregator") or "last"
    if aggregator not in AGGREGATORS:
        raise ProviderError(f"aggregator must be one of {', '.join(AGGREGATORS)}, not {aggregator}")
    queries = settings.get("queries") or ({"query": settings["query"]} if settings.get("query") else {})
    if not queries:
        raise ProviderError("datadog needs a query, or queries")
    formula = settings.get("formula") or ""
    if len(queries) > 1 and not formula:
        raise ProviderError("datadog needs a formula when there is more than one query")
    listed = [
        {"aggregator": aggregator, "data_source": "metrics", "name": name, "query": query}
        for name, query in queries.items()
    ]
    return {"queries": listed, "formulas": [{"formula": formula or next(iter(queries))}]}


def _reading(settings: Obj, answer: Answer) -> Reading:
    if answer.status in (401, 403):
        raise ProviderError(f"received authentication error response code: {answer.status} {answer.text}")
    if not answer.is_good:
        raise ProviderError(f"received non 2xx response code: {answer.status} {answer.text}")
    body = answer.json()
    try:
        return _first(body) if (settings.get("apiVersion") or "v1") == "v1" else _scalar(body)
    except (TypeError, KeyError, IndexError, AttributeError, ValueError):
        raise ProviderError("Datadog's answer is not as its API describes it") from None


def _first(body: Any) -> Reading:
    if body.get("status") == "error" or body.get("error"):
        raise ProviderError(f"There were errors in your query: {body.get('error', '')}")
    series = body.get("series") or []
    if not series:
        return Reading('{"pointlist":[]}', None)
    points = series[0].get("pointlist") or []
    if not points:
        raise ProviderError("Datadog API query returned nil pointlist")
    value = points[-1][1]
    return Reading("", None) if value is None else Reading(shown(float(value)), float(value))


def _scalar(body: Any) -> Reading:
    if body.get("errors"):
        raise ProviderError(f"There were errors in your query: {body['errors']}")
    columns = body.get("data", {}).get("attributes", {}).get("columns") or []
    numbers: list[Any] = next((column["values"] for column in columns if column.get("type") == "number"), [])
    groups = [column["values"] for column in columns if column.get("type") == "group"]
    if groups:
        values = [0.0 if value is None else float(value) for value in numbers]
        return Reading(f"[{','.join(map(shown, values))}]", values, metadata=_named(groups, values))
    if not numbers or numbers[0] is None:
        return Reading("", None)
    return Reading(shown(float(numbers[0])), float(numbers[0]))


def _named(groups: list[Any], values: list[float]) -> dict[str, str]:
    """The names of the groups beside their values, the greatest first."""
    names = [",".join(map(_joined, parts)) for parts in zip(*groups, strict=True)]
    pairs = sorted(zip(names, values, strict=True), key=lambda pair: -pair[1])
    shown_pairs = [{"name": name, "value": value} for name, value in pairs[:MOST_GROUPS]]
    told = {"groups": json.dumps(shown_pairs, separators=(",", ":"))}
    return told | ({"groups_truncated": "true"} if len(pairs) > MOST_GROUPS else {})


def _joined(part: Any) -> str:
    return ",".join(map(str, part)) if isinstance(part, list) else str(part)
