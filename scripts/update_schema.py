"""Derive `src/drumroll/objects/schema.json`, the compact table of the API's messages and fields.

Shapes and merge keys come from the package `kubernetes-validate`; protobuf field numbers are kept from the table
itself, or taken with `--numbers FILE` (message: number: [name, type, "repeated"?]). Two tables below say what neither
knows: which optional scalars are pointers in the original (their zero is a value, not an absence), and what it always
writes.

    python scripts/update_schema.py            rewrite the table
    python scripts/update_schema.py --check    exit 1 when the table and the package disagree
"""

import argparse
import importlib.resources
import json
import sys
from pathlib import Path
from typing import Any

from drumroll.objects.kinds import KINDS, REVIEWS

TABLE = Path(__file__).parent.parent / "src/drumroll/objects/schema.json"
VERSION = "v1.36.0-local"
META = "apimachinery.pkg.apis.meta.v1."
CORE = "api.core.v1."
EXTENSIONS = "apiextensions-apiserver.pkg.apis.apiextensions.v1."
EXTRA_ROOTS = (
    META + "DeleteOptions", META + "Status", CORE + "Binding", "api.autoscaling.v1.Scale",
    "api.autoscaling.v1.HorizontalPodAutoscaler", "api.policy.v1.Eviction", "api.authentication.v1.TokenRequest",
)  # fmt: skip
SCALARS = {
    "apimachinery.pkg.api.resource.Quantity": "quantity",
    "apimachinery.pkg.apis.meta.v1.Time": "time",
    "apimachinery.pkg.apis.meta.v1.MicroTime": "microtime",
    "apimachinery.pkg.util.intstr.IntOrString": "intstr",
    "apimachinery.pkg.runtime.RawExtension": "raw",
    "apimachinery.pkg.apis.meta.v1.FieldsV1": "fieldsv1",
    EXTENSIONS + "JSON": "json",
    EXTENSIONS + "JSONSchemaPropsOrStringArray": "json",
    EXTENSIONS + "JSONSchemaPropsOrArray": "schemaorbool",
    EXTENSIONS + "JSONSchemaPropsOrBool": "schemaorbool",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


JSON_NAMES = {"aPIGroup": "apiGroup", "Raw": "raw"}
POINTERS = _words(
    """
    activeDeadlineSeconds allocateLoadBalancerNodePorts allowPrivilegeEscalation apiGroup appProtocol
    automountServiceAccountToken averageUtilization blockOwnerDeletion capacity collisionCount controller defaultMode
    deletionGracePeriodSeconds enableServiceLinks expirationSeconds fsGroup gracePeriodSeconds holderIdentity
    hostProcess hostUsers hostnameOverride ignoreStoreReadErrorWithClusterBreakingPotential immutable ingressClassName
    leaseDurationSeconds leaseTransitions loadBalancerClass lun maxExpirationSeconds minDomains minReplicas mode
    optional orphanDependents preferredHolder priority privileged progressDeadlineSeconds readOnlyRootFilesystem
    recursiveReadOnlyMounts remainingItemCount revisionHistoryLimit runAsGroup runAsNonRoot runAsUser runtimeClassName
    setHostnameAsFQDN shareProcessNamespace stabilizationWindowSeconds started storageClassName supplementalGroupsPolicy
    targetCPUUtilizationPercentage currentCPUUtilizationPercentage terminatingReplicas terminationGracePeriodSeconds
    tolerationSeconds userNamespaces DeploymentSpec.replicas ReplicaSetSpec.replicas EndpointConditions.ready
    EndpointConditions.serving EndpointConditions.terminating EndpointPort.port EndpointPort.name EndpointPort.protocol
    ClientIPConfig.timeoutSeconds HorizontalPodAutoscalerStatus.observedGeneration AzureDiskVolumeSource.readOnly
    CSIVolumeSource.readOnly HostPathVolumeSource.type Endpoint.hostname Endpoint.nodeName Endpoint.zone
    Preconditions.uid Preconditions.resourceVersion SeccompProfile.localhostProfile PodDNSConfigOption.value
    ReplicationControllerSpec.replicas StatefulSetSpec.replicas RollingUpdateStatefulSetStrategy.partition
    allowVolumeExpansion attachRequired backoffLimit backoffLimitPerIndex borrowingLimitPercent completionMode
    completions endPort failedIndexes failedJobsHistoryLimit fsGroupPolicy lendablePercent managedBy manualSelector
    maxFailedIndexes nodeAllocatableUpdatePeriodSeconds nominalConcurrencyShares parallelism persistentVolumeName
    podInfoOnMount podReplacementPolicy preemptionPolicy reclaimPolicy requiresRepublish seLinuxMount
    serviceAccountTokenInSecrets startingDeadlineSeconds storageCapacity successfulJobsHistoryLimit suspend timeZone
    multipleOf minimum maximum minLength maxLength minItems maxItems minProperties maxProperties
    x-kubernetes-preserve-unknown-fields x-kubernetes-list-type x-kubernetes-map-type optionalOldSelf
    deprecationWarning labelSelectorPath ValidationRule.reason ServiceReference.path ServiceReference.port
    WebhookClientConfig.url
    ttlSecondsAfterFinished volumeAttributesClassName volumeBindingMode volumeMode JobStatus.ready JobStatus.terminating
    NetworkPolicyPort.protocol VolumeNodeResources.count
    """
)
"""Optional scalars that are pointers in the original's Go structs: a zero in them is kept. The EndpointPort meant is
that of discovery.k8s.io, not that of the core group."""
ALWAYS = _words(
    """
    DeploymentSpec.strategy DeploymentSpec.template ReplicaSetSpec.template PodTemplateSpec.metadata
    PodTemplateSpec.spec Container.resources EphemeralContainer.resources ContainerStatus.state
    ContainerStatus.lastState ServiceStatus.loadBalancer IngressStatus.loadBalancer NodeStatus.daemonEndpoints
    NodeStatus.nodeInfo NodeDaemonEndpoints.kubeletEndpoint Event.involvedObject Event.source Event.regarding
    Event.deprecatedSource Endpoint.conditions PersistentVolumeClaimSpec.resources Event.eventTime Event.firstTimestamp
    Event.lastTimestamp Event.deprecatedFirstTimestamp Event.deprecatedLastTimestamp PodCondition.lastProbeTime
    PodCondition.lastTransitionTime DeploymentCondition.lastUpdateTime DeploymentCondition.lastTransitionTime
    ReplicaSetCondition.lastTransitionTime NamespaceCondition.lastTransitionTime NodeCondition.lastHeartbeatTime
    NodeCondition.lastTransitionTime HorizontalPodAutoscalerCondition.lastTransitionTime ContainerStateRunning.startedAt
    ContainerStateTerminated.startedAt ContainerStateTerminated.finishedAt Condition.lastTransitionTime
    PodDisruptionBudgetStatus.disruptionsAllowed PodDisruptionBudgetStatus.currentHealthy
    PodDisruptionBudgetStatus.desiredHealthy PodDisruptionBudgetStatus.expectedPods api.core.v1.Event.reportingComponent
    api.core.v1.Event.reportingInstance
    StatefulSetSpec.template StatefulSetSpec.updateStrategy StatefulSetStatus.availableReplicas DaemonSetSpec.template
    DaemonSetSpec.updateStrategy JobSpec.template CronJobSpec.jobTemplate JobTemplateSpec.metadata JobTemplateSpec.spec
    PodTemplate.template NetworkPolicySpec.podSelector ReplicationControllerCondition.lastTransitionTime
    StatefulSetCondition.lastTransitionTime DaemonSetCondition.lastTransitionTime JobCondition.lastTransitionTime
    PersistentVolumeClaimCondition.lastTransitionTime
    """
)
"""Fields that the original writes even when they were never set. Required numbers and booleans are added by rule, and
`metadata`, `spec` and `status` of every kind."""


class Package:
    """The definitions of the package, and the protobuf numbers, under names without `io.k8s.`."""

    def __init__(self, numbers: dict[str, Any]) -> None:
        path = importlib.resources.files("kubernetes_validate") / "kubernetes-json-schema" / VERSION
        raw = json.loads((path / "_definitions.json").read_text("utf-8"))["$defs"]
        self.definitions = {name.removeprefix("io.k8s."): schema for name, schema in raw.items()}
        self.numbers = numbers
        self.messages: dict[str, Any] = {}

    def kind_message(self, group: str, version: str, kind: str) -> str:
        for name, schema in self.definitions.items():
            for gvk in schema.get("x-kubernetes-group-version-kind", ()):
                if (gvk["group"], gvk["version"], gvk["kind"]) == (group, version, kind) and name.startswith(
                    ("api.", EXTENSIONS)
                ):
                    return name
        raise SystemExit(f"the package has no {group}/{version} {kind}")

    def type_of(self, schema: dict[str, Any]) -> str:
        """The type of a field in the table's grammar: scalar, message, []T or map[string]T."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1].removeprefix("io.k8s.")
            return SCALARS.get(name, name)
        kind = schema["type"][0] if isinstance(schema["type"], list) else schema["type"]
        if kind == "array":
            return "[]" + self.type_of(schema["items"])
        if kind == "object":
            return "map[string]" + self.type_of(schema["additionalProperties"])
        if kind == "string":
            return "bytes" if schema.get("format") == "byte" else "string"
        return {"boolean": "bool", "integer": schema.get("format", "int64"), "number": "double"}[kind]

    def atomic(self) -> list[str]:
        """The messages whose fields have one owner together."""
        return sorted(n for n in self.messages if self.definitions.get(n, {}).get("x-kubernetes-map-type") == "atomic")

    def add(self, name: str) -> None:
        """Add a message, and everything that it reaches."""
        if name in self.messages or name in SCALARS.values():
            return
        fields: dict[str, Any] = {}
        self.messages[name] = fields
        numbers = dict(self.numbers.get(name, {}))
        schema = self.definitions.get(name, {"properties": {}})
        for field, facts in sorted(schema.get("properties", {}).items()):
            fields[field] = _field(name, field, self.type_of(facts), facts, field in schema.get("required", ()))
            if field in numbers:
                fields[field]["number"] = numbers.pop(field)[0]
        for field, (number, type_) in numbers.items():  # members that JSON flattens: volumeSource, probe handlers …
            if type_.startswith(("api.", "apimachinery.")):
                fields[field] = {"type": type_, "number": number, "inline": 1}
        if not schema.get("properties"):  # only protobuf knows it
            for field, (number, type_) in self.numbers.get(name, {}).items():
                fields[field] = {"type": type_, "number": number}
        for facts in list(fields.values()):
            inner = facts["type"].removeprefix("[]").removeprefix("map[string]")
            if "." in inner:
                self.add(inner)


def _field(message: str, field: str, type_: str, facts: dict[str, Any], required: bool) -> dict[str, Any]:
    short = message.rsplit(".", 1)[1]
    out: dict[str, Any] = {"type": type_}
    top = field in ("metadata", "spec", "status") and any(k.name == short for k in KINDS)
    if required:
        out["required"] = 1
    if message == CORE + "EndpointPort" or not {field, f"{short}.{field}"} & POINTERS:
        if (
            top
            or {f"{short}.{field}", f"{message}.{field}"} & ALWAYS
            or (required and type_ in ("int32", "int64", "bool"))
        ):
            out["always"] = 1
    elif not type_.startswith(("[]", "map[")) and "." not in type_:
        out["pointer"] = 1
    for key, name in (("patch-merge-key", "merge"), ("patch-strategy", "strategy"), ("list-type", "list"),
                      ("list-map-keys", "keys"), ("map-type", "map")):  # fmt: skip
        if f"x-kubernetes-{key}" in facts:
            out[name] = facts[f"x-kubernetes-{key}"]
    return out


def numbers_from_file(path: Path) -> dict[str, Any]:
    """The protobuf facts of a field list, keyed by message and JSON name: [number, type]."""
    out: dict[str, Any] = {}
    for message, fields in json.loads(path.read_text("utf-8")).items():
        name = message.removeprefix("k8s.io.").replace("apiextensions_apiserver", "apiextensions-apiserver")
        out[name] = {
            JSON_NAMES.get(field, field): [int(number), _protobuf_type(type_, bool(repeated))]
            for number, (field, type_, *repeated) in fields.items()
        }
    return out


def _protobuf_type(text: str, repeated: bool) -> str:
    """`map<string,T>` and repeated T in the table's grammar."""
    prefix = "map[string]" if text.startswith("map<") else "[]" if repeated else ""
    name = text.removeprefix("map<string,").removesuffix(">").removeprefix("k8s.io.")
    return prefix + SCALARS.get(name, name)


def numbers_from_table(table: dict[str, Any]) -> dict[str, Any]:
    """The protobuf facts that the committed table holds."""
    return {
        message: {field: [facts["number"], facts["type"]] for field, facts in fields.items() if "number" in facts}
        for message, fields in table["messages"].items()
    }


def build(numbers: dict[str, Any]) -> str:
    """The text of the table: one message a line, so that a diff reads."""
    package = Package(numbers)
    kinds = {f"{k.api_version} {k.name}": package.kind_message(k.group, k.version, k.name) for k in (*KINDS, *REVIEWS)}
    kinds |= {
        "autoscaling/v1 Scale": "api.autoscaling.v1.Scale",
        "autoscaling/v1 HorizontalPodAutoscaler": "api.autoscaling.v1.HorizontalPodAutoscaler",
        "policy/v1 Eviction": "api.policy.v1.Eviction",
        "authentication.k8s.io/v1 TokenRequest": "api.authentication.v1.TokenRequest",
        "v1 Binding": CORE + "Binding",
        "v1 DeleteOptions": META + "DeleteOptions",
        "v1 Status": META + "Status",
    }
    for root in (*kinds.values(), *EXTRA_ROOTS):
        package.add(root)
    lines = [
        f"{json.dumps(name)}:{json.dumps(fields, separators=(',', ':'), sort_keys=True)}"
        for name, fields in sorted(package.messages.items())
    ]
    body, atomic = ",\n".join(lines), json.dumps(package.atomic(), separators=(",", ":"))
    head = f'"version":"{VERSION}",\n"kinds":{json.dumps(kinds, sort_keys=True)},\n"atomic":{atomic}'
    return f'{{{head},\n"messages":{{\n{body}\n}}}}\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the table is stale")
    parser.add_argument("--numbers", type=Path, help="protobuf field list to take numbers from")
    options = parser.parse_args()
    old = TABLE.read_text("utf-8") if TABLE.exists() else '{"messages":{}}'
    numbers = numbers_from_table(json.loads(old))
    if options.numbers:
        numbers |= numbers_from_file(options.numbers)
    new = build(numbers)
    if options.check:
        print(
            "schema.json agrees with the package"
            if new == old
            else "schema.json is stale: run scripts/update_schema.py"
        )
        return int(new != old)
    TABLE.write_text(new, "utf-8")
    print(f"{TABLE.name}: {len(new)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
