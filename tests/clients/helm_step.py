"""Run by a Python that has Helm's library: one step of a release's life, waiting for it.

Arguments: the kubeconfig, the namespace, the folder of the chart, the step, and values as JSON.
Prints what became of it.
"""

import json
import sys
from typing import Any

import helm_python as helm  # type: ignore[import-not-found]  # in an environment of its own: it is large

WAITING: dict[str, Any] = {"wait": "watcher", "timeout": 90}


def step(config: Any, namespace: str, chart: str, name: str, values: dict[str, Any]) -> Any:
    """What Helm says after the step."""
    match name:
        case "dry-run":
            return config.install(chart, "shop", values, namespace=namespace, dry_run="server")
        case "install":
            return config.install(chart, "shop", values, namespace=namespace, **WAITING)
        case "upgrade":
            return config.upgrade(chart, "shop", values, namespace=namespace, **WAITING)
        case "rollback":
            return config.rollback("shop", version=1, **WAITING)
        case "uninstall":
            return config.uninstall("shop", **WAITING)
    return {"revisions": len(config.history("shop")), "status": config.status("shop").get("status")}


def main() -> None:
    """Take the step; a refusal ends it with a traceback."""
    kubeconfig, namespace, chart, name, values = sys.argv[1:]
    with helm.Config(kubeconfig_path=kubeconfig, namespace=namespace) as config:
        sys.stdout.write(json.dumps(step(config, namespace, chart, name, json.loads(values))))


if __name__ == "__main__":
    main()
