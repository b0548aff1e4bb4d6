"""`drumroll controller`: progressive delivery on a cluster that somebody else runs."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

TIMES = (
    ("lease-duration", 15.0, "how long a silent leader counts"),
    ("renew-deadline", 10.0, "how long the leader may fail to renew"),
    ("retry-period", 2.0, "how often to try"),
)


def add_controller(verbs: "Commands") -> None:
    """The command and its options."""
    what = "run Rollouts, AnalysisRuns and Experiments on any Kubernetes cluster"
    verb = verbs.add_parser("controller", help=what, description=f"{what[0].upper()}{what[1:]}.")
    verb.add_argument(
        "--kubeconfig",
        type=Path,
        default=None,
        metavar="FILE",
        help="the cluster (default $KUBECONFIG, else the pod's own cluster, else ~/.kube/config)",
    )
    verb.add_argument("--context", default="", metavar="NAME", help="the context in it (default its current one)")
    verb.add_argument(
        "--leader-elect",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="act only while holding a Lease, so that several may run (default yes)",
    )
    verb.add_argument(
        "--leader-elect-namespace",
        default="drumroll-system",
        metavar="NAMESPACE",
        help="where the Lease drumroll-controller is (default drumroll-system)",
    )
    for name, default, meaning in TIMES:
        told = f"seconds: {meaning} (default {default:g})"
        verb.add_argument(f"--leader-elect-{name}", type=float, default=default, metavar="SECONDS", help=told)
    verb.set_defaults(run=controller)


def controller(options: argparse.Namespace) -> int:
    """Run until stopped; 0 after SIGTERM or Ctrl-C."""
    import asyncio  # here, as all that is large: the other commands must start quickly

    from drumroll.assembly.control_plane import configure_logging
    from drumroll.assembly.controller import Options, run_controller_alone
    from drumroll.domain.leadership import Times

    configure_logging(None)
    times = Times(
        options.leader_elect_lease_duration, options.leader_elect_renew_deadline, options.leader_elect_retry_period
    )
    namespace = options.leader_elect_namespace if options.leader_elect else ""
    chosen = Options(_kubeconfigs(options.kubeconfig), options.context, namespace, times)
    try:
        asyncio.run(run_controller_alone(chosen))
    except asyncio.CancelledError:
        return 0
    return 0


def _kubeconfigs(given: Path | None) -> list[Path]:
    if given is not None:
        return [given.expanduser()]
    several = [Path(one) for one in os.environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    return several or [Path("~/.kube/config").expanduser()]
