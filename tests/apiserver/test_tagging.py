"""What clients keep: a tag on documents of discovery and OpenAPI, and 304 for who has them already."""

import orjson
import pytest

from tests.apiserver.test_discovery import AGGREGATED

pytestmark = pytest.mark.asyncio
ACCEPT = AGGREGATED.format("v2")


def headers_of(response):
    return {name.lower(): value for name, value in response.headers}


@pytest.mark.parametrize(
    ("path", "accept"),
    [("/api", ACCEPT), ("/apis", ACCEPT), ("/openapi/v2", "application/json"), ("/openapi/v3/apis/apps/v1", "*/*")],
)
async def test_who_has_a_document_already_gets_no_body(server, path, accept):
    first = await server.send("GET", path, accept=accept)
    tag = headers_of(first)["etag"]
    assert (first.status, bool(first.body), headers_of(first)["vary"]) == (200, True, "Accept")
    again = await server.send("GET", path, accept=accept, if_none_match=tag)
    assert (again.status, again.body, headers_of(again)["etag"]) == (304, b"", tag)
    other = await server.send("GET", path, accept=accept, if_none_match='"other"')
    assert (other.status, other.body) == (200, first.body)


async def test_the_older_forms_have_no_tag(server):
    assert "etag" not in headers_of(await server.send("GET", "/apis", accept="application/json"))


async def test_a_document_asked_for_by_its_hash_may_be_kept_for_a_year(server):
    index = orjson.loads((await server.send("GET", "/openapi/v3")).body)
    url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    digest = url.partition("?hash=")[2]
    found = await server.send("GET", url)
    assert headers_of(found)["etag"] == f'"{digest}"'
    assert headers_of(found)["cache-control"] == "public, immutable"
    assert headers_of(found)["expires"].endswith("GMT")


async def test_an_old_hash_leads_to_the_new_one(server):
    index = orjson.loads((await server.send("GET", "/openapi/v3")).body)
    url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    found = await server.send("GET", "/openapi/v3/apis/apps/v1?hash=OLD")
    assert (found.status, headers_of(found)["location"]) == (301, url)
