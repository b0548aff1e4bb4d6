"""How quotas, limits, priorities, network policies and kinds of storage are printed."""

from collections.abc import Mapping
from datetime import datetime

from drumroll.apiserver.tables_cells import AGE, NAME, NONE, UNKNOWN, Cell, Column, Printer, age, format_selector
from drumroll.objects.meta import Obj, annotations_of, is_deleting

_LIMIT_COLUMNS = (NAME, Column("Created At", "When it was created."))
_QUOTA_COLUMNS = (
    NAME,
    Column("Request", "What is requested, of what may be."),
    Column("Limit", "Limits set, of what may be."),
    AGE,
)
_PRIORITY_COLUMNS = (
    NAME,
    Column("Value", "The priority."),
    Column("Global-Default", "Whether pods without a class get it.", "boolean"),
    AGE,
    Column("PreemptionPolicy", "Whether it preempts what is lower."),
)
_POLICY_COLUMNS = (NAME, Column("Pod-Selector", "The pods that it is about."), AGE)
_VOLUME_COLUMNS = (
    NAME,
    Column("Capacity", "How much it holds."),
    Column("Access Modes", "How it can be used."),
    Column("Reclaim Policy", "What becomes of it when it is released."),
    Column("Status", "The state of the volume."),
    Column("Claim", "The claim that it is bound to."),
    Column("StorageClass", "Its class."),
    Column("VolumeAttributesClass", "The class of its attributes."),
    Column("Reason", "Why it is in this state."),
    AGE,
    Column("VolumeMode", "File system or block device.", wide=True),
)
_CLAIM_COLUMNS = (
    NAME,
    Column("Status", "The state of the claim."),
    Column("Volume", "The volume that it is bound to."),
    Column("Capacity", "How much that holds."),
    Column("Access Modes", "How it can be used."),
    Column("StorageClass", "The class asked for."),
    Column("VolumeAttributesClass", "The class of its attributes."),
    AGE,
    Column("VolumeMode", "File system or block device.", wide=True),
)
_STORAGE_CLASS_COLUMNS = (
    NAME,
    Column("Provisioner", "Who makes its volumes."),
    Column("ReclaimPolicy", "What becomes of them."),
    Column("VolumeBindingMode", "When they are made."),
    Column("AllowVolumeExpansion", "Whether they can grow."),
    AGE,
)
_ATTACHMENT_COLUMNS = (
    NAME,
    Column("Attacher", "Who attaches it."),
    Column("PV", "The volume."),
    Column("Node", "The node."),
    Column("Attached", "Whether it is attached.", "boolean"),
    AGE,
)
_ATTRIBUTES_COLUMNS = (NAME, Column("DriverName", "The driver that knows them."), AGE)
_DRIVER_COLUMNS = (
    NAME,
    Column("AttachRequired", "Whether volumes must be attached.", "boolean"),
    Column("PodInfoOnMount", "Whether it is told of the pod.", "boolean"),
    Column("StorageCapacity", "Whether capacity is considered.", "boolean"),
    Column("TokenRequests", "Audiences of the tokens that it gets."),
    Column("RequiresRepublish", "Whether volumes are published again.", "boolean"),
    Column("Modes", "Life cycles that it supports."),
    AGE,
)
_NODE_COLUMNS = (NAME, Column("Drivers", "How many drivers the node has.", "integer"), AGE)
_CAPACITY_COLUMNS = (
    NAME,
    Column("StorageClassName", "The class."),
    Column("Capacity", "How much is left."),
)
_RUNTIME_COLUMNS = (NAME, Column("Handler", "The runtime's configuration."), AGE)
_FLOW_COLUMNS = (
    NAME,
    Column("PriorityLevel", "The level of matching requests."),
    Column("MatchingPrecedence", "The lowest wins.", "integer"),
    Column("DistinguisherMethod", "How flows are told apart."),
    AGE,
    Column("MissingPL", "Whether the level is missing."),
)
_LEVEL_COLUMNS = (
    NAME,
    Column("Type", "Limited, or Exempt."),
    Column("NominalConcurrencyShares", "Its share of the server."),
    Column("Queues", "How many queues it has."),
    Column("HandSize", "In how many of them one flow may be."),
    Column("QueueLengthLimit", "How long a queue may be."),
    AGE,
)
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _quota(quota: Obj, now: datetime) -> list[Cell]:
    status = quota.get("status") or {}
    used, hard = status.get("used") or {}, status.get("hard") or {}
    shown: dict[bool, list[str]] = {False: [], True: []}
    for name in sorted(hard):
        shown[name.startswith("limits.")].append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [quota["metadata"]["name"], ", ".join(shown[False]), ", ".join(shown[True]), age(quota, now)]


def _priority(one: Obj, now: datetime) -> list[Cell]:
    is_default = "true" if one.get("globalDefault") else "false"
    return [
        one["metadata"]["name"],
        one.get("value") or 0,
        is_default,
        age(one, now),
        one.get("preemptionPolicy") or "",
    ]


def _limit_range(limit_range: Obj, now: datetime) -> list[Cell]:
    metadata = limit_range["metadata"]
    return [metadata["name"], metadata.get("creationTimestamp") or UNKNOWN]


def _network_policy(policy: Obj, now: datetime) -> list[Cell]:
    selector = (policy.get("spec") or {}).get("podSelector")
    return [policy["metadata"]["name"], format_selector(selector), age(policy, now)]


def _modes(spec: Obj) -> str:
    given = spec.get("accessModes") or ()
    return ",".join(short for mode, short in _MODES.items() if mode in given)


def _volume(volume: Obj, now: datetime) -> list[Cell]:
    spec, status = volume.get("spec") or {}, volume.get("status") or {}
    claim = spec.get("claimRef")
    return [
        volume["metadata"]["name"],
        (spec.get("capacity") or {}).get("storage", "0"),
        _modes(spec),
        spec.get("persistentVolumeReclaimPolicy") or "",
        "Terminating" if is_deleting(volume) else status.get("phase") or "",
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or "<unset>",
        status.get("reason") or "",
        age(volume, now),
        spec.get("volumeMode") or "<unset>",
    ]


def _claim(claim: Obj, now: datetime) -> list[Cell]:
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    is_bound = bool(spec.get("volumeName"))
    class_name = annotations_of(claim).get("volume.beta.kubernetes.io/storage-class") or spec.get("storageClassName")
    return [
        claim["metadata"]["name"],
        "Terminating" if is_deleting(claim) else status.get("phase") or "",
        spec.get("volumeName") or "",
        (status.get("capacity") or {}).get("storage", "0") if is_bound else "",
        _modes(status) if is_bound else "",
        class_name or "",
        spec.get("volumeAttributesClassName") or "<unset>",
        age(claim, now),
        spec.get("volumeMode") or "<unset>",
    ]


def _storage_class(one: Obj, now: datetime) -> list[Cell]:
    name = one["metadata"]["name"]
    is_default = annotations_of(one).get("storageclass.kubernetes.io/is-default-class") == "true"
    return [
        f"{name} (default)" if is_default else name,
        one.get("provisioner") or "",
        one.get("reclaimPolicy") or "Delete",
        one.get("volumeBindingMode") or "Immediate",
        _flag(one.get("allowVolumeExpansion")),
        age(one, now),
    ]


def _flag(value: object) -> str:
    return "true" if value else "false"


def _attachment(one: Obj, now: datetime) -> list[Cell]:
    spec = one.get("spec") or {}
    return [
        one["metadata"]["name"],
        spec.get("attacher") or "",
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName") or "",
        _flag((one.get("status") or {}).get("attached")),
        age(one, now),
    ]


def _driver(driver: Obj, now: datetime) -> list[Cell]:
    spec = driver.get("spec") or {}
    audiences = [request.get("audience") or "<unset>" for request in spec.get("tokenRequests") or ()]
    return [
        driver["metadata"]["name"],
        _flag(spec.get("attachRequired", True)),
        _flag(spec.get("podInfoOnMount")),
        _flag(spec.get("storageCapacity")),
        ",".join(audiences) or "<unset>",
        _flag(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or NONE,
        age(driver, now),
    ]


def _flow(schema: Obj, now: datetime) -> list[Cell]:
    spec = schema.get("spec") or {}
    conditions = (schema.get("status") or {}).get("conditions") or ()
    dangling = next((one.get("status") for one in conditions if one.get("type") == "Dangling"), "?")
    return [
        schema["metadata"]["name"],
        (spec.get("priorityLevelConfiguration") or {}).get("name") or NONE,
        spec.get("matchingPrecedence") or 0,
        (spec.get("distinguisherMethod") or {}).get("type") or NONE,
        age(schema, now),
        dangling or "?",
    ]


def _level(level: Obj, now: datetime) -> list[Cell]:
    spec = level.get("spec") or {}
    limited = spec.get("limited") or spec.get("exempt") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    sizes = [
        str(queuing[field]) if queuing.get(field) else NONE for field in ("queues", "handSize", "queueLengthLimit")
    ]
    shares = limited.get("nominalConcurrencyShares")
    return [
        level["metadata"]["name"],
        spec.get("type") or "",
        NONE if shares is None else str(shares),
        *sizes,
        age(level, now),
    ]


def _named(field: str) -> Printer:
    columns = {"handler": _RUNTIME_COLUMNS, "driverName": _ATTRIBUTES_COLUMNS}[field]
    return Printer(columns, lambda obj, now: [obj["metadata"]["name"], obj.get(field) or "", age(obj, now)])


def _csi_node(node: Obj, now: datetime) -> list[Cell]:
    return [node["metadata"]["name"], len((node.get("spec") or {}).get("drivers") or ()), age(node, now)]


def _capacity(one: Obj, now: datetime) -> list[Cell]:
    return [one["metadata"]["name"], one.get("storageClassName") or "", one.get("capacity") or "<unset>"]


POLICY_PRINTERS: Mapping[tuple[str, str], Printer] = {
    ("", "LimitRange"): Printer(_LIMIT_COLUMNS, _limit_range),
    ("", "ResourceQuota"): Printer(_QUOTA_COLUMNS, _quota),
    ("", "PersistentVolume"): Printer(_VOLUME_COLUMNS, _volume),
    ("", "PersistentVolumeClaim"): Printer(_CLAIM_COLUMNS, _claim),
    ("scheduling.k8s.io", "PriorityClass"): Printer(_PRIORITY_COLUMNS, _priority),
    ("networking.k8s.io", "NetworkPolicy"): Printer(_POLICY_COLUMNS, _network_policy),
    ("storage.k8s.io", "StorageClass"): Printer(_STORAGE_CLASS_COLUMNS, _storage_class),
    ("storage.k8s.io", "VolumeAttachment"): Printer(_ATTACHMENT_COLUMNS, _attachment),
    ("storage.k8s.io", "VolumeAttributesClass"): _named("driverName"),
    ("storage.k8s.io", "CSIDriver"): Printer(_DRIVER_COLUMNS, _driver),
    ("storage.k8s.io", "CSINode"): Printer(_NODE_COLUMNS, _csi_node),
    ("storage.k8s.io", "CSIStorageCapacity"): Printer(_CAPACITY_COLUMNS, _capacity),
    ("node.k8s.io", "RuntimeClass"): _named("handler"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): Printer(_FLOW_COLUMNS, _flow),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): Printer(_LEVEL_COLUMNS, _level),
}
