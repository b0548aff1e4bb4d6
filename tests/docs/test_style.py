"""What a machine can hold us to: sizes, names on the pages, sentences that end, faults caught only at the edges."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "drumroll"
SOURCES = sorted(PACKAGE.rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 400, 40

LONG: dict[str, int] = {}
"""Functions over the budget, and how long they may be: shorten them; add none."""

EDGES = {
    "apiserver/server.py": "one request",
    "assembly/control_plane.py": "one part of the cluster",
    "client/feeds.py": "one of those who follow a feed",
    "reconcile/loop.py": "one turn of a controller",
    "load/run.py": "one request that the load generator sent",
    "node/agent.py": "one pod",
    "proxy/grpc_server.py": "one stream of Envoy's",
}
"""Where any fault may be caught, and what it then ends."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def nodes() -> tuple[tuple[str, ast.AST], ...]:
    """Every node of every module, with the module's name."""
    return tuple((name_of(source), node) for source in SOURCES for node in ast.walk(ast.parse(source.read_text())))


def name_of(source: Path) -> str:
    return str(source.relative_to(PACKAGE))


def code_lines(node: Function) -> int:
    """The lines of a function without its docstring."""
    docstring = ast.get_docstring(node, clean=False)
    return (node.end_lineno or 0) - node.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)


def test_files_are_short_enough_to_read_in_one_go() -> None:
    sizes = {name_of(source): source.read_text().count("\n") for source in SOURCES}
    assert {name: size for name, size in sizes.items() if size > FILE_LINES} == {}


def test_functions_fit_on_a_screen() -> None:
    long = {
        f"{module}: {node.name}": code_lines(node)
        for module, node in nodes()
        if isinstance(node, Function) and code_lines(node) > LONG.get(f"{module}: {node.name}", FUNCTION_LINES)
    }
    assert long == {}


def test_no_module_uses_a_private_name_of_another() -> None:
    taken = [
        f"{module}: {node.module}.{alias.name}"
        for module, node in nodes()
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if re.match(r"_[^_]", alias.name)
    ]
    assert taken == []


def catches_all(handler: ast.ExceptHandler) -> bool:
    """True for a handler that swallows any Exception; one that raises again only cleans up."""
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else {""}
    raises = any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))
    return bool(names & {"Exception", "BaseException", ""}) and not raises


def test_faults_of_any_kind_are_caught_only_at_the_edges() -> None:
    places = {module for module, node in nodes() if isinstance(node, ast.ExceptHandler) and catches_all(node)}
    assert places == EDGES.keys()


def refusals() -> Iterator[tuple[str, ast.expr]]:
    for module, node in nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal":
            yield f"{module}:{node.lineno}", node.args[0]


def last_text(message: ast.expr) -> str | None:
    """How a message ends; None when its end is another error's text."""
    if isinstance(message, ast.JoinedStr):
        message = message.values[-1]
    return message.value if isinstance(message, ast.Constant) and isinstance(message.value, str) else None


def test_a_refusal_is_a_sentence_and_ends_like_one() -> None:
    ends = {place: last_text(message) for place, message in refusals()}
    assert len(ends) > 10
    assert {place: end for place, end in ends.items() if end is not None and not end.endswith((".", "`."))} == {}


@pytest.mark.parametrize("name", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_module_that_a_page_names_exists(name: str) -> None:
    page = (ROOT / name).read_text()
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:\.py)?)`", page))
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    modules = {name for name in named if "/" in name and name.split("/")[0] in packages}
    assert len(modules) >= 5
    assert {name for name in modules if not exists(PACKAGE / name)} == set()


def exists(module: Path) -> bool:
    return module.exists() or module.with_suffix(".py").exists()


@pytest.mark.parametrize(
    "row", re.findall(r"^\| `(.+)` \| .* \| `(\S+\.py)` \|$", (ROOT / "docs/architecture.md").read_text(), re.M)
)
def test_every_package_of_the_architecture_starts_where_it_says(row: tuple[str, str]) -> None:
    packages = row[0].replace("`", "").split(", ")
    assert any((PACKAGE / package / row[1]).exists() or (PACKAGE / row[1]).exists() for package in packages)


def test_every_test_that_a_page_names_exists() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    named = {name for page in pages for name in re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", page.read_text())}
    assert len(named) > 10
    for name in named:
        file, _, test = name.partition("::")
        assert f"def {test}" in (ROOT / file).read_text(), f"{name} does not exist"
