"""Asks a web server or a Prometheus; whatever goes wrong is a ValueError with a sentence."""

from urllib.parse import quote

from drumroll.domain.analysis.answers import one_number
from drumroll.rollouts.providers.asking import Call, ProviderError, Web

TIMEOUT_SECONDS = 10.0


async def body_of(web: Web, url: str, headers: dict[str, str] | None = None, seconds: float | None = None) -> bytes:
    """The body of a good answer. Raises ValueError with what went wrong instead."""
    try:
        answer = await web.send(Call("GET", url, headers or {}, seconds=seconds or TIMEOUT_SECONDS))
    except ProviderError as error:
        raise ValueError(str(error)) from error
    if not answer.is_good:
        raise ValueError(f"{url.partition('?')[0]} answered {answer.status}: {answer.text}")
    return answer.body


async def number_of(web: Web, address: str, query: str) -> float:
    """The one number that a query in PromQL comes to. Raises ValueError with what went wrong instead."""
    return one_number(await body_of(web, f"{address.rstrip('/')}/api/v1/query?query={quote(query, safe='')}"))
