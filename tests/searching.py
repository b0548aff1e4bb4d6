"""How many examples the property tests look at: the same few in every `./dev test`, many new ones in `./dev soak`."""

import os

from hypothesis import Phase, settings

TIMES = int(os.environ.get("DRUMROLL_SEARCH", "0"))
"""How many times as many as usual, all new; 0: the usual ones."""


def examples(count: int) -> int:
    """How many examples a test looks at now that usually looks at so many."""
    return count * max(1, TIMES)


def begin() -> None:
    """Set what holds for every property test."""
    if TIMES:
        phases = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
        settings.register_profile("drumroll", max_examples=examples(100), deadline=None, phases=phases)
    else:  # a run that fails without a change would tell of the change before
        settings.register_profile("drumroll", derandomize=True, deadline=None)
    settings.load_profile("drumroll")
