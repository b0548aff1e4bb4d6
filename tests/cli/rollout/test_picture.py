"""What `get`, `list` and `history` show, line by line.

The transcripts are in `pictures.txt`; `python -m tests.cli.rollout.test_picture` writes them anew, to be looked at.
"""

import re
from pathlib import Path

import pytest

from drumroll.cli.rollout.show import coloured, history_rows, other_rows, picture, rollout_rows
from drumroll.cli.rollout.tree import table
from tests.cli.rollout import worlds
from tests.cli.rollout.worlds import NOW

TRANSCRIPTS = Path(__file__).parent / "pictures.txt"
SCENES = ("paused_canary", "aborted_canary", "blue_green", "with_experiment", "deployment", "abtest", "comparison")


def drawn(scene: str) -> str:
    world = getattr(worlds, scene)()
    lines = picture(world, NOW)
    if world.owner["kind"] not in ("Rollout", "Deployment"):
        return "\n".join([*lines, "", *table(other_rows([world.owner], NOW))])
    lines += ["", *table(history_rows(world, NOW))]
    if world.is_rollout:
        lines += ["", *table(rollout_rows([world.owner]))]
    return "\n".join(lines)


def expected() -> dict[str, str]:
    parts = re.split(r"^== (\w+)\n", TRANSCRIPTS.read_text(), flags=re.M)[1:]
    return {name: text.rstrip("\n") for name, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("scene", SCENES)
def test_a_picture_is_as_recorded(scene):
    assert drawn(scene) == expected()[scene]


def test_icons_have_colours():
    text = coloured(picture(worlds.aborted_canary(), NOW))
    found = {(text.plain[span.start : span.end], span.style) for span in text.spans}
    assert {("✖ Degraded", "red"), ("✔ Running", "green"), ("⚠ 1", "red"), ("✖ 2", "red")} <= found


if __name__ == "__main__":
    TRANSCRIPTS.write_text("\n".join(f"== {scene}\n{drawn(scene)}\n" for scene in SCENES))
