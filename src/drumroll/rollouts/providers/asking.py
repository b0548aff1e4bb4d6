"""What a provider is given, and how it asks over HTTP: names of the cluster, time limits, trust, and plain errors."""

import asyncio
import base64
import json
import os
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from drumroll.client.client import Client
from drumroll.objects.errors import ApiError, NotFound
from drumroll.objects.kinds import SECRET, SERVICE
from drumroll.objects.meta import Obj

if TYPE_CHECKING:
    from aiohttp import ClientSession

MOST_BYTES = 4 * 1024 * 1024
MESH_ADDRESS = "http://prometheus.drumroll-system.svc.cluster.local:9090"
OWN_NAMESPACES = ("drumroll-system", "argo-rollouts")
"""Where the controllers' own Secrets are looked for, when no POD_NAMESPACE says where they run."""

_CLUSTER_NAME = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.cluster\.local)?\.?")


class ProviderError(Exception):
    """A measurement could not be taken; the message is the measurement's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text, cut off where a message would get too long."""
        return self.body[:500].decode(errors="replace").strip()

    def json(self) -> Any:
        """The body, which must be JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ProviderError(f"Could not parse JSON body: {error}") from None


@dataclass(frozen=True, slots=True)
class Call:
    """A request to make. `trust` is a PEM bundle to trust besides the system's; `is_insecure` trusts anybody."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 10.0
    is_insecure: bool = False
    trust: str = ""


class Web:
    """Makes requests; `client` finds the Services whose names only the cluster knows. Use it as an async context."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._session: ClientSession | None = None

    async def __aenter__(self) -> "Web":
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, call: Call) -> Answer:
        """The answer, whatever its status. Raises ProviderError when there is none."""
        from aiohttp import ClientError, ClientTimeout

        what = f"{call.method} {call.url.partition('?')[0]}"
        try:
            async with (
                asyncio.timeout(call.seconds),
                self._open().request(
                    call.method,
                    call.url,
                    headers=dict(call.headers),
                    data=call.body or None,
                    ssl=_trust(call),
                    timeout=ClientTimeout(total=None),
                ) as answer,
            ):
                body = await answer.content.read(MOST_BYTES)
                while not answer.content.at_eof() and len(body) < MOST_BYTES:
                    body += await answer.content.read(MOST_BYTES - len(body))
                return Answer(answer.status, body)
        except TimeoutError:
            raise ProviderError(f"{what}: no answer within {call.seconds:g} s") from None
        except (ClientError, OSError, ValueError) as error:
            inner = getattr(error, "os_error", None) or error  # why there is no connection, without aiohttp's frame
            raise ProviderError(f"{what}: {inner or type(inner).__name__}") from None

    def _open(self) -> "ClientSession":
        if self._session is None:
            from aiohttp import ClientSession, DummyCookieJar, TCPConnector

            connector = TCPConnector(limit=0, resolver=cluster_resolver(self._client), ttl_dns_cache=5)
            self._session = ClientSession(connector=connector, cookie_jar=DummyCookieJar(), trust_env=False)
        return self._session


def _trust(call: Call) -> ssl.SSLContext | bool:
    if call.is_insecure:
        return False
    if not call.trust:
        return True
    try:
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=call.trust)
    except (ssl.SSLError, ValueError):
        raise ProviderError("caCert is no PEM bundle of certificates") from None
    return context


def cluster_resolver(client: Client) -> Any:
    """Finds addresses: of Services by asking the API server, of everything else as the system does."""
    from aiohttp.abc import AbstractResolver, ResolveResult
    from aiohttp.resolver import ThreadedResolver

    class Resolver(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            named = _CLUSTER_NAME.fullmatch(host)
            if named is None:
                return await ThreadedResolver().resolve(host, port, family)
            address = await service_address(client, named[2], named[1])
            return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

        async def close(self) -> None:
            return None

    return Resolver()


async def service_address(client: Client, namespace: str, name: str) -> str:
    """The cluster address of a Service. Raises OSError, as every failed look-up of a name does."""
    try:
        service = await client.get(SERVICE, namespace, name)
    except NotFound:
        raise OSError(f"there is no Service {name} in namespace {namespace}") from None
    except ApiError as error:
        raise OSError(f"Service {name} in namespace {namespace} cannot be looked up: {error}") from None
    address: str = service["spec"].get("clusterIP") or ""
    if address in ("", "None"):
        raise OSError(f"Service {name} in namespace {namespace} has no cluster address")
    return address


@dataclass(frozen=True, slots=True)
class Asked:
    """What a provider may need. `secrets` collects values that no message may show; `looks` counts the measurements of
    the metric so far that were neither inconclusive nor errors.
    """

    run: Obj
    client: Client
    web: Web
    now: Callable[[], datetime]
    secrets: set[str] = field(default_factory=set)
    looks: int = 0

    @property
    def namespace(self) -> str:
        """The namespace of the run."""
        namespace: str = self.run["metadata"].get("namespace", "")
        return namespace

    async def secret(self, name: str, namespace: str = "") -> dict[str, str]:
        """The values of a Secret: of that namespace, or of where the controllers run. Raises ProviderError."""
        own = os.environ.get("POD_NAMESPACE")
        places = (namespace,) if namespace else (own,) if own else OWN_NAMESPACES
        for place in places:
            try:
                found = await self.client.get(SECRET, place, name)
            except NotFound:
                continue
            except ApiError as error:
                raise ProviderError(f"Secret {name} in namespace {place} cannot be read: {error}") from None
            values = {
                key: base64.b64decode(value).decode(errors="replace")
                for key, value in (found.get("data") or {}).items()
            }
            self.secrets.update(values.values())
            return values
        raise ProviderError(f"Secret {name} not found in namespace {' or '.join(places)}")


def headers_of(settings: Obj) -> dict[str, str]:
    """The headers that a provider's settings list as key and value."""
    return {header["key"]: header["value"] for header in settings.get("headers") or ()}


async def authorized(web: Web, settings: Obj, headers: dict[str, str]) -> dict[str, str]:
    """The headers with what `authentication` asks for: basic, or a token from an OAuth2 server."""
    ways = settings.get("authentication") or {}
    sigv4, basic, oauth2 = (ways.get(name) or {} for name in ("sigv4", "basicAuth", "oauth2"))
    if any(sigv4.values()):
        raise ProviderError("authentication.sigv4 is not supported here; basicAuth and oauth2 are")
    if basic.get("username") or basic.get("password"):
        pair = f"{basic.get('username', '')}:{basic.get('password', '')}"
        return {**headers, "Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    if oauth2.get("tokenUrl"):
        return {**headers, "Authorization": f"Bearer {await _token(web, oauth2)}"}
    return headers


async def _token(web: Web, oauth2: Obj) -> str:
    if not (oauth2.get("clientId") and oauth2.get("clientSecret")):
        raise ProviderError("authentication.oauth2 needs tokenUrl, clientId and clientSecret")
    form = {"grant_type": "client_credentials"}
    if scopes := oauth2.get("scopes"):
        form["scope"] = " ".join(scopes)
    pair = base64.b64encode(f"{oauth2['clientId']}:{oauth2['clientSecret']}".encode()).decode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {pair}"}
    answer = await web.send(Call("POST", oauth2["tokenUrl"], headers, urlencode(form).encode()))
    token = answer.json().get("access_token") if answer.is_good else None
    if not token:
        raise ProviderError(f"oauth2: {oauth2['tokenUrl']} answered {answer.status} and gave no access token")
    return str(token)
