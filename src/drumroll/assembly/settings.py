"""What a person chose for a cluster, kept across restarts so that addresses stay the same."""

import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

import orjson

from drumroll.assembly.home import Home
from drumroll.objects.network import Isolation

PARTS = ("apiserver", "controllers", "rollouts", "node", "proxy")


@dataclass(frozen=True, slots=True)
class Settings:
    """Ports are TCP ports on `listen` (the API's always on `api_listen`); 0 means any free one."""

    isolation: Isolation | None = None  # None: the best one that works here
    parts: tuple[str, ...] = PARTS
    api_port: int = 6443
    api_listen: str = "127.0.0.1"
    http_port: int = 8080
    https_port: int = 8443
    listen: str = "127.0.0.1"
    metrics_port: int = 0  # of the mesh's metrics, on 127.0.0.1; 0: none chosen yet
    audit: bool = False  # an audit log of every request, in the home's logs
    bare: bool = False  # only what a stock API server has: no Rollouts, no Gateway API
    loopback_range: int | None = None  # which part of the loopback ranges this home uses; None: not chosen yet


def first_settings() -> Settings:
    """Defaults for a new home: the standard web ports where this user may bind them."""
    return Settings(http_port=80, https_port=443) if os.geteuid() == 0 else Settings()


def load_settings(home: Home) -> Settings:
    """The last `up`'s settings, or the defaults for a new home. A damaged file counts as none (see `is_damaged`)."""
    return _stored(home) or first_settings()


def is_damaged(home: Home) -> bool:
    """True when there is a file with settings and it cannot be understood."""
    return home.settings.exists() and _stored(home) is None


def _stored(home: Home) -> Settings | None:
    try:
        stored = orjson.loads(home.settings.read_bytes())
        known = {field.name: stored[field.name] for field in fields(Settings) if field.name in stored}
        settings = replace(first_settings(), **{**known, "parts": tuple(stored["parts"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return settings if _makes_sense(settings) else None


def _makes_sense(settings: Settings) -> bool:
    numbers: tuple[Any, ...] = (
        settings.api_port,
        settings.http_port,
        settings.https_port,
        settings.metrics_port,
        settings.loopback_range or 0,
    )
    return (
        settings.isolation in (None, *get_args(Isolation))
        and all(part in PARTS for part in settings.parts)
        and all(type(number) is int and 0 <= number < 65536 for number in numbers)
        and all(isinstance(address, str) for address in (settings.listen, settings.api_listen))
    )


def save_settings(home: Home, settings: Settings) -> None:
    """Remember for the next `up`; atomic."""
    write_atomically(home.settings, orjson.dumps(asdict(settings), option=orjson.OPT_INDENT_2))


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """The file has the old content or the new one, never a part of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
