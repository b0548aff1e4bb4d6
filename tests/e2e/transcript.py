"""Reads a recorded kubectl session and makes two sessions comparable: ages, names and dates out, words in."""

import re
from dataclasses import dataclass
from pathlib import Path

POD = re.compile(r"(storefront-RS\w+)-[a-z0-9]{5}\b")
DATE = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000")
AGE = re.compile(r"(?<= )(?:\d+[dhms])+(?= |$)")
COMBINED = "(combined from similar events): "


@dataclass(frozen=True)
class Step:
    """One command and what it printed."""

    command: str
    lines: tuple[str, ...]


def read_transcript(path: Path) -> list[Step]:
    """The commands of a recorded session, in order; lines before the first command are its head."""
    steps: list[Step] = []
    for line in path.read_text().splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:], ()))
        elif steps:
            steps[-1] = Step(steps[-1].command, (*steps[-1].lines, line))
    return [Step(step.command, trim(step.lines)) for step in steps]


def trim(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Without empty lines at the end."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def settle(line: str, hashes: dict[str, str]) -> str:
    """One line with everything that differs from run to run replaced. `hashes` maps pod-template-hash → name."""
    for found, name in hashes.items():
        line = line.replace(found, name)
    line = DATE.sub("DATE", POD.sub(r"\1-POD", line))
    line = re.sub(r"Namespace:(\s+)\S+", r"Namespace:\1NS", line)
    line = re.sub(r"\s+", " ", line).strip()
    return AGE.sub("AGE", line)


def table(lines: tuple[str, ...], hashes: dict[str, str]) -> list[str]:
    """Rows of a printed table that speak of the storefront, in an order of their own."""
    rows = [settle(line, hashes) for line in lines]
    return sorted(
        row for row in rows if "storefront-RS" in row or row.startswith(("NAME", "deployment.apps/storefront"))
    )


def progress(lines: tuple[str, ...]) -> list[str]:
    """What `rollout status` said, each sentence once per turn."""
    kept: list[str] = []
    for line in lines:
        if not kept or kept[-1] != line:
            kept.append(line)
    return kept
