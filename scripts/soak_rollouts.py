"""Histories of a canary under load: updates on updates, promotions, aborts, deleted routes, kills; none may lose a
request, and each must come to its end.
"""

import json
import random
import time
from collections.abc import Callable
from typing import Any

from tests.e2e import shop
from tests.e2e.cluster import ROOT, Cluster

EXAMPLE = ROOT / "examples" / "canary-testers" / "shop.yaml"
PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0)


class History:
    """One history, by its seed: the same seed makes the same choices."""

    def __init__(self, cluster: Cluster, seed: int, events: int) -> None:
        self._cluster, self._events = cluster, events
        self._chance = random.Random(seed)

    def begin(self) -> None:
        """Build the versions, and wait until the first one serves: after another history it comes by a canary too."""
        shop.build(self._cluster, "faulty", "1", "2", "3")
        self._cluster.kubectl("apply", "-f", str(EXAMPLE))
        self._cluster.until(self._is_over, "the first version is healthy", 180)

    def happen(self) -> None:
        """Everything that happens, with pauses of any length, and the end of it."""
        choices: list[Callable[[], None]] = [
            self._update, self._update, self._update, self._abort, self._retry, self._promote, self._promote_fully,
            self._scale, self._delete_rules, self._kill,
        ]  # fmt: skip
        for _ in range(self._events):
            self._chance.choice(choices)()
            time.sleep(self._chance.choice(PAUSES))
        self._cluster.until(self._is_over, "the last update is over", 180)

    @property
    def status(self) -> dict[str, Any]:
        """The Rollout's status."""
        found: dict[str, Any] = self._cluster.get("rollout", "shop").get("status") or {}
        return found

    def _update(self) -> None:
        image = f"faulty:{self._chance.randint(1, 3)}"
        change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        self._cluster.kubectl("patch", "rollout", "shop", "--type=json", "-p", json.dumps(change))

    def _abort(self) -> None:
        self._steer(abort=True)

    def _retry(self) -> None:
        self._steer(abort=False)

    def _promote(self) -> None:
        self._steer(pauseConditions=None)

    def _promote_fully(self) -> None:
        self._steer(promoteFull=True)

    def _steer(self, **status: Any) -> None:
        change = json.dumps({"status": status})
        self._cluster.kubectl("patch", "rollout", "shop", "--subresource=status", "--type=merge", "-p", change)

    def _scale(self) -> None:
        self._cluster.kubectl("scale", "rollout/shop", f"--replicas={self._chance.randint(2, 4)}")

    def _delete_rules(self) -> None:
        rules = self._cluster.get("httproute", "shop")["spec"]["rules"]
        kept = json.dumps({"spec": {"rules": [rule for rule in rules if not rule.get("name")]}})
        self._cluster.kubectl("patch", "httproute", "shop", "--type=merge", "-p", kept)

    def _kill(self) -> None:
        self._cluster.kill_control_plane()
        self._cluster.up_again()

    def _is_over(self) -> bool:
        """Whether the wanted version is stable; takes away what it waits for."""
        status = self.status
        if status.get("abort"):
            self._retry()
        elif status.get("pauseConditions"):
            self._promote()
        time.sleep(1)
        weights = (status.get("canary") or {}).get("weights") or {}
        is_back = weights.get("verified") and weights["canary"]["weight"] == 0
        return bool(status.get("phase") == "Healthy" and is_back)
