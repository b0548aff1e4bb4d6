"""The definitions that every cluster of ours has from the start, and what belongs to them.

Written anew from the documented fields of the originals (argo-rollouts, gateway-api, smi-spec), whose manifests are
accepted unchanged. Nothing here is loaded while the stored definitions are of this version.
"""

from collections.abc import Callable, Iterator
from typing import Any

from drumroll.domain.custom.names import APPROVAL
from drumroll.objects.custom import TEMPLATES
from drumroll.objects.kinds import (
    AB_TEST,
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    COMPARISON,
    EXPERIMENT,
    GATEWAY,
    GATEWAY_CLASS,
    GRPC_ROUTE,
    HTTP_ROUTE,
    INSTALLED,
    REFERENCE_GRANT,
    ROLLOUT,
    TRAFFIC_SPLIT,
    Kind,
)
from drumroll.objects.meta import Obj

VERSION = "2"
"""Raise it with every change of a definition: clusters that have an older one get the new one."""
MARK = "drumroll.dev/installed"
"""The annotation that says which version was installed, and the digest of what its spec was."""
_SERVED = {
    GATEWAY_CLASS: ("v1", "v1beta1"),
    GATEWAY: ("v1", "v1beta1"),
    HTTP_ROUTE: ("v1", "v1beta1"),
    REFERENCE_GRANT: ("v1beta1", "v1"),
    TRAFFIC_SPLIT: ("v1alpha4", "v1alpha3", "v1alpha2", "v1alpha1"),
}
"""The versions of kinds that have several, the stored one first."""

_TEMPLATES = {ROLLOUT: "spec.template", EXPERIMENT: "spec.templates[].template"}


def definitions() -> Iterator[Obj]:
    """All definitions, as somebody would send them."""
    parts = {**_argo(), **_gateway(), TRAFFIC_SPLIT: _traffic_split(), **_own()}
    for kind in INSTALLED:
        schema, columns, subresources = parts[kind]
        yield _definition(kind, schema, columns, subresources)


_Parts = tuple[Obj, list[Obj], Obj | None]


def _argo() -> dict[Kind, _Parts]:
    from drumroll.domain.custom.installed.analysis import RUN, TEMPLATE
    from drumroll.domain.custom.installed.experiment import SCHEMA as EXPERIMENT_SCHEMA
    from drumroll.domain.custom.installed.rollout import SCHEMA as ROLLOUT_SCHEMA
    from drumroll.domain.custom.installed.shapes import AGE, column

    scaled = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.HPAReplicas",
        "labelSelectorPath": ".status.selector",
    }
    columns = [
        column("Desired", "integer", ".spec.replicas", "Number of desired pods"),
        column("Current", "integer", ".status.replicas", "Number of pods"),
        column("Up-to-date", "integer", ".status.updatedReplicas", "Number of pods of the newest version"),
        column("Available", "integer", ".status.availableReplicas", "Number of available pods"),
        AGE,
    ]

    def judged(what: str) -> list[Obj]:
        return [column("Status", "string", ".status.phase", f"{what} status"), AGE]

    return {
        ROLLOUT: (ROLLOUT_SCHEMA, columns, {"scale": scaled, "status": {}}),
        ANALYSIS_TEMPLATE: (TEMPLATE, [AGE], None),
        CLUSTER_ANALYSIS_TEMPLATE: (TEMPLATE, [AGE], None),
        ANALYSIS_RUN: (RUN, judged("AnalysisRun"), None),
        EXPERIMENT: (EXPERIMENT_SCHEMA, judged("Experiment"), None),
    }


def _gateway() -> dict[Kind, _Parts]:
    from drumroll.domain.custom.installed.gateway import CLASS, GRANT
    from drumroll.domain.custom.installed.gateway import GATEWAY as GATEWAY_SCHEMA
    from drumroll.domain.custom.installed.routes import GRPC_ROUTE as GRPC_SCHEMA
    from drumroll.domain.custom.installed.routes import HTTP_ROUTE as HTTP_SCHEMA
    from drumroll.domain.custom.installed.shapes import AGE, column

    def state(kind: str) -> Obj:
        return column(kind, "string", f'.status.conditions[?(@.type=="{kind}")].status')

    hostnames = [column("Hostnames", "string", ".spec.hostnames"), AGE]
    classes = [
        column("Controller", "string", ".spec.controllerName"),
        state("Accepted"),
        AGE,
        column("Description", "string", ".spec.description", priority=1),
    ]
    gateways = [
        column("Class", "string", ".spec.gatewayClassName"),
        column("Address", "string", ".status.addresses[*].value"),
        state("Programmed"),
        AGE,
    ]
    return {
        GATEWAY_CLASS: (CLASS, classes, {"status": {}}),
        GATEWAY: (GATEWAY_SCHEMA, gateways, {"status": {}}),
        HTTP_ROUTE: (HTTP_SCHEMA, hostnames, {"status": {}}),
        GRPC_ROUTE: (GRPC_SCHEMA, hostnames, {"status": {}}),
        REFERENCE_GRANT: (GRANT, [AGE], None),
    }


def _traffic_split() -> _Parts:
    from drumroll.domain.custom.installed.shapes import column
    from drumroll.domain.custom.installed.trafficsplit import SCHEMA

    return SCHEMA, [column("Service", "string", ".spec.service", "The Service that is split")], None


def _own() -> dict[Kind, _Parts]:
    from drumroll.domain.custom.installed import own

    return {
        AB_TEST: (own.AB_TEST, own.AB_TEST_COLUMNS, {"status": {}}),
        COMPARISON: (own.COMPARISON, own.COMPARISON_COLUMNS, {"status": {}}),
    }


def _definition(kind: Kind, schema: Obj, columns: list[Obj], subresources: Obj | None) -> Obj:
    names: Obj = {"plural": kind.plural, "singular": kind.singular, "kind": kind.name, "listKind": f"{kind.name}List"}
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    if kind.categories:
        names["categories"] = list(kind.categories)
    version: Obj = {"schema": {"openAPIV3Schema": schema}, "additionalPrinterColumns": columns}
    if subresources is not None:
        version["subresources"] = subresources
    served = _SERVED.get(kind, (kind.version,))
    return {
        "metadata": {"name": kind.resource, **({"annotations": found} if (found := _annotations(kind)) else {})},
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [
                {"name": name, "served": True, "storage": index == 0, **version} for index, name in enumerate(served)
            ],
            "conversion": {"strategy": "None"},
        },
    }


def _annotations(kind: Kind) -> dict[str, str]:
    if kind.group.endswith(".k8s.io"):
        return {
            APPROVAL: "https://github.com/kubernetes-sigs/gateway-api/pull/3328",
            "gateway.networking.k8s.io/bundle-version": "v1.6.1",
            "gateway.networking.k8s.io/channel": "experimental",
        }
    return {TEMPLATES: _TEMPLATES[kind]} if kind in _TEMPLATES else {}


def gateway_class() -> Obj:
    """The GatewayClass that Drumroll itself looks after."""
    return {
        "metadata": {"name": "drumroll"},
        "spec": {"controllerName": "drumroll.dev/gateway", "description": "Drumroll's own proxy"},
    }


_OF_ARGO = "analysisruns analysistemplates clusteranalysistemplates experiments rollouts rollouts/scale rollouts/status"
_ROLES = (
    (
        "view",
        ("get", "list", "watch"),
        {
            "argoproj.io": _OF_ARGO,
            "gateway.networking.k8s.io": "gatewayclasses gateways gateways/status grpcroutes grpcroutes/status "
            "httproutes httproutes/status referencegrants",
            "split.smi-spec.io": "trafficsplits",
            "drumroll.dev": "abtests comparisons",
        },
    ),
    (
        "edit",
        ("create", "delete", "deletecollection", "patch", "update"),
        {
            "argoproj.io": _OF_ARGO,
            "gateway.networking.k8s.io": "grpcroutes httproutes",
            "split.smi-spec.io": "trafficsplits",
            "drumroll.dev": "abtests comparisons",
        },
    ),
    (
        "admin",
        ("create", "delete", "deletecollection", "patch", "update"),
        {"gateway.networking.k8s.io": "gateways referencegrants"},
    ),
)


def twin(expression: str) -> Callable[[Any], bool] | None:
    """The Python function that says what a rule of ours says; None for a rule that is not ours."""
    from drumroll.domain.custom.installed import gateway, routes
    from drumroll.domain.custom.installed.shapes import TWINS

    assert gateway
    assert routes
    return TWINS.get(expression)


def roles() -> Iterator[Obj]:
    """What the roles view, edit and admin may do with these kinds, in addition to what they may already."""
    for step, verbs, resources in _ROLES:
        yield {
            "metadata": {
                "name": f"drumroll:aggregate-to-{step}",
                "labels": {f"rbac.authorization.k8s.io/aggregate-to-{step}": "true"},
            },
            "rules": [
                {"apiGroups": [group], "resources": names.split(), "verbs": list(verbs)}
                for group, names in resources.items()
            ],
        }
