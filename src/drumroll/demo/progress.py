"""What a person sees while the demo runs: a live line on a terminal, plain lines in a log."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from drumroll.load.run import Progress as LoadProgress

PLAIN_LOAD_SECONDS = 5.0
"""A log gets a line about the load this often; a terminal sees each."""


class Progress(Protocol):
    """Told what happens; used as a block, so that a terminal is left tidy."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def step(self, text: str) -> None:
        """A step begins; the one before is done."""
        ...

    def load(self, progress: LoadProgress) -> None:
        """The load's state, about once a second."""
        ...


def describe(progress: LoadProgress) -> str:
    """The load's state in one line."""
    versions = "  ".join(f"{name} {count}" for name, count in progress.versions.items())
    failed = f"{progress.failed} failed" + (f" ({progress.reason})" if progress.failed else "")
    cut = f", {progress.cut} cut" if progress.cut else ""
    return f"{progress.sent:,} sent, {failed}{cut}, p99 {progress.p99 * 1000:.1f} ms  {versions}"


class PlainProgress:
    """Lines with the seconds since the start."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._began, self._told = out, time.monotonic(), 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.flush()

    def step(self, text: str) -> None:
        """A line."""
        self._line(text)

    def load(self, progress: LoadProgress) -> None:
        """A line now and then, and whenever something failed."""
        if progress.failed or progress.at - self._told >= PLAIN_LOAD_SECONDS:
            self._told = progress.at
            self._line(f"  load: {describe(progress)}")

    def _line(self, text: str) -> None:
        self._out.write(f"[{time.monotonic() - self._began:6.1f}s] {text}\n")
        self._out.flush()


class LiveProgress:
    """Steps that are done with a tick and their seconds, the current one with a spinner and the load below it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.status import Status

        self._console = Console(highlight=False)
        self._status = Status("", console=self._console)
        self._current, self._since, self._load = "", time.monotonic(), ""

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish("[red]✗[/]" if error else "[green]✓[/]")
        self._status.stop()

    def step(self, text: str) -> None:
        """The step before gets its tick."""
        self._finish("[green]✓[/]")
        self._current, self._since = text, time.monotonic()
        self._show()

    def load(self, progress: LoadProgress) -> None:
        """The line below the current step."""
        self._load = describe(progress)
        self._show()

    def _show(self) -> None:
        from rich.markup import escape

        self._status.update(escape(self._current) + (f"\n  [dim]{escape(self._load)}[/]" if self._load else ""))

    def _finish(self, mark: str) -> None:
        from rich.markup import escape

        if self._current:
            took = time.monotonic() - self._since
            self._console.print(f"{mark} {escape(self._current)} [dim]{took:.1f} s[/]")
        self._current = ""


def progress_for(out: TextIO | None = None) -> Progress:
    """The live one on a terminal, else the plain one."""
    chosen = out or sys.stdout
    return LiveProgress() if chosen.isatty() else PlainProgress(chosen)
