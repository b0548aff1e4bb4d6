"""Which API server, as whom and in which namespace: the rules of kubectl."""

import argparse
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from orjson import JSONDecodeError

from drumroll.assembly.home import Refusal

if TYPE_CHECKING:
    from drumroll.client.client import Client

_NO_KIND = (
    "this cluster does not know the kind: install the definitions of Argo Rollouts, or use a cluster of `drumroll up` "
    "without --bare."
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works."""

    client: "Client"
    namespace: str


Work: TypeAlias = Callable[[Place], Awaitable[int]]


def carry_out(options: argparse.Namespace, work: Work) -> int:
    """Run `work` against the chosen API server. Raises Refusal with a sentence for a person."""
    import asyncio  # here, as all that is large: the other commands must start quickly

    from drumroll.client.kubeconfig import KubeconfigError
    from drumroll.objects.errors import ApiError, NotFound, ServiceUnavailable

    try:
        return asyncio.run(_carry_out(options, work))
    except KubeconfigError as error:
        missing = not any(path.exists() for path in kubeconfigs(options))
        advice = " Start a cluster with `drumroll up`, or name another file with --kubeconfig." if missing else ""
        raise Refusal(f"{error}.{advice}") from error
    except JSONDecodeError as error:
        raise Refusal("whoever answers there is no Kubernetes API server: its answer is no JSON.") from error
    except ApiError as error:
        if isinstance(error, NotFound) and not (error.details or {}).get("name"):
            raise Refusal(_NO_KIND) from error
        is_down = isinstance(error, ServiceUnavailable) and isinstance(error.__cause__, OSError)
        advice = ". `drumroll status` says whether your cluster is up." if is_down else ""
        raise Refusal(f"{error.message.strip() or error}{advice}") from error


async def _carry_out(options: argparse.Namespace, work: Work) -> int:
    from drumroll.client.client import Client
    from drumroll.client.http import HttpTransport
    from drumroll.client.kubeconfig import load_user_config

    connection, namespace = load_user_config(kubeconfigs(options), options.context or "")
    async with HttpTransport(connection) as transport:
        return await work(Place(Client(transport), options.namespace or namespace or "default"))


def kubeconfigs(options: argparse.Namespace) -> list[Path]:
    """The files to look at: the one named, else those of $KUBECONFIG, else ~/.kube/config."""
    if options.kubeconfig:
        return [options.kubeconfig]
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(":") if part]
    return named or [Path.home() / ".kube" / "config"]
