"""The figures against their goals, and large against small in the same run: ratios hold on any machine."""

from collections.abc import Iterator, Mapping

Figures = dict[str, float]

GOALS = (
    ("start", "API ready (s)", 1.0),
    ("start", "first pod ready (s)", 2.0),
    ("memory", "together (MB)", 150.0),
    ("rollout-100", "create (s)", 0.4),
    ("rollout-100", "update (s)", 0.7),
    ("rollout-1000", "create (s)", 2.5),
    ("rollout-1000", "update (s)", 4.0),
    ("rollout-1000", "worst hold-up of the event loop (ms)", 50.0),
)
"""Group, figure, and what it may be at most."""

CPU = "control plane's CPU for both (s)"


def shares(groups: Mapping[str, Figures]) -> Figures:
    """Each figure as a share of its goal: at most 1 is good."""
    return {
        f"{group}: {figure}, of {goal:g}": found[figure] / goal
        for group, figure, goal in GOALS
        if figure in (found := groups.get(group, {}))
    }


def growth(groups: Mapping[str, Figures]) -> Figures:
    """10,000 pods against ten times 1,000: at most 1 is no worse than linear. The CPU's share is hardly disturbed by
    what else the machine does; the seconds are.
    """
    return {
        f"{what}{figure}: 10,000 against ten times 1,000": ratio
        for kind, what in (("", ""), ("-service", "behind a Service, "))
        for figure, ratio in _ratios(groups.get(f"rollout-1000{kind}", {}), groups.get(f"rollout-10000{kind}", {}))
    }


def _ratios(small: Figures, large: Figures) -> Iterator[tuple[str, float]]:
    for figure in ("create (s)", "update (s)", CPU):
        if figure in small and figure in large:
            yield figure, large[figure] / (10 * small[figure])
