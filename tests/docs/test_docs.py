"""Documentation is checked: links lead somewhere, commands parse, lists that say a thing twice agree."""

import re
import shlex
from pathlib import Path

import pytest

from drumroll.cli.main import parser
from drumroll.objects import errors

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("docs", "examples", "samples", "deploy")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in ROOT.glob(f"{folder}/**/*.md"))])
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"```(?:sh|bash|shell|console)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def commands(page: Path) -> list[str]:
    """Every `drumroll …` line in the page's shell fences, without prompts and comments."""
    lines = [line for block in FENCE.findall(page.read_text()) for line in block.splitlines()]
    bare = [line.removeprefix("$ ").split(" #")[0].strip() for line in lines]
    return [line for line in bare if re.match(r"(\.venv/bin/)?drumroll ", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_drumroll_command_on_a_page_is_one_that_the_command_line_takes(page: Path) -> None:
    for command in commands(page):
        words = shlex.split(command)[1:]
        if words and not {"--version", "--help", "-h"} & set(words) and "|" not in words:
            parser().parse_args(words)


def test_readme_shows_commands_at_all() -> None:
    assert len(commands(ROOT / "README.md")) >= 4


def test_every_error_is_in_the_documented_tree() -> None:
    for error in errors.ApiError.__subclasses__():
        assert f"{error.__name__} {error.code}" in (errors.__doc__ or ""), f"{error.__name__} is undocumented"


def test_every_dependency_says_what_it_is_for() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    for line in (ROOT / "requirements.in").read_text().split():
        assert re.split(r"[=><]", line)[0] in page, f"{line} is not in docs/dependencies.md"


def test_locked_requirements_name_no_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert "://" not in (ROOT / name).read_text()
