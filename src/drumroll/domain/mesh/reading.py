"""One look at what Envoy has counted so far (see `domain/envoy/counting.py`), from its own Prometheus text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

QUERY = "/stats?format=prometheus&usedonly&filter=^mesh[.]"


class Target(NamedTuple):
    """Where requests went: an Envoy cluster (empty: none was chosen) and a revision of pods (empty: unknown)."""

    cluster: str
    revision: str


class Answer(NamedTuple):
    """How a request was answered: its target, status (0: the client left before), Envoy's flags, gRPC's status."""

    target: Target
    code: str
    flags: str
    grpc: str


class Goal(NamedTuple):
    """What an answer of a target said that its visitor did."""

    target: Target
    name: str


class End(NamedTuple):
    """How a TCP connection ended, by Envoy's flags."""

    target: Target
    flags: str


@dataclass(frozen=True, slots=True)
class Durations:
    """How many requests took no longer than each bound, the last one being infinity; and their sum in seconds."""

    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything counted since Envoy started, or since it last forgot a series."""

    answers: Mapping[Answer, int] = field(default_factory=dict)
    durations: Mapping[Target, Durations] = field(default_factory=dict)
    goals: Mapping[Goal, int] = field(default_factory=dict)
    opened: Mapping[Target, int] = field(default_factory=dict)
    ended: Mapping[End, int] = field(default_factory=dict)


_LINE = re.compile(r'envoy_mesh_(rq|goal|cx|cxend|us_bucket|us_sum)\{(.*?)(?:,le="[^"]*")?\} (\S+)$')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text: str) -> Reading:
    """The reading in an answer to QUERY; lines of other families are passed over."""
    answers: dict[Answer, int] = {}
    buckets: dict[Target, list[int]] = {}
    sums: dict[Target, float] = {}
    goals: dict[Goal, int] = {}
    opened: dict[Target, int] = {}
    ended: dict[End, int] = {}
    for family, labels, value in _lines(text):
        target = Target(labels.get("c", ""), labels.get("r", ""))
        if family == "rq":
            answer = Answer(target, labels.get("s", ""), labels.get("f", ""), labels.get("g", ""))
            answers[answer] = int(float(value))
        elif family == "goal":
            if labels.get("t"):
                goals[Goal(target, labels["t"])] = int(float(value))
        elif family == "cx":
            opened[target] = int(float(value))
        elif family == "cxend":
            ended[End(target, labels.get("f", ""))] = int(float(value))
        elif family == "us_sum":
            sums[target] = float(value) / 1e6
        else:  # in the order of their bounds
            buckets.setdefault(target, []).append(int(float(value)))
    durations = {target: Durations(tuple(counts), sums.get(target, 0.0)) for target, counts in buckets.items()}
    return Reading(answers, durations, goals, opened, ended)


def _lines(text: str) -> Iterator[tuple[str, Mapping[str, str], str]]:
    for line in text.splitlines():
        if found := _LINE.match(line):
            yield found[1], _labels(found[2]), found[3]


@lru_cache(maxsize=4096)
def _labels(text: str) -> Mapping[str, str]:
    """They are the same in every reading, and in every bucket of a histogram."""
    return {name: _unescaped(value) for name, value in _LABEL.findall(text)}


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value) if "\\" in value else value
