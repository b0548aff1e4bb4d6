"""Answers in the form that the client accepts: objects, Tables, metadata only; JSON or YAML."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import orjson

from drumroll.apiserver import codec
from drumroll.apiserver.conversion import value_as
from drumroll.apiserver.negotiation import YAML, Accepted, as_yaml
from drumroll.domain.validation.warnings import ENDPOINTS_DEPRECATED
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import ENDPOINTS, Kind
from drumroll.objects.meta import Obj
from drumroll.objects.wire import JSON, Response

TEXT = "text/plain; charset=utf-8"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def text(status: int, body: str) -> Response:
    """Plain text, as the original sends it outside of /api and /apis."""
    return Response(status, body.encode(), TEXT, (("X-Content-Type-Options", "nosniff"),))


def failure(error: ApiError) -> Response:
    """An error as a Status object."""
    headers: tuple[tuple[str, str], ...] = ()
    if error.details and error.details.get("retryAfterSeconds"):
        headers = (("Retry-After", str(error.details["retryAfterSeconds"])),)
    return Response(error.code, orjson.dumps(error.to_status()), JSON, headers)


def success(code: int, details: Obj | None = None) -> Response:
    """A Status object of an operation that returns no object."""
    status: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        status["details"] = details
    if code == 201:
        status["code"] = code
    return Response(code, orjson.dumps(status), JSON)


def document(status: int, obj: Obj) -> Response:
    """Any object as JSON."""
    return Response(status, orjson.dumps(obj), JSON)


_MOST_WARNED, _ONE_WARNED = 4096, 256


def warning_headers(warnings: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Warnings as a client expects them, without those that no header can carry: they hold a control character.

    Each is said once. Past 4,096 characters all are cut to 256, and the rest is left out.
    Source: apimachinery pkg/util/net/http.go NewWarningHeader; apiserver pkg/endpoints/filters/warning.go.
    """
    sendable = [warning for warning in dict.fromkeys(warnings) if warning and not _CONTROL.search(warning)]
    if sum(map(len, sendable)) > _MOST_WARNED:
        cut, written = [warning[:_ONE_WARNED] for warning in sendable], 0
        sendable = []
        for warning in cut:
            if written >= _MOST_WARNED:
                break
            sendable.append(warning)
            written += len(warning)
    return tuple(("Warning", f"299 - {orjson.dumps(warning).decode()}") for warning in sendable)


class Presenter:
    """Turns stored values of one kind into what one client wants to see."""

    def __init__(self, kind: Kind, accept: Accepted, now: Callable[[], datetime], include_object: str = "") -> None:
        self.kind = kind
        self._accept = accept
        self._now = now
        self._include = include_object or "Metadata"

    @property
    def is_plain(self) -> bool:
        """True when stored bytes can be sent as they are."""
        return self._accept.form == "object"

    def one(self, status: int, value: bytes, warnings: Sequence[str] = ()) -> Response:
        """One object as an answer."""
        return self._finish(Response(status, self.object(value), JSON, warning_headers(warnings)))

    def many(self, values: Sequence[bytes], metadata: Obj) -> Response:
        """A list as an answer."""
        if self._accept.form == "Table":
            body = orjson.dumps(self._table([orjson.loads(value_as(self.kind, value)) for value in values], metadata))
        elif self._accept.form == "PartialObjectMetadata":
            head = f'{{"kind":"PartialObjectMetadataList","apiVersion":"{self._meta_version}","metadata":'.encode()
            items = b",".join(self.object(value) for value in values)
            body = b"%b%b,%b}" % (head, orjson.dumps(metadata), b'"items":[%b]' % items)
        else:
            items_as_is = [codec.item(self.kind, value_as(self.kind, value)) for value in values]
            body = codec.listing(self.kind, items_as_is, metadata)
        return self._finish(Response(200, body, JSON))

    def object(self, value: bytes) -> bytes:
        """One stored value in the form wanted, as JSON."""
        if self._accept.form == "object":
            return value_as(self.kind, value)
        obj = orjson.loads(value_as(self.kind, value))
        if self._accept.form == "Table":
            revision = obj["metadata"].get("resourceVersion", "")
            return orjson.dumps(self._table([obj], {"resourceVersion": revision} if revision else {}))
        return orjson.dumps(
            {"kind": "PartialObjectMetadata", "apiVersion": self._meta_version, "metadata": obj["metadata"]}
        )

    @property
    def is_table(self) -> bool:
        """True when the client wants Tables."""
        return self._accept.form == "Table"

    @property
    def _meta_version(self) -> str:
        return f"meta.k8s.io/{self._accept.version}"

    def _table(self, items: list[Obj], metadata: Obj) -> Obj:
        from drumroll.apiserver.tables import render_table

        table = render_table(self.kind, items, self._now(), self._include, metadata)
        if self._accept.version != "v1":
            table["apiVersion"] = self._meta_version
        return table

    def _finish(self, response: Response) -> Response:
        if self.kind is ENDPOINTS:
            response = replace(response, headers=(*response.headers, *warning_headers((ENDPOINTS_DEPRECATED,))))
        if self._accept.media != YAML:
            return response
        return replace(response, body=as_yaml(response.body), content_type=YAML)
