"""`lint`: what is wrong with manifests, said before a cluster sees them."""

import argparse
import sys
from pathlib import Path

import orjson

from drumroll.assembly.home import Refusal
from drumroll.cli.rollout.lint_objects import examined
from drumroll.cli.rollout.lint_references import ERROR, Document, Finding, references
from drumroll.objects.meta import Obj


def lint(options: argparse.Namespace) -> int:
    """0 when all is well, 1 when there is an error (with --strict: or a warning)."""
    documents = [document for file in _files(options.filename) for document in _read(file)]
    if not documents:
        raise Refusal("there is no manifest in these files.")
    findings = check(documents)
    for finding in findings:
        print(finding)
    errors = sum(finding.level == ERROR for finding in findings)
    warnings = len(findings) - errors
    print(f"{len(documents)} objects, {errors} errors, {warnings} warnings")
    return 1 if errors or (options.strict and warnings) else 0


def check(documents: list[Document]) -> list[Finding]:
    """Everything that is wrong with these documents, each by itself and together."""
    found: list[Finding] = []
    sound: list[Document] = []
    for document in documents:
        findings, stored = examined(document)
        found += findings
        if stored is not None:
            sound.append(Document(document.file, stored))
    return [*found, *references(sound, documents)]


def _files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(one for one in path.iterdir() if one.suffix in (".yaml", ".yml", ".json"))
        else:
            found.append(path)
    return found


def _read(path: Path) -> list[Document]:
    import yaml

    text = sys.stdin.read() if str(path) == "-" else path.read_text()
    try:
        loaded = list(yaml.load_all(text, _loader()))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise Refusal(f"{path}{where}: no YAML: {getattr(error, 'problem', None) or error}.") from error
    documents = [Document(str(path), one) for top in loaded if top is not None for one in _items(path, top)]
    return [Document(one.file, orjson.loads(orjson.dumps(one.obj))) for one in documents]


def _items(path: Path, top: object) -> list[Obj]:
    if not isinstance(top, dict):
        raise Refusal(f"{path}: a manifest is an object with apiVersion and kind, not {type(top).__name__}.")
    if top.get("kind") == "List":
        return [item for item in top.get("items") or () if isinstance(item, dict)]
    return [top]


def _loader() -> type:
    """YAML without times: what looks like one stays text, as it does for kubectl."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader
