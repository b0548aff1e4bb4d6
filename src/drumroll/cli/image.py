"""`drumroll image …`: images without a registry and without a running cluster."""

import argparse
import sys
from typing import TYPE_CHECKING

import orjson

from drumroll.assembly.home import Home, Refusal
from drumroll.cli.home import home_of

if TYPE_CHECKING:
    from drumroll.node.images import ImageStore


def build(options: argparse.Namespace) -> int:
    """Build and tag an image; prints its names and digest."""
    from drumroll.node.build import build_image
    from drumroll.node.dockerfile import BuildError

    arguments = {}
    for pair in options.build_arg:
        name, separator, value = pair.partition("=")
        if not separator:
            raise Refusal(f"--build-arg wants NAME=VALUE, not {pair!r}.")
        arguments[name] = value
    store = _store(options)
    try:
        image = build_image(
            store,
            options.context,
            tags=tuple(options.tag),
            dockerfile=options.file,
            build_args=arguments,
            say=lambda line: print(line, file=sys.stderr),
        )
    except (BuildError, ValueError) as error:
        raise Refusal(str(error)) from error
    for warning in image.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for name in options.tag:
        print(f"built {name} {image.digest[:19]} {size(image.size)}")
    return 0


def tag(options: argparse.Namespace) -> int:
    """Give an image one more name."""
    try:
        _store(options).tag(options.source, options.target)
    except KeyError as error:
        raise Refusal(f"there is no image {options.source!r}; see `drumroll image ls`.") from error
    except ValueError as error:
        raise Refusal(str(error)) from error
    print(f"tagged {options.target}")
    return 0


def ls(options: argparse.Namespace) -> int:
    """List images as a table or as JSON."""
    rows = _store(options).list()
    if options.output == "json":
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return 0
    width = max((len(row.reference) for row in rows), default=5)
    print(f"{'IMAGE':<{width}}  {'DIGEST':<19}  SIZE")
    for row in rows:
        print(f"{row.reference:<{width}}  {row.digest[:19]}  {size(row.size)}")
    return 0


def rm(options: argparse.Namespace) -> int:
    """Remove images that no kept revision needs."""
    from drumroll.assembly.image_use import images_in_use

    store = _store(options)
    if not options.force:
        used = images_in_use(home_of(options), store)
        for name in options.image:
            if owner := used.get(store.normalize(name)):
                raise Refusal(
                    f"{name} is needed by {owner}; an undo could not bring it back. Use --force to remove it."
                )
    for name in options.image:
        try:
            store.remove(name)
        except KeyError as error:
            raise Refusal(f"there is no image {name!r}; see `drumroll image ls`.") from error
        print(f"removed {name}")
    return 0


def size(count: int) -> str:
    """Bytes for a person: 12.3 MB."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _store(options: argparse.Namespace) -> "ImageStore":
    from drumroll.node.images import ImageStore

    home: Home = home_of(options)
    home.images.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ImageStore(home.images)
