"""The `drumroll` command: arguments in, one verb called, one sentence out when it cannot be."""

import argparse
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drumroll import __version__
from drumroll.assembly.home import Refusal
from drumroll.assembly.settings import PARTS

EPILOG = """examples:
  drumroll demo                          watch an update lose no request
  drumroll up                            a cluster on this machine, for your own kubectl
  drumroll image build -t shop:1 ./shop  an image from a Dockerfile, no registry needed
  kubectl apply -f shop.yaml             as on any cluster
"""


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ISOLATION = (
    "container: each pod has its own network and files (needs root and runc); loopback: pods are plain processes "
    "with 127.x.x.x addresses; auto: container where it works (default)"
)
OUTPUT = "text for people (default), json for programs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 1 with a sentence on stderr."""
    typed = sys.argv[1:] if arguments is None else arguments
    if not typed:
        parser().print_help(sys.stderr)
        print("\ndrumroll: a COMMAND is required, for example `drumroll demo`.", file=sys.stderr)
        return 2
    options = parser().parse_args(typed)
    try:
        status: int = options.run(options)
    except Refusal as refusal:
        print(f"drumroll: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        what = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        print(f"drumroll: {what}", file=sys.stderr)
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """All commands and their options; docs and completion derive from it."""
    top = argparse.ArgumentParser(
        prog="drumroll",
        description="Rolling updates of running services with no service interruption, driven by your own kubectl.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"drumroll {__version__}")
    from drumroll.cli.controller import add_controller
    from drumroll.cli.rollout.parser import add_rollout

    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    _add_home(shared, "$DRUMROLL_HOME, else ~/.local/state/drumroll")
    _add_up(verbs, shared)
    _add_down(verbs, shared)
    _add_status(verbs, shared)
    _add_image(verbs, shared)
    add_rollout(verbs)
    add_controller(verbs)
    _add_demo(verbs)
    return top


def _parts(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [part for part in chosen if part not in PARTS]
    if unknown or not chosen:
        raise argparse.ArgumentTypeError(
            f"choose from {', '.join(PARTS)} (unknown: {', '.join(unknown) or 'none given'})"
        )
    return tuple(part for part in PARTS if part in chosen)


def _folder(text: str) -> Path:
    if not text:  # Path("") is the current folder, and nobody means that by an unset variable
        raise argparse.ArgumentTypeError("name a folder")
    return Path(text)


def _address(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        wanted = "an IPv4 address of this machine such as 127.0.0.1, or 0.0.0.0 for all of them"
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}") from None


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use 1 to 65535, or 0 for a free one")
    return int(text)


def _add_home(verb: argparse.ArgumentParser, default: str) -> None:
    what = f"folder of the cluster's data (default {default})"
    verb.add_argument("--home", type=_folder, default=None, metavar="DIR", help=what)


def _command(commands: "Commands", name: str, what: str, **more: Any) -> argparse.ArgumentParser:
    """A command that says in its own help what the list of commands says of it."""
    return commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.", **more)


def _add_up(verbs: "Commands", shared: argparse.ArgumentParser) -> None:
    from drumroll.cli.up import up

    verb = _command(verbs, "up", "start the cluster; returns when its API answers", parents=[shared])
    verb.add_argument("--foreground", action="store_true", help="run in this terminal, log to it, stop with Ctrl-C")
    verb.add_argument("--isolation", choices=("auto", "container", "loopback"), default=None, help=ISOLATION)
    verb.add_argument(
        "--parts", type=_parts, default=PARTS, metavar="A,B", help=f"run only some of {','.join(PARTS)} (default all)"
    )
    verb.add_argument(
        "--audit-log",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="log every request to the API in the home's logs/audit.log",
    )
    verb.add_argument(
        "--bare",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="begin without Rollouts and the Gateway API, as a stock API server does",
    )
    _add_addresses(verb)
    verb.add_argument(
        "--kubeconfig",
        type=Path,
        default=None,
        metavar="FILE",
        help="add the context to this file (default $KUBECONFIG, else ~/.kube/config)",
    )
    verb.add_argument(
        "--no-context",
        action="store_true",
        help="change no kubeconfig; the cluster's own is DIR/kubeconfig (see --home)",
    )
    verb.set_defaults(run=up)


def _add_addresses(verb: argparse.ArgumentParser) -> None:
    for option, what in (
        ("--api-port", "of the Kubernetes API (default 6443; 0: any free one)"),
        ("--http-port", "of Ingress for HTTP (default 80 for root, else 8080)"),
        ("--https-port", "of Ingress for HTTPS (default 443 for root, else 8443)"),
    ):
        verb.add_argument(option, type=_port, default=None, metavar="PORT", help=f"port {what}")
    verb.add_argument(
        "--listen",
        type=_address,
        default=None,
        metavar="ADDRESS",
        help="address for the API, Ingress, node ports and load balancers (default 127.0.0.1)",
    )


def _add_down(verbs: "Commands", shared: argparse.ArgumentParser) -> None:
    from drumroll.cli.down import down

    verb = _command(verbs, "down", "stop pods, Envoy and the control plane; data stays", parents=[shared])
    verb.add_argument("--delete", action="store_true", help="also delete the cluster's data; images stay")
    file = "with --delete, take the context out of this file (default $KUBECONFIG, else ~/.kube/config)"
    verb.add_argument("--kubeconfig", type=Path, default=None, metavar="FILE", help=file)
    verb.set_defaults(run=down)


def _add_status(verbs: "Commands", shared: argparse.ArgumentParser) -> None:
    from drumroll.cli.status import status

    verb = _command(verbs, "status", "show what runs, where, as which process", parents=[shared])
    verb.add_argument("-o", "--output", choices=("text", "json"), default="text", help=OUTPUT)
    verb.set_defaults(run=status)


def _add_image(verbs: "Commands", shared: argparse.ArgumentParser) -> None:
    from drumroll.cli import image

    group = _command(verbs, "image", "build, name, list and remove images; no registry, no daemon")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    build = _command(actions, "build", "build an image from a folder with a Dockerfile", parents=[shared])
    build.add_argument("context", type=Path, metavar="FOLDER", help="what COPY and ADD may take files from")
    build.add_argument(
        "-t", "--tag", action="append", required=True, metavar="NAME:TAG", help="the image's name; may be repeated"
    )
    build.add_argument("-f", "--file", type=Path, default=None, metavar="FILE", help="default FOLDER/Dockerfile")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="a value for ARG")
    build.set_defaults(run=image.build)
    tag = _command(actions, "tag", "give an image one more name", parents=[shared])
    tag.add_argument("source", metavar="IMAGE", help="a name that the image has already")
    tag.add_argument("target", metavar="NEW-NAME", help="the name that it gets as well")
    tag.set_defaults(run=image.tag)
    listing = _command(actions, "ls", "list the images on this machine", parents=[shared])
    listing.add_argument("-o", "--output", choices=("text", "json"), default="text", help=OUTPUT)
    listing.set_defaults(run=image.ls)
    remove = _command(actions, "rm", "remove an image that nothing needs", parents=[shared])
    remove.add_argument("image", nargs="+", metavar="IMAGE", help="as `drumroll image ls` shows it")
    remove.add_argument("--force", action="store_true", help="also when a revision that an undo may want needs it")
    remove.set_defaults(run=image.rm)


def _add_demo(verbs: "Commands") -> None:
    from drumroll.cli.demo import demo

    verb = _command(verbs, "demo", "update a small shop under load and take it back; count what fails")
    _add_home(verb, "$DRUMROLL_HOME-demo, else ~/.local/state/drumroll-demo")
    verb.add_argument("--isolation", choices=("auto", "container", "loopback"), default=None, help=ISOLATION)
    verb.add_argument("--rate", type=int, default=300, metavar="N", help="requests per second (default 300)")
    verb.add_argument("--keep", action="store_true", help="leave the cluster up afterwards")
    verb.set_defaults(run=demo)


if __name__ == "__main__":
    sys.exit(main())
