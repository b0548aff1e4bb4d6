"""postStart and preStop hooks. Source: kubernetes pkg/kubelet/lifecycle/handlers.go."""

import asyncio
from collections.abc import Mapping
from typing import Any

from drumroll.domain.probe import Verdict
from drumroll.node.probing import ProbeError, ProbeTarget, probe_once


async def run_hook(handler: Mapping[str, Any], target: ProbeTarget, timeout: float) -> str | None:
    """Run one hook for at most `timeout` seconds; what went wrong, or None.

    An HTTP hook succeeds with any answer below 400, as a probe does.
    """
    try:
        if (sleep := handler.get("sleep")) is not None:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(float(sleep.get("seconds") or 0))
            return None
        result = await probe_once(handler, target, timeout)
    except TimeoutError:
        return f"the hook did not finish within {timeout:g}s"
    except ProbeError as error:
        return str(error)
    return None if result.verdict is Verdict.SUCCESS else result.output
