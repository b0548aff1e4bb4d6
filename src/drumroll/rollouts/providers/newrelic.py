"""New Relic: NRQL by its GraphQL API. Credentials come from a Secret. Source: New Relic's NerdGraph reference."""

import json

from drumroll.domain.analysis.measurement import Reading
from drumroll.objects.meta import Obj
from drumroll.rollouts.providers.asking import Asked, Call, ProviderError

ADDRESSES = {"us": "https://api.newrelic.com/graphql", "eu": "https://api.eu.newrelic.com/graphql"}
SECONDS = 10
_QUESTION = (
    "query($accountId: Int!, $query: Nrql!, $timeout: Seconds)"
    " { actor { account(id: $accountId) { nrql(query: $query, timeout: $timeout) { results } } } }"
)


async def read(settings: Obj, asked: Asked) -> Reading:
    """The one result of the query as a map, or all of them as an array."""
    results = await _results(settings, asked)
    if not results or (len(results) == 1 and not results[0]):
        return Reading(error="no results returned from NRQL query")
    result = results[0] if len(results) == 1 else results
    return Reading(json.dumps(result, separators=(",", ":")), result)


async def _results(settings: Obj, asked: Asked) -> list[Obj]:
    secret = await asked.secret(settings.get("profile") or "newrelic")
    key, account = secret.get("personal-api-key"), secret.get("account-id", "")
    if not key or not account:
        raise ProviderError("account ID or personal API key not found")
    if not account.isdigit():
        raise ProviderError("could not parse account ID: it must be a number")
    region = (secret.get("region") or "us").lower()
    address = secret.get("base-url-nerdgraph") or ADDRESSES.get(region)
    if address is None:
        raise ProviderError(f"region must be {' or '.join(ADDRESSES)}, not {region}")
    asked.secrets.difference_update((account, secret.get("region", ""), address))
    seconds = settings.get("timeout") or SECONDS
    variables = {"accountId": int(account), "query": settings.get("query") or "", "timeout": seconds}
    body = json.dumps({"query": _QUESTION, "variables": variables}).encode()
    headers = {"Content-Type": "application/json", "API-Key": key}
    answer = await asked.web.send(Call("POST", address, headers, body, seconds=seconds + 1))
    if not answer.is_good:
        raise ProviderError(f"received non 2xx response code: {answer.status} {answer.text}")
    found = answer.json()
    try:
        faults = "; ".join(error["message"] for error in found.get("errors") or ())
        results: list[Obj] = [] if faults else found["data"]["actor"]["account"]["nrql"]["results"]
    except (TypeError, KeyError, AttributeError):
        raise ProviderError("New Relic's answer is not as its API describes it") from None
    if faults:
        raise ProviderError(faults)
    return results
