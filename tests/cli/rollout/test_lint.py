"""What `lint` finds."""

import copy
import random
from pathlib import Path

import pytest
import yaml

from drumroll.cli.main import main
from drumroll.cli.rollout.lint import check
from drumroll.cli.rollout.lint_references import Document

MANIFESTS = Path(__file__).parents[2] / "apiserver" / "manifests"
SHOP = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: "shop:1"}]}
  strategy:
    canary:
      canaryService: shop-canary
      stableService: shop-stable
      trafficRouting: {plugins: {argoproj-labs/gatewayAPI: {httpRoute: shop}}}
      steps:
      - analysis: {templates: [{templateName: rate}], args: [{name: service}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop-canary}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop-stable}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  rules: [{backendRefs: [{name: shop-stable, port: 80}, {name: shop-canary, port: 80}]}]
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: rate}
spec:
  args: [{name: service}, {name: port, value: "80"}]
  metrics: [{name: rate, provider: {web: {url: "http://x"}}}]
"""


def findings(text: str) -> list[str]:
    documents = [Document("shop.yaml", one) for one in yaml.safe_load_all(text)]
    return [f"{finding.level}: {finding.text}" for finding in check(documents)]


def test_what_fits_together_is_left_alone():
    assert findings(SHOP) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps:", "stepps:", 'error: unknown field "spec.strategy.canary.stepps"'),
        ("image:", "imagee:", 'error: unknown field "spec.template.spec.containers[0].imagee"'),
        ('image: "shop:1"', "image: 1", "error: spec.template: "),
        ("{name: shop, image", "{name: Shop!, image", "error: spec.template.spec.containers[0].name: "),
        (
            "labels: {app: shop}",
            "labels: {app: web}",
            "error: spec.template.metadata.labels: `selector` does not match",
        ),
        (
            "steps:",
            "dynamicStableScale: true\n      scaleDownDelaySeconds: 5\n      steps:",
            "error: spec.strategy.canary",
        ),
        (
            "{app: shop}, ports",
            "{tier: web}, ports",
            'error: spec.strategy.canary.canaryService: Service "shop-canary" ',
        ),
        ("httpRoute: shop", "httpRoute: web", 'warning: HTTPRoute "web" is in none of these files'),
        ("name: shop-canary, port", "name: other, port", 'error: HTTPRoute "shop" has no rule with both "shop-canary"'),
        ("templateName: rate", "templateName: speed", 'AnalysisTemplate "speed" is in none of these files'),
        (
            "args: [{name: service}]}",
            "args: []}",
            'error: spec.strategy.canary.steps[0].analysis: AnalysisTemplate "rate"',
        ),
        ("[{port: 80}]", "[{port: 0}]", "error: spec.ports[0].port: "),
        (
            "metrics: [{name: rate,",
            "metrics: [{name: rate, successCondition: 'resutl[0] > 1',",
            "error: spec.metrics[0]: successCondition: unknown name resutl (1:1)",
        ),
        (
            "  rules: [",
            "  parentRefs: [{name: web}]\n  rules: [",
            'warning: parentRefs: Gateway "web" is in none of these',
        ),
        ("{name: shop-canary, port", "{name: other, port", 'warning: backendRefs: Service "other" is in none of these'),
        ("kind: AnalysisTemplate", "kind: Analysis", "warning: argoproj.io/v1alpha1 Analysis is not checked"),
    ],
)
def test_a_fault_is_named_with_its_place(old, new, said):
    assert old in SHOP
    found = findings(SHOP.replace(old, new, 1))
    assert any(said in one for one in found), found


@pytest.mark.parametrize("file", ["argo.yaml", "gateway.yaml"])
def test_manifests_in_the_style_of_the_originals_have_no_error(file, capsys):
    assert main(["rollout", "lint", "-f", str(MANIFESTS / file)]) == 0
    assert " 0 errors" in capsys.readouterr().out


def test_exit_status_and_messages(tmp_path, capsys):
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP.replace("httpRoute: shop", "httpRoute: web"))
    assert main(["rollout", "lint", "-f", str(file)]) == 0
    assert main(["rollout", "lint", "-f", str(file), "--strict"]) == 1
    file.write_text("a: [")
    assert main(["rollout", "lint", "-f", str(tmp_path)]) == 1
    assert "shop.yaml:1: no YAML" in capsys.readouterr().err
    assert main(["rollout", "lint", "-f", str(tmp_path / "none.yaml")]) == 1


WRONG = (None, 1, -1, "x", "", [], {}, [None], [1], ["a"], {"a": 1}, True, 1.5, {"a": None}, [[]], [{}])


def places(value, path=()):
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def test_whatever_is_wrong_is_told_and_never_a_traceback():
    originals = [one for file in MANIFESTS.iterdir() for one in yaml.safe_load_all(file.read_text())]
    chance = random.Random(1)  # the same mistakes in every run
    for original in [*yaml.safe_load_all(SHOP), *originals] * 4:
        changed = copy.deepcopy(original)
        path = chance.choice(list(places(changed)))
        holder = changed
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = copy.deepcopy(chance.choice(WRONG))
        others = [one for one in yaml.safe_load_all(SHOP) if one["kind"] != original["kind"]]
        check([Document("shop.yaml", one) for one in (changed, *others)])


EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("folder", sorted(one.name for one in EXAMPLES.iterdir() if one.is_dir()))
def test_the_examples_have_neither_errors_nor_warnings(folder, capsys):
    assert main(["rollout", "lint", "--strict", "-f", str(EXAMPLES / folder)]) == 0, capsys.readouterr().out
