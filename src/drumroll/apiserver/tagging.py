"""What clients keep: documents of discovery and OpenAPI carry a tag, and who sends it back gets 304 and no body.

Source: apiserver pkg/endpoints/discovery/aggregated/etag.go, kube-openapi pkg/handler3/handler.go, pkg/handler.
"""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from drumroll.apiserver.answering import text
from drumroll.apiserver.discovery import AGGREGATED
from drumroll.apiserver.registry import Registry
from drumroll.objects.wire import JSON, Request, Response

_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_NEVER_CHANGES = timedelta(days=365)


def tagged_discovery(request: Request, response: Response) -> Response:
    """Discovery in its aggregated form has a tag; the older forms, which are small, have none."""
    if not response.content_type.startswith(AGGREGATED.partition("%")[0]):
        return response
    digest = hashlib.sha512(response.body).hexdigest().upper()
    return _tagged(request, response, digest, ("Vary", "Accept"), ("Cache-Control", "public"))


def openapi_answer(registry: Registry, request: Request, now: datetime) -> Response:
    """The OpenAPI document at a path. One that is asked for by its hash never changes: it may be kept for a year."""
    from drumroll.apiserver import openapi_custom as openapi

    path = request.path
    if path == "/openapi/v2":
        if "protobuf" in request.headers.get("accept", ""):
            response = Response(200, openapi.v2_protobuf(registry), _PROTOBUF)
        else:
            response = Response(200, openapi.v2_json(registry), JSON)
        digest = hashlib.sha512(response.body).hexdigest().upper()
        return _tagged(request, response, digest, ("Vary", "Accept"))
    if path.rstrip("/") == "/openapi/v3":
        return Response(200, openapi.v3_index(registry), JSON)
    found = openapi.v3_document(registry, path)
    if found is None:
        return text(404, "404 page not found\n")
    digest, asked = hashlib.sha256(found).hexdigest().upper(), request.parameter("hash")
    if asked and asked != digest:
        return Response(301, b"", JSON, (("Location", f"{path}?hash={digest}"), ("Vary", "Accept")))
    if not asked:
        return _tagged(request, Response(200, found, JSON), digest, ("Vary", "Accept"))
    until = (now + _NEVER_CHANGES).strftime("%a, %d %b %Y %H:%M:%S GMT")
    kept = (("Vary", "Accept"), ("Cache-Control", "public, immutable"), ("Expires", until))
    return _tagged(request, Response(200, found, JSON), digest, *kept)


def _tagged(request: Request, response: Response, digest: str, *headers: tuple[str, str]) -> Response:
    tag = f'"{digest}"'
    given = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    response = replace(response, headers=(*response.headers, ("ETag", tag), *headers))
    return replace(response, status=304, body=b"") if tag in given or "*" in given else response
