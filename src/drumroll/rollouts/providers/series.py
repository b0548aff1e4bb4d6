"""Graphite, InfluxDB (Flux) and SkyWalking (GraphQL): each asks one question and reads one form of answer."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from drumroll.domain.analysis.durations import parse_duration
from drumroll.domain.analysis.measurement import Reading
from drumroll.objects.meta import Obj
from drumroll.rollouts.providers.asking import Answer, Asked, Call, ProviderError

SECONDS = 30


async def read_graphite(settings: Obj, asked: Asked) -> Reading:
    """The values of the first target's points, those without a value left out."""
    address = _address("Graphite", settings)
    query = re.sub(r"\s+", " ", settings.get("query") or "").strip()
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "format"]
    url = f"{address}/render?{urlencode([*pairs, ('format', 'json')])}"
    return _points(_good(await asked.web.send(Call("GET", url, seconds=SECONDS))).json())


def _address(called: str, settings: Obj) -> str:
    address: str = settings.get("address") or ""
    if not urlsplit(address).netloc:
        raise ProviderError(f"{called} address {address!r} is not a valid URL")
    return address.rstrip("/")


def _good(answer: Answer) -> Answer:
    if not answer.is_good:
        raise ProviderError(f"error response: {answer.status} {answer.text}")
    return answer


def _points(body: Any) -> Reading:
    try:
        points = body[0]["datapoints"] if body else []
        values = [float(value) for value, _ in points if value is not None]
    except (TypeError, KeyError, ValueError):
        raise ProviderError("the answer is not one of Graphite's render API") from None
    if not values:
        raise ProviderError("no values found")
    return Reading(f"[{','.join(f'{value:.6f}' for value in values)}]", values)


async def read_influxdb(settings: Obj, asked: Asked) -> Reading:
    """The column `_value` of every record that the Flux query gives."""
    secret = await asked.secret(settings.get("profile") or "influxdb")
    token, address, org = (secret.get(key) for key in ("authToken", "address", "org"))
    if not (token and address and org):
        raise ProviderError("authToken, org, or address not found")
    asked.secrets.difference_update((address, org))
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json", "Accept": "application/csv"}
    dialect = {"annotations": ["datatype", "group", "default"], "delimiter": ",", "header": True}
    body = json.dumps({"query": settings.get("query") or "", "type": "flux", "dialect": dialect}).encode()
    url = f"{address.rstrip('/')}/api/v2/query?org={quote(org)}"
    answer = await asked.web.send(Call("POST", url, headers, body, seconds=SECONDS))
    values = flux_values(_good(answer).body.decode(errors="replace"))
    if not values:
        raise ProviderError("no results returned from flux query")
    return Reading(f"[{' '.join(map(str, values))}]", values)


def flux_values(text: str) -> list[Any]:
    """The values in annotated CSV: tables one after the other, each with its own types and names."""
    types: list[str] = []
    names: list[str] = []
    values: list[Any] = []
    for row in csv.reader(io.StringIO(text)):
        if not any(row):
            types, names = [], []
        elif row[0] == "#datatype":
            types, names = row, []
        elif row[0].startswith("#"):
            continue
        elif not names:
            names = row
        elif "error" in names and "_value" not in names:
            raise ProviderError(row[names.index("error")])
        elif "_value" in names:
            column = names.index("_value")
            values.append(_typed(row[column], types[column] if column < len(types) else "string"))
    return values


def _typed(text: str, sort: str) -> Any:
    if sort in ("double", "long", "unsignedLong"):
        return (float(text) if sort == "double" else int(text)) if text else None
    return text == "true" if sort == "boolean" else text


async def read_skywalking(settings: Obj, asked: Asked) -> Reading:
    """The data of a GraphQL query, which is given the variable `duration`."""
    try:
        interval = parse_duration(settings.get("interval") or "5m")
    except ValueError as error:
        raise ProviderError(f"interval: {error}") from None
    variables = {"duration": _minutes(asked.now(), interval)}
    body = json.dumps({"query": settings.get("query") or "", "variables": variables}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    url = f"{_address('skywalking', settings)}/graphql"
    found = _good(await asked.web.send(Call("POST", url, headers, body, seconds=SECONDS))).json()
    if not isinstance(found, dict) or found.get("errors"):
        errors = found.get("errors") if isinstance(found, dict) else found
        raise ProviderError(f"graphql: {json.dumps(errors)[:500]}")
    if not found.get("data"):
        raise ProviderError("no results returned from SkyWalking query")
    return Reading(json.dumps(found["data"], separators=(",", ":")), found["data"])


def _minutes(now: datetime, interval: timedelta) -> Obj:
    end = now.astimezone(UTC)
    form = "%Y-%m-%d %H%M"
    return {"start": (end - interval).strftime(form), "end": end.strftime(form), "step": "MINUTE"}
