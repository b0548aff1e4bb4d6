"""The query API: parameters to status and answer, as Prometheus' HTTP API version 1 gives them."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from drumroll.domain.promql import encode
from drumroll.domain.promql.checks import type_of
from drumroll.domain.promql.errors import ParseError, QueryError
from drumroll.domain.promql.evaluate import evaluate_at, evaluate_range
from drumroll.domain.promql.nodes import Matcher, Selector
from drumroll.domain.promql.parser import parse
from drumroll.domain.promql.tokens import duration_ms
from drumroll.domain.promql.values import Labels, Points, Storage, Value, label

Parameters = Mapping[str, Sequence[str]]
Answer = tuple[int, dict[str, object]]

MOST_POINTS = 11_000


class Source(Storage, Protocol):
    """A storage that also says which series it has in a span of time."""

    def series(self, selectors: Sequence[Sequence[Matcher]], start: int, end: int) -> list[Labels]:
        """Label sets with a sample in [start, end] ms that pass any of the selectors; all without a selector."""

    def families(self) -> Mapping[str, tuple[str, str]]:
        """Type and description of each metric family."""


class _BadParameter(ValueError):
    pass


def answer(path: str, parameters: Parameters, source: Source, now: int) -> Answer:
    """Status and JSON for a path below `/api/v1/`. `now` in ms is the time of a query that names none."""
    name = re.fullmatch(r"label/([^/]+)/values", path)
    try:
        if name:
            data: object = _label_values(name[1], parameters, source)
        elif path in _PATHS:
            data = _PATHS[path](parameters, source, now)
        else:
            return 404, _error("not_found", f"no such endpoint: /api/v1/{path}")
    except (_BadParameter, ParseError) as error:
        return 400, _error("bad_data", str(error))
    except QueryError as error:
        return 422, _error("execution", str(error))
    return 200, {"status": "success", "data": data}


def _error(kind: str, message: str) -> dict[str, object]:
    return {"status": "error", "errorType": kind, "error": message}


def _one(parameters: Parameters, name: str) -> str:
    return next(iter(parameters.get(name, ())), "")


def _invalid(name: str, why: object) -> _BadParameter:
    return _BadParameter(f'invalid parameter "{name}": {why}')


def _query(parameters: Parameters, source: Source, now: int) -> object:
    at = _moment(parameters, "time", now)
    try:
        tree = parse(_one(parameters, "query"))
    except ParseError as error:
        raise _invalid("query", error) from None
    return _result(type_of(tree), evaluate_at(source, tree, at), at)


def _result(kind: str, value: Value, at: int) -> dict[str, object]:
    if isinstance(value, float):
        return {"resultType": "scalar", "result": encode.pair(at, value)}
    if isinstance(value, str):
        return {"resultType": "string", "result": [encode.seconds(at), value]}
    if kind == "range vector":
        windows = sorted((element for element in value if isinstance(element, Points)), key=lambda p: p.labels)
        return {"resultType": "matrix", "result": [encode.window(element) for element in windows]}
    return {"resultType": "vector", "result": [encode.sample(at, element) for element in value]}  # type: ignore[arg-type]


def _query_range(parameters: Parameters, source: Source, _now: int) -> object:
    start, end = _moment(parameters, "start", None), _moment(parameters, "end", None)
    if end < start:
        raise _invalid("end", "end timestamp must not be before start time")
    step = _step(_one(parameters, "step"))
    if step <= 0:
        text = "zero or negative query resolution step widths are not accepted. Try a positive integer"
        raise _invalid("step", text)
    if (end - start) // step > MOST_POINTS:
        raise _BadParameter(
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )
    try:
        tree = parse(_one(parameters, "query"))
    except ParseError as error:
        raise _invalid("query", error) from None
    kind = type_of(tree)
    if kind not in {"scalar", "instant vector"}:
        raise _invalid("query", f'invalid expression type "{kind}" for range query, must be Scalar or instant Vector')
    return {
        "resultType": "matrix",
        "result": [encode.window(points) for points in evaluate_range(source, tree, start, end, step)],
    }


def _moment(parameters: Parameters, name: str, default: int | None) -> int:
    text = _one(parameters, name)
    if not text and default is not None:
        return default
    found = moment_ms(text)
    if found is None:
        raise _invalid(name, f'cannot parse "{text}" to a valid timestamp')
    return found


def moment_ms(text: str) -> int | None:
    """Milliseconds of a time in seconds since 1970 or in RFC 3339; None when it is neither."""
    try:
        number = float(text)
        return round(number * 1000) if math.isfinite(number) and abs(number) < 1e12 else None
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round(moment.timestamp() * 1000) if moment.tzinfo is not None else None


def _step(text: str) -> int:
    try:
        number = float(text)
    except ValueError:
        found = duration_ms(text)
        if found is None:
            raise _invalid("step", f'cannot parse "{text}" to a valid duration') from None
        return found
    if not math.isfinite(number) or abs(number) > 1e10:
        raise _invalid("step", f'cannot parse "{text}" to a valid duration. It overflows int64')
    return int(number * 1000)


def _matching(parameters: Parameters, source: Source, *, needed: bool = False) -> list[Labels]:
    selectors = []
    texts = parameters.get("match[]", ())
    if needed and not texts:
        raise _BadParameter("no match[] parameter provided")
    for text in texts:
        try:
            tree = parse(text)
        except ParseError as error:
            raise _invalid("match[]", error) from None
        if not isinstance(tree, Selector):
            raise _invalid("match[]", "1:1: parse error: unexpected expression: a selector of series is wanted")
        selectors.append(tree.matchers)
    start = _moment(parameters, "start", -(2**62))
    return source.series(selectors, start, _moment(parameters, "end", 2**62))


def _series(parameters: Parameters, source: Source, _now: int) -> object:
    return [dict(labels) for labels in _matching(parameters, source, needed=True)]


def _labels(parameters: Parameters, source: Source, _now: int) -> object:
    return sorted({name for labels in _matching(parameters, source) for name, _ in labels})


def _label_values(name: str, parameters: Parameters, source: Source) -> object:
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
        raise _BadParameter(f'invalid label name: "{name}"')
    return sorted({value for labels in _matching(parameters, source) if (value := label(labels, name))})


def _build(_parameters: Parameters, _source: Source, _now: int) -> object:
    return {
        "version": "2.42.0",
        "revision": "drumroll",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }


def _metadata(parameters: Parameters, source: Source, _now: int) -> object:
    wanted = _one(parameters, "metric")
    return {
        name: [{"type": kind, "help": text, "unit": ""}]
        for name, (kind, text) in source.families().items()
        if wanted in {"", name}
    }


def _nothing(_parameters: Parameters, _source: Source, _now: int) -> object:
    return []  # there are no exemplars here


def _no_rules(_parameters: Parameters, _source: Source, _now: int) -> object:
    return {"groups": []}


_PATHS: dict[str, Callable[[Parameters, Source, int], object]] = {
    "query": _query,
    "query_range": _query_range,
    "series": _series,
    "labels": _labels,
    "metadata": _metadata,
    "query_exemplars": _nothing,
    "rules": _no_rules,
    "status/buildinfo": _build,
}
