"""What may be typed after `drumroll rollout`."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EPILOG = """examples:
  drumroll rollout get web --watch        see an update happen
  drumroll rollout set image web web=shop:2
  drumroll rollout promote web            go on past a pause
  drumroll rollout abort web              send the traffic back
  drumroll rollout undo web               to the version before
  drumroll rollout status deployment/web  works for Deployments too
"""
_NAME = "a Rollout or a Deployment; rollout/NAME or deployment/NAME where both have that name"
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def add_rollout(verbs: "Commands") -> None:
    """Add the command and all below it."""
    text = "see and steer Rollouts, and Deployments: get, status, promote, abort, undo and more"
    group = verbs.add_parser(
        "rollout", help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_shown(actions)
    _add_steering(actions)
    _add_changes(actions)
    _add_lint(actions)


def duration(text: str) -> float:
    """Seconds of `90`, `90s`, `1h30m`."""
    if text.replace(".", "", 1).isdigit():
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 90s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _image(text: str) -> tuple[str, str]:
    container, equals, image = text.partition("=")
    if not (container and equals and image):
        raise argparse.ArgumentTypeError(f"{text!r} is not CONTAINER=IMAGE (`*=IMAGE` for all containers)")
    return container, image


def _add(actions: "Commands", name: str, what: str, work: str, *, named: bool = True) -> argparse.ArgumentParser:
    """A command that talks to an API server; `work` is the module and function that does it."""
    verb = actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    if named:
        verb.add_argument("name", metavar="NAME", help=_NAME)
    verb.add_argument("-n", "--namespace", default="", help="default: the context's, else default")
    verb.add_argument("--context", default="", help="of the kubeconfig; default: the current one")
    where = "default: $KUBECONFIG, else ~/.kube/config"
    verb.add_argument("--kubeconfig", type=Path, default=None, metavar="FILE", help=where)
    verb.set_defaults(run=lambda options: _run(options, work))
    return verb


def _run(options: argparse.Namespace, work: str) -> int:
    from importlib import import_module

    from drumroll.cli.rollout.connection import carry_out

    module, _, name = work.partition(":")
    verb: Any = getattr(import_module(f"drumroll.cli.rollout.{module}"), name)
    return carry_out(options, lambda place: verb(place, options))


def _add_shown(actions: "Commands") -> None:
    what = "show how far an update is, with its revisions, pods and analyses"
    get = _add(actions, "get", what, "show:get", named=False)
    _add_kind(get, ("", "rollout", "deployment", "experiment", "abtest", "comparison"))
    get.add_argument("-w", "--watch", action="store_true", help="show every change, until Ctrl-C")
    get.add_argument("-o", "--output", choices=("json", "yaml"), default="", help="the object itself")
    get.add_argument("--no-color", action="store_true", help="no colours, and no live picture")
    status = _add(actions, "status", "wait until an update is healthy (0) or degraded (1)", "status:status")
    status.add_argument("-w", "--watch", action=argparse.BooleanOptionalAction, default=True, help="default: wait")
    status.add_argument("-t", "--timeout", type=duration, default=0.0, help="such as 5m; then the exit status is 3")
    listing = _add(
        actions,
        "list",
        "list Rollouts, experiments, A/B tests, comparisons or analysis runs",
        "show:listing",
        named=False,
    )
    kinds = ("rollouts", "experiments", "abtests", "comparisons", "analysisruns")
    known = (*kinds, *(name[:-1] for name in kinds), "ro", "exp", "abt", "ar")
    listing.add_argument("what", nargs="?", choices=known, default="rollouts", metavar="|".join(kinds))
    listing.add_argument("-A", "--all-namespaces", action="store_true", help="in every namespace")
    history = _add(actions, "history", "list the revisions that undo can return to", "show:history")
    history.add_argument("--revision", type=int, default=None, metavar="N", help="show the template of one of them")


def _add_steering(actions: "Commands") -> None:
    promote = _add(actions, "promote", "go on past a pause, a step, or with --full all the way", "change:promote")
    how = promote.add_mutually_exclusive_group()
    how.add_argument("--full", action="store_true", help="skip analyses, pauses and steps")
    how.add_argument("-c", "--skip-current-step", action="store_true", help="go on with the next step")
    how.add_argument("-a", "--skip-all-steps", action="store_true", help="go on as if all steps were done")
    _add(actions, "pause", "hold still at the current step", "change:pause")
    _add(actions, "abort", "send the traffic back to the stable version", "change:abort")
    retry = _add(actions, "retry", "try an aborted update, or an experiment, again", "change:retry", named=False)
    _add_kind(retry, ("rollout", "experiment"))
    terminate = _add(
        actions, "terminate", "stop an analysis run, an experiment or an A/B test", "change:terminate", named=False
    )
    kinds = ("analysisrun", "experiment", "abtest")
    terminate.add_argument("what", choices=kinds, metavar="KIND", help=", ".join(kinds))
    terminate.add_argument("name", metavar="NAME", help="as `list` or `get` shows it")


def _add_kind(verb: argparse.ArgumentParser, kinds: tuple[str, ...]) -> None:
    """`retry NAME` and `retry experiment NAME`."""
    shown = "|".join(kind for kind in kinds if kind)
    verb.add_argument("words", nargs="+", metavar=f"[{shown}] NAME", action=_Words, kinds=kinds)


class _Words(argparse.Action):
    """A name, or a kind and a name."""

    def __init__(self, *arguments: Any, kinds: tuple[str, ...], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._kinds = kinds

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        what, name = (values[0], values[1]) if len(values) == 2 else (self._kinds[0], values[0])
        if len(values) > 2 or what not in self._kinds:
            parser.error(f"write NAME, or one of {', '.join(filter(None, self._kinds))} and NAME")
        namespace.what, namespace.name = what, name


def _add_changes(actions: "Commands") -> None:
    undo = _add(actions, "undo", "return to the revision before, or to another one", "change:undo")
    undo.add_argument("--to-revision", type=int, default=0, metavar="N", help="as `history` lists them")
    restart = _add(actions, "restart", "replace every pod by a new one", "change:restart")
    restart.add_argument("-i", "--in", dest="wait", type=duration, default=0.0, help="later, such as 10m")
    setting = actions.add_parser(
        "set", help="set the images of containers", description="Set the images of containers."
    )
    fields = setting.add_subparsers(title="fields", metavar="FIELD", required=True)
    image = _add(fields, "image", "set the images of containers", "change:set_image")
    image.add_argument("images", nargs="+", type=_image, metavar="CONTAINER=IMAGE", help="`*=IMAGE` for all of them")


def _add_lint(actions: "Commands") -> None:
    what = "check manifests of Rollouts, analyses and routes, and what they refer to, without a cluster"
    verb = actions.add_parser("lint", help=what, description=f"{what[0].upper()}{what[1:]}.")
    verb.add_argument("-f", "--filename", type=Path, action="append", required=True, help="may be repeated; - is stdin")
    verb.add_argument("--strict", action="store_true", help="a warning makes it fail too")
    verb.set_defaults(run=_lint)


def _lint(options: argparse.Namespace) -> int:
    from drumroll.cli.rollout.lint import lint

    return lint(options)
