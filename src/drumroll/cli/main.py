"""The `drumroll` command: arguments in, one verb called, one sentence out when it cannot be."""

import argparse
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from drumroll import __version__
from drumroll.assembly.home import Home, Refusal, default_home
from drumroll.assembly.settings import PARTS

EPILOG = """examples:
  drumroll demo                          watch an update lose no request
  drumroll up                            a cluster on this machine, for your own kubectl
  drumroll image build -t shop:1 ./shop  an image from a Dockerfile, no registry needed
  kubectl apply -f shop.yaml             as on any cluster
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 1 with a sentence on stderr."""
    options = parser().parse_args(arguments)
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
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--home", type=_folder, default=None, metavar="DIR", help="where the cluster lives (default $DRUMROLL_HOME)"
    )
    _add_up(verbs, shared)
    _add_down(verbs, shared)
    _add_status(verbs, shared)
    _add_image(verbs, shared)
    _add_demo(verbs, shared)
    return top


def home_of(options: argparse.Namespace) -> Home:
    """The home that the command is about."""
    return Home((options.home or default_home()).expanduser().absolute())


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


def _add_up(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser) -> None:
    from drumroll.cli.up import up

    verb = verbs.add_parser("up", parents=[shared], help="start the cluster; returns when its API answers")
    verb.add_argument("--foreground", action="store_true", help="stay in this terminal, log to it, stop with Ctrl-C")
    verb.add_argument(
        "--isolation", choices=("auto", "container", "loopback"), default=None, help="how pods run (default auto)"
    )
    verb.add_argument("--parts", type=_parts, default=PARTS, metavar="A,B", help=f"run only these of {','.join(PARTS)}")
    verb.add_argument(
        "--audit-log", action=argparse.BooleanOptionalAction, default=None, help="log every request (logs/audit.log)"
    )
    verb.add_argument("--api-port", type=_port, default=None, metavar="PORT", help="default 6443")
    verb.add_argument("--http-port", type=_port, default=None, metavar="PORT", help="for Ingress; root 80, else 8080")
    verb.add_argument("--https-port", type=_port, default=None, metavar="PORT", help="root 443, else 8443")
    verb.add_argument(
        "--listen",
        type=_address,
        default=None,
        metavar="ADDRESS",
        help="address for the API, Ingress and load balancers (127.0.0.1)",
    )
    verb.add_argument("--kubeconfig", type=Path, default=None, metavar="FILE", help="add the context to this file")
    verb.add_argument("--no-context", action="store_true", help="leave the user's kubeconfig alone")
    verb.set_defaults(run=up)


def _add_down(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser) -> None:
    from drumroll.cli.down import down

    verb = verbs.add_parser("down", parents=[shared], help="stop pods, Envoy and the control plane; data stays")
    verb.add_argument("--delete", action="store_true", help="and delete the cluster's data (images stay)")
    verb.add_argument("--kubeconfig", type=Path, default=None, metavar="FILE", help="the file that `up` was given")
    verb.set_defaults(run=down)


def _add_status(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser) -> None:
    from drumroll.cli.status import status

    verb = verbs.add_parser("status", parents=[shared], help="what runs, where, as which process")
    verb.add_argument("-o", "--output", choices=("text", "json"), default="text")
    verb.set_defaults(run=status)


def _add_image(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser) -> None:
    from drumroll.cli import image

    group = verbs.add_parser("image", help="build, name, list and remove images; no registry, no daemon")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    build = actions.add_parser("build", parents=[shared], help="an image from a folder with a Dockerfile")
    build.add_argument("context", type=Path, metavar="FOLDER")
    build.add_argument("-t", "--tag", action="append", required=True, metavar="NAME:TAG", help="may be repeated")
    build.add_argument("-f", "--file", type=Path, default=None, metavar="FILE", help="default FOLDER/Dockerfile")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    build.set_defaults(run=image.build)
    tag = actions.add_parser("tag", parents=[shared], help="give an image one more name")
    tag.add_argument("source", metavar="IMAGE")
    tag.add_argument("target", metavar="NEW-NAME")
    tag.set_defaults(run=image.tag)
    listing = actions.add_parser("ls", parents=[shared], help="the images on this machine")
    listing.add_argument("-o", "--output", choices=("text", "json"), default="text")
    listing.set_defaults(run=image.ls)
    remove = actions.add_parser("rm", parents=[shared], help="remove an image that nothing needs")
    remove.add_argument("image", nargs="+", metavar="IMAGE")
    remove.add_argument("--force", action="store_true", help="even when a kept revision needs it")
    remove.set_defaults(run=image.rm)


def _add_demo(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser) -> None:
    from drumroll.cli.demo import demo

    verb = verbs.add_parser("demo", parents=[shared], help="the lab's services, an update and its undo under load")
    verb.add_argument("--isolation", choices=("auto", "container", "loopback"), default=None)
    verb.add_argument("--rate", type=int, default=300, metavar="N", help="requests per second (default 300)")
    verb.add_argument("--keep", action="store_true", help="leave the cluster up afterwards")
    verb.set_defaults(run=demo)


if __name__ == "__main__":
    sys.exit(main())
