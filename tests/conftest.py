"""What every test relies on, and how tests are shared among workers."""

import signal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests import searching

searching.begin()

# A shell that starts us in the background makes us ignore SIGINT, and every program that we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Scheduling(LoadScopeScheduling):
    """Tests go to whichever worker is free, but those of a module whose fixtures live as long as it go to one.

    They share what is costly, a whole cluster most of the time, and some of them its history. (xdist's own groups do
    not work with pytest 9, which no longer lets a test's id be changed.)
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if shares_fixtures(path) else nodeid


@cache
def shares_fixtures(path: str) -> bool:
    """Whether a module has fixtures that live as long as it."""
    return 'scope="module"' in (Path(__file__).parents[1] / path).read_text()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)
