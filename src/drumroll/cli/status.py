"""`drumroll status`: what runs, where, as which process."""

import argparse
from typing import Any

import orjson

from drumroll.assembly.home import Home
from drumroll.assembly.registry import running_parts
from drumroll.assembly.settings import load_settings
from drumroll.cli.home import home_of


def status(options: argparse.Namespace) -> int:
    """Print the state of the home; 1 when nothing runs there."""
    home = home_of(options)
    facts = collect(home)
    if options.output == "json":
        print(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
    else:
        print(text(facts))
    return 0 if facts["running"] else 1


def collect(home: Home) -> dict[str, Any]:
    """Everything that is known without asking the API."""
    from drumroll.assembly.outliving import outliving_processes

    parts = [{"name": part.name, "pid": part.pid, **part.facts} for part in running_parts(home)]
    parts += [{"name": name, "pid": pid} for name, pid in outliving_processes(home).items()]
    settings = load_settings(home)
    addresses = {part["name"]: part for part in parts}
    return {
        "running": bool(parts),
        "home": str(home.folder),
        "kubeconfig": str(home.kubeconfig),
        "isolation": settings.isolation,
        "api": addresses.get("apiserver", {}).get("address"),
        "http": addresses.get("proxy", {}).get("http"),
        "https": addresses.get("proxy", {}).get("https"),
        "metrics": addresses.get("proxy", {}).get("metrics"),
        "parts": parts,
    }


def text(facts: dict[str, Any]) -> str:
    """The facts for a person."""
    if not facts["running"]:
        return f"Nothing runs in {facts['home']}. Start a cluster with `drumroll up`."
    lines = [f"Home       {facts['home']}", f"Isolation  {facts['isolation']}"]
    lines += [
        f"{label:<10} {facts[key]}"
        for label, key in (("API", "api"), ("HTTP", "http"), ("HTTPS", "https"), ("Metrics", "metrics"))
        if facts[key]
    ]
    lines += [f"{'Process':<10} {part['name']:<12} {part['pid']}" for part in facts["parts"]]
    return "\n".join(lines)
