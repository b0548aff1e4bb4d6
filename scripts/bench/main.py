"""Options, the order of things, and the table."""

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import api, rollouts, start
from bench.cluster import environment
from bench.goals import growth, shares

Figures = dict[str, float]


def groups(base: Path, isolation: str) -> dict[str, tuple[str, Callable[[], Figures]]]:
    """By the word for `--only`: what it is, and how it is measured."""
    simulated = "pods, simulated node"
    with_proxy = "apiserver,controllers,proxy"
    return {
        "start": ("Start", lambda: start.start(base, isolation)),
        "memory": ("Memory at rest", lambda: start.idle_memory(base, isolation)),
        "write": ("Stages of a write, one at a time", lambda: api.writing(base, isolation)),
        "verbs": ("The API over TLS", lambda: api.verbs(base, isolation)),
        "lists": ("Lists and memory per object", lambda: api.lists(base, isolation)),
        "fanout": ("Watch fan-out", lambda: api.fan_out(base, isolation)),
        "idle": ("Idle watches", lambda: api.idle_watches(base, isolation)),
        "rollout-100": (f"Rollout of 100 {simulated}", lambda: rollouts.rollout(base, isolation, 100)),
        "rollout-1000": (f"Rollout of 1,000 {simulated}", lambda: rollouts.rollout(base, isolation, 1000)),
        "rollout-1000-proxy": (
            f"Rollout of 1,000 {simulated}, with the proxy",
            lambda: rollouts.rollout(base, isolation, 1000, with_proxy),
        ),
        "rollout-10000": (f"Rollout of 10,000 {simulated}", lambda: rollouts.rollout(base, isolation, 10_000)),
        "rollout-1000-service": (
            f"Rollout of 1,000 {simulated}, behind a Service",
            lambda: rollouts.rollout(base, isolation, 1000, service=True),
        ),
        "rollout-10000-service": (
            f"Rollout of 10,000 {simulated}, behind a Service",
            lambda: rollouts.rollout(base, isolation, 10_000, service=True),
        ),
    }  # fmt: skip


def median(runs: list[Figures]) -> Figures:
    """The median of each figure; hold-ups count by the worst."""
    return {
        name: max(run[name] for run in runs) if "worst" in name else statistics.median(run[name] for run in runs)
        for name in (runs[0] if runs else ())
    }


def main() -> None:
    words = groups(Path(), "")
    parser = argparse.ArgumentParser(
        description="Measure what docs/performance.md reports. Compare ratios, not single figures, across machines."
    )
    parser.add_argument("--runs", type=int, default=5, help="how often; medians are printed (default 5)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--isolation", default="auto", choices=("auto", "container", "loopback"))
    parser.add_argument("--only", nargs="+", choices=tuple(words), metavar="PART", help=f"some of: {', '.join(words)}")
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="drumroll-bench-"))
    report: dict[str, Figures] = {"This machine": environment()}
    by_word: dict[str, Figures] = {}
    try:
        start.build_sample(base)
        for word, (title, measure) in groups(base, options.isolation).items():
            if options.only and word not in options.only:
                continue
            report[title] = by_word[word] = median([measure() for _ in range(options.runs)])
            print(table(title, report[title]), flush=True)
        for title, figures in (("Shares of the goals", shares(by_word)), ("Growth", growth(by_word))):
            if figures:
                report[title] = figures
                print(table(title, figures), flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2, ensure_ascii=False))


def table(title: str, figures: Figures) -> str:
    """The figures of one group, one per line."""
    rows = [f"    {name:<56}{value:>12,.2f}" for name, value in figures.items()]
    return "\n".join([title, *(rows or ["    not measured: the simulated node is not here"])])
