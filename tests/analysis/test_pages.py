"""What the pages and examples about analysis say can be used as it stands."""

import re
from pathlib import Path

import pytest
import yaml

from drumroll.domain.analysis.expression.conditions import check
from drumroll.domain.analysis.metrics import metrics_of, provider_of
from drumroll.rollouts.providers.comparison import NAME, terms_of
from drumroll.rollouts.providers.registry import INSTEAD, PROVIDERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "analysis.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


def test_every_condition_on_the_page_can_be_read() -> None:
    conditions = [line for sort, block in BLOCKS if not sort for line in block.splitlines() if line]
    assert len(conditions) >= 5
    for condition in conditions:
        check(condition)


def templates():
    pages = [block for sort, block in BLOCKS if sort == "yaml" and "kind:" in block]
    examples = (ROOT / "examples" / "analysis" / "templates.yaml").read_text()
    return [one for text in [*pages, examples] for one in yaml.safe_load_all(text) if one["kind"] == "AnalysisTemplate"]


@pytest.mark.parametrize("template", templates(), ids=lambda template: template["metadata"]["name"])
def test_every_template_can_be_used(template) -> None:
    spec = template["spec"]
    spec["args"] = [{**argument, "value": argument["name"]} for argument in spec["args"]]
    for metric in metrics_of(spec):
        name, settings = provider_of(metric.raw)
        assert name in PROVIDERS
        if name == NAME:
            terms_of(settings)


def test_the_comparison_on_the_page_has_its_defaults() -> None:
    (block,) = [block for sort, block in BLOCKS if sort == "yaml" and NAME in block]
    settings = yaml.safe_load(block)["provider"]["plugin"][NAME]
    assert terms_of(settings) == terms_of({"canary": "c", "stable": "s"})


def test_every_provider_is_on_the_page() -> None:
    for name in (*PROVIDERS, *INSTEAD):
        assert name in PAGE
