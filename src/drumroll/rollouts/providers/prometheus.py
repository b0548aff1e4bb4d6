"""Prometheus: instant and range queries. Without an address the mesh's own metrics are asked."""

import math
import os
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

from drumroll.domain.analysis.durations import parse_duration
from drumroll.domain.analysis.expression.conditions import evaluate
from drumroll.domain.analysis.expression.syntax import ExpressionError
from drumroll.domain.analysis.measurement import Reading
from drumroll.objects.meta import Obj
from drumroll.rollouts.providers.asking import (
    MESH_ADDRESS,
    Asked,
    Call,
    ProviderError,
    authorized,
    headers_of,
)

SECONDS = 30
FEWEST_STEPS = timedelta(milliseconds=1)


async def read(settings: Obj, asked: Asked) -> Reading:
    """The value of the query: a number for a scalar, an array of numbers for a vector or a matrix."""
    query = settings.get("query") or ""
    about = {"ResolvedPrometheusQuery": query} if query else {}
    try:
        address = address_of(settings)
        found = await _query(settings, asked, address, query)
    except ProviderError as error:
        return Reading(error=str(error), about=about)
    warnings = ", ".join(f'"{warning}"' for warning in found.get("warnings") or ())
    try:
        value, result = parse(found)
    except ProviderError as error:
        return Reading(error=str(error), about=about)
    return Reading(value, result, about=about, metadata={"warnings": warnings} if warnings else {})


def address_of(settings: Obj) -> str:
    """The address that is given, else that of the environment, else the mesh's own. Raises ProviderError."""
    address = settings.get("address") or os.environ.get("ARGO_ROLLOUTS_PROMETHEUS_ADDRESS") or MESH_ADDRESS
    parts = urlsplit(address)
    if not (parts.scheme and parts.netloc):
        raise ProviderError("prometheus address is not is url format")
    return address.rstrip("/")


async def ask(asked: Asked, query: str, moment: datetime, address: str = "") -> list[tuple[dict[str, str], float]]:
    """The samples of an instant query: labels and value of each. Raises ProviderError."""
    base = address_of({"address": address})
    url = f"{base}/api/v1/query?{urlencode({'query': query, 'time': f'{moment.timestamp():.3f}'})}"
    found = await _answer(asked, base, Call("GET", url, seconds=SECONDS))
    if found["data"].get("resultType") != "vector":
        raise ProviderError(f"the query gives a {found['data'].get('resultType')}, not a vector")
    return [(sample.get("metric") or {}, float(sample["value"][1])) for sample in found["data"]["result"]]


async def _query(settings: Obj, asked: Asked, address: str, query: str) -> Obj:
    timeout = settings.get("timeout")
    if timeout is not None and timeout < 0:
        raise ProviderError("prometheus timeout should not be negative")
    now = asked.now()
    parameters = {"query": query, **_range(settings.get("rangeQuery") or {}, now)}
    path = "query_range" if "start" in parameters else "query"
    if path == "query":
        parameters["time"] = f"{now.timestamp():.3f}"
    call = Call(
        "GET",
        f"{address}/api/v1/{path}?{urlencode(parameters)}",
        await authorized(asked.web, settings, headers_of(settings)),
        seconds=timeout or SECONDS,
        is_insecure=bool(settings.get("insecure")),
        trust=settings.get("caCert") or "",
    )
    return await _answer(asked, address, call)


async def _answer(asked: Asked, address: str, call: Call) -> Obj:
    try:
        return _data(await asked.web.send(call))
    except ProviderError as error:
        if address == MESH_ADDRESS:
            text = f"{error} (no address is given, so Drumroll's own mesh was asked; give that of your Prometheus)"
            raise ProviderError(text) from None
        raise


def _range(wanted: Obj, now: datetime) -> dict[str, str]:
    if not any(wanted.values()):
        return {}
    moments = {}
    for name in ("start", "end"):
        try:
            moment = evaluate(wanted.get(name) or "", {}, now)
        except ExpressionError as error:
            raise ProviderError(f"rangeQuery.{name}: {error}") from None
        if not isinstance(moment, datetime):
            raise ProviderError(f"rangeQuery.{name} must be a time, such as now() - duration('5m')")
        moments[name] = f"{moment.timestamp():.3f}"
    try:
        step = parse_duration(wanted.get("step") or "")
    except ValueError as error:
        raise ProviderError(f"rangeQuery.step: {error}") from None
    if step < FEWEST_STEPS:
        raise ProviderError("rangeQuery.step must be more than nothing, such as 1m")
    return {**moments, "step": f"{step.total_seconds():g}"}


def _data(answer: Any) -> Obj:
    """The decoded answer, if it is one of success."""
    try:
        found = answer.json()
    except ProviderError:
        found = None
    if isinstance(found, dict) and found.get("status") == "error":
        raise ProviderError(f"{found.get('errorType', 'error')}: {found.get('error', '')}")
    if not answer.is_good:
        sort = "client_error: client" if answer.status < 500 else "server_error: server"
        raise ProviderError(f"{sort} error: {answer.status}")
    if not isinstance(found, dict) or found.get("status") != "success" or not isinstance(found.get("data"), dict):
        raise ProviderError("bad_response: this is no answer of a Prometheus")
    return found


def parse(found: Obj) -> tuple[str, Any]:
    """How a result is shown, and what conditions see of it. Raises ProviderError for a type that has no numbers."""
    kind, result = found["data"].get("resultType"), found["data"].get("result")
    try:
        if kind == "scalar":
            number = float(result[1])
            return shown(number), number
        if kind == "vector":
            numbers = [float(sample["value"][1]) for sample in result]
        elif kind == "matrix":
            numbers = [float(value) for series in result for _, value in series["values"]]
        else:
            raise ProviderError("Prometheus metric type not supported")
    except (TypeError, KeyError, IndexError, ValueError):
        raise ProviderError("bad_response: the samples are not as Prometheus has them") from None
    return f"[{','.join(map(shown, numbers))}]", numbers


def shown(number: float) -> str:
    """A number as Prometheus prints it: without exponent, and without a point when it is whole."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
