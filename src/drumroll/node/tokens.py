"""ServiceAccount tokens for pods: asked for when a volume wants one, and again when most of its life is over.

Source: kubernetes pkg/kubelet/token/token_manager.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from drumroll.client.client import Client
from drumroll.objects.kinds import SERVICE_ACCOUNT
from drumroll.objects.meta import Obj, parse_timestamp, uid_of

DEFAULT_SECONDS = 3600
_WORN = 0.8  # of its life
_OLDEST = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    renew_at: datetime


@dataclass(slots=True)
class Tokens:
    """The tokens in use, by pod and by what was asked for."""

    _known: dict[str, dict[tuple[Any, ...], _Token]] = field(default_factory=dict)

    async def token(self, client: Client, pod: Obj, source: Mapping[str, Any], now: datetime) -> str:
        """A token that is good for a while. `source` is a serviceAccountToken projection. Raises ApiError."""
        account = pod["spec"].get("serviceAccountName") or "default"
        seconds = source.get("expirationSeconds") or DEFAULT_SECONDS
        asked = (account, source.get("audience") or "", seconds)
        known = self._known.setdefault(uid_of(pod), {})
        token = known.get(asked)
        if token is None or now >= token.renew_at:
            token = known[asked] = await _request(client, pod, account, source, seconds, now)
        return token.text

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._known.pop(uid, None)

    def worn(self, now: datetime) -> list[str]:
        """The uids of pods that have a token which is to be renewed."""
        return [uid for uid, tokens in self._known.items() if any(now >= token.renew_at for token in tokens.values())]


async def _request(
    client: Client, pod: Obj, account: str, source: Mapping[str, Any], seconds: int, now: datetime
) -> _Token:
    meta = pod["metadata"]
    spec: Obj = {
        "expirationSeconds": seconds,
        "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]},
    }
    if source.get("audience"):
        spec["audiences"] = [source["audience"]]
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": account, "namespace": meta["namespace"]},
        "spec": spec,
    }
    answer = await client.create(request, subresource="token", parent=SERVICE_ACCOUNT)
    life = parse_timestamp(answer["status"]["expirationTimestamp"]) - now
    return _Token(answer["status"]["token"], now + min(life * _WORN, _OLDEST))
