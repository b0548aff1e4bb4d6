"""Longer stories as transcripts: `scenarios/*.txt`. REWRITE=1 records them anew: read the difference first.

Commands: `deployment IMAGE REPLICAS SURGE UNAVAILABLE [name=value]`, `replicaset IMAGE REPLICAS AVAILABLE` (it
exists already), `report IMAGE CURRENT AVAILABLE`, `image IMAGE`, `size N`, `pause`, `resume`, `wait SECONDS`,
`reconcile [N]` (decide once, or N times, and let it take effect), `converge`. What follows a blank `----` line is what
happened: events, then conditions that changed.
"""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.domain.workloads import Cluster, deployment, replica_set, sized, template

SCENARIOS = sorted(Path(__file__).parent.joinpath("scenarios").glob("*.txt"))


class Story:
    """Replays one transcript."""

    def __init__(self) -> None:
        self.cluster = Cluster(deployment())
        self.told = 0
        self.conditions: dict[str, str] = {}

    def run(self, block: str) -> str:
        for line in block.splitlines():
            if line and not line.startswith("#"):
                self._command(*line.split())
        news = self.cluster.events[self.told :]
        self.told = len(self.cluster.events)
        for one in self.cluster.view.conditions:
            text = f"{one['type']}={one['status']} {one['reason']}"
            if self.conditions.get(one["type"]) != text:
                news.append(text)
                self.conditions[one["type"]] = text
        return "\n".join(news or ["(nothing)"])

    def _command(self, name: str, *words: str) -> None:
        cluster = self.cluster
        match name:
            case "deployment":
                image, *numbers = words[:4]
                more = {key: json.loads(value) for key, value in (word.split("=") for word in words[4:])}
                self.cluster = Cluster(deployment(image, *map(int, numbers), **more))
            case "replicaset":
                born = len(cluster.sets)
                one = replica_set(words[0], int(words[1]), int(words[2]), born=born, revision=str(born + 1))
                cluster.sets[one["metadata"]["uid"]] = sized(cluster.deployment, one)
            case "report":
                cluster.report(words[0], int(words[1]), int(words[2]))
            case "image":
                cluster.update(template=template(words[0]))
            case "size":
                cluster.update(replicas=int(words[0]))
            case "pause" | "resume":
                cluster.update(paused=name == "pause")
            case "wait":
                cluster.now += timedelta(seconds=int(words[0]))
            case "reconcile":
                for _ in range(int(words[0]) if words else 1):
                    cluster.step()
            case "converge":
                cluster.converge()
            case _:
                raise ValueError(f"no command {name!r}")


@pytest.mark.parametrize("path", SCENARIOS, ids=[path.stem for path in SCENARIOS])
def test_story(path: Path) -> None:
    story = Story()
    recorded: list[str] = []
    for part in path.read_text().split("\n\n"):
        block, _, _ = part.partition("\n----\n")
        recorded.append(f"{block.strip()}\n----\n{story.run(block)}")
    text = "\n\n".join(recorded) + "\n"
    if os.environ.get("REWRITE"):
        path.write_text(text)
    assert text == path.read_text()


def test_there_are_stories() -> None:
    assert SCENARIOS
