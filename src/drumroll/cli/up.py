"""`drumroll up`: start the cluster and make it the user's current context."""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from drumroll.assembly.abandoned import remove_abandoned
from drumroll.assembly.home import Home, Refusal
from drumroll.assembly.registry import running_parts
from drumroll.assembly.settings import Settings, is_damaged, load_settings
from drumroll.cli.home import home_of

CONTEXT = "drumroll"


def up(options: argparse.Namespace) -> int:
    """Start in the background (or stay in the foreground); 0 when the API answers."""
    home = home_of(options)
    settings = settings_from(options, home)
    remove_abandoned(home.run.parent)
    home.create()
    started = time.monotonic()

    def announce(facts: dict[str, str]) -> None:
        context = None if options.no_context else add_context(home, options.kubeconfig)
        print(welcome(home, facts, time.monotonic() - started, context), flush=True)

    if options.foreground:
        from drumroll.assembly.daemon import run_here

        run_here(home, settings, announce, None)
        return 0
    from drumroll.assembly.daemon import start_daemon

    announce(start_daemon(home, settings))
    return 0


def settings_from(options: argparse.Namespace, home: Home) -> Settings:
    """The stored settings with what this call says on top. Raises Refusal when the parts already run."""
    running = {part.name: part.pid for part in running_parts(home)}
    if busy := [part for part in options.parts if part in running]:
        raise Refusal(
            f"the cluster in {home.folder} is already up ({busy[0]} runs as process {running[busy[0]]}). "
            "See it with `drumroll status`, stop it with `drumroll down`, or use another --home."
        )
    if is_damaged(home):
        raise Refusal(
            f"{home.settings} is damaged, so it is not known how this cluster's pods run. `drumroll down` stops "
            "whatever runs and puts the file aside; then start again, with --isolation and ports where you chose them."
        )
    changes: dict[str, Any] = {"parts": options.parts}
    if options.isolation is not None:
        changes["isolation"] = None if options.isolation == "auto" else options.isolation
    for name in ("api_port", "http_port", "https_port"):
        if getattr(options, name) is not None:
            changes[name] = getattr(options, name)
    if options.audit_log is not None:
        changes["audit"] = options.audit_log
    if options.bare is not None:
        changes["bare"] = options.bare
    if options.listen is not None:
        changes["listen"] = changes["api_listen"] = options.listen
    settings = replace(load_settings(home), **changes)
    _check_ports(settings)
    return settings


def _check_ports(settings: Settings) -> None:
    ports = [port for port in (settings.api_port, settings.http_port, settings.https_port) if port]
    if twice := {port for port in ports if ports.count(port) > 1}:
        raise Refusal(
            f"port {twice.pop()} is named twice: the API (--api-port), --http-port and --https-port need one each."
        )


def add_context(home: Home, file: Path | None) -> str | None:
    """Put the context `drumroll` into the user's kubeconfig and make it current; returns the file's name.

    A file that cannot be written is no reason to stop a cluster that is up: then None, and a sentence.
    """
    from drumroll.client.kubeconfig import KubeconfigError, load_kubeconfig, merge_context

    target = file or user_kubeconfig()
    try:
        merge_context(target, CONTEXT, load_kubeconfig(home.kubeconfig))
    except (KubeconfigError, OSError) as error:
        print(f"drumroll: the context could not be added: {error}. The cluster's own file is {home.kubeconfig}.")
        return None
    return str(target)


def user_kubeconfig() -> Path:
    """The file that kubectl writes to: the first of $KUBECONFIG, else ~/.kube/config."""
    named = [part for part in os.environ.get("KUBECONFIG", "").split(":") if part]
    return Path(named[0]) if named else Path.home() / ".kube" / "config"


def welcome(home: Home, facts: dict[str, str], seconds: float, context: str | None) -> str:
    """What a person reads when the cluster is up."""
    lines = [
        f"Cluster is up in {seconds:.1f} s.",
        f"  API        {facts['api']}",
        f"  Isolation  {facts['isolation']}: {facts['why']}",
        f"  Home       {home.folder}",
    ]
    if facts["http"]:
        lines.insert(2, f"  Ingress    {facts['http']}  {facts['https']}")
    if context:
        lines.append(f"  kubectl    context drumroll is current in {context}")
        lines.append("Try: kubectl get nodes")
    else:
        lines.append(f"Try: kubectl --kubeconfig {home.kubeconfig} get nodes")
    return "\n".join(lines)
