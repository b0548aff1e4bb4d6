"""How Namespaces, Nodes, ConfigMaps, Secrets, Leases and Events are printed."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from drumroll.apiserver.tables_cells import AGE, NAME, NONE, UNKNOWN, Cell, Column, Printer, age, since
from drumroll.objects.meta import Obj, labels_of

_NAMESPACE_COLUMNS = (NAME, Column("Status", "Active, or Terminating."), AGE)
_NODE_COLUMNS = (
    NAME,
    Column("Status", "Whether the node is ready and takes pods."),
    Column("Roles", "Roles that the node's labels name."),
    AGE,
    Column("Version", "Version of the node's agent."),
    Column("Internal-IP", "Address inside the cluster.", wide=True),
    Column("External-IP", "Address outside the cluster.", wide=True),
    Column("OS-Image", "Operating system.", wide=True),
    Column("Kernel-Version", "Kernel version.", wide=True),
    Column("Container-Runtime", "Container runtime and its version.", wide=True),
)
_CONFIG_MAP_COLUMNS = (NAME, Column("Data", "How many entries it has."), AGE)
_SECRET_COLUMNS = (NAME, Column("Type", "What the entries mean."), Column("Data", "How many entries it has."), AGE)
_LEASE_COLUMNS = (NAME, Column("Holder", "Who holds the lease."), AGE)
_EVENT_COLUMNS = (
    Column("Last Seen", "Time since it was last seen."),
    Column("Type", "Normal, or Warning."),
    Column("Reason", "What happened, in one word."),
    Column("Object", "What it happened to."),
    Column("Subobject", "The part of the object that is meant.", wide=True),
    Column("Source", "The component that reports it.", wide=True),
    Column("Message", "What happened, in a sentence."),
    Column("First Seen", "Time since it was first seen.", wide=True),
    Column("Count", "How often it was seen.", wide=True),
    Column("Name", "The event's own name.", format="name", wide=True),
)
_ROLE_PREFIX, _ROLE_LABEL = "node-role.kubernetes.io/", "kubernetes.io/role"


def _namespace(namespace: Obj, now: datetime) -> list[Cell]:
    phase = (namespace.get("status") or {}).get("phase") or ""
    return [namespace["metadata"]["name"], phase, age(namespace, now)]


def _node(node: Obj, now: datetime) -> list[Cell]:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    info = status.get("nodeInfo") or {}
    return [
        node["metadata"]["name"],
        _node_status(spec, status),
        ",".join(_roles(labels_of(node))) or NONE,
        age(node, now),
        info.get("kubeletVersion") or "",
        _address(status, "InternalIP"),
        _address(status, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _node_status(spec: Obj, status: Obj) -> str:
    conditions: Iterable[Obj] = status.get("conditions") or ()
    ready = next((condition.get("status") for condition in conditions if condition.get("type") == "Ready"), None)
    word = "Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"
    return f"{word},SchedulingDisabled" if spec.get("unschedulable") else word


def _roles(labels: Mapping[str, str]) -> list[str]:
    by_prefix = {label.removeprefix(_ROLE_PREFIX) for label in labels if label.startswith(_ROLE_PREFIX)}
    return sorted(role for role in by_prefix | {labels.get(_ROLE_LABEL, "")} if role)


def _address(status: Obj, kind: str) -> str:
    addresses: Iterable[Obj] = status.get("addresses") or ()
    return next((str(a.get("address")) for a in addresses if a.get("type") == kind), NONE)


def _config_map(config_map: Obj, now: datetime) -> list[Cell]:
    n_entries = len(config_map.get("data") or ()) + len(config_map.get("binaryData") or ())
    return [config_map["metadata"]["name"], n_entries, age(config_map, now)]


def _secret(secret: Obj, now: datetime) -> list[Cell]:
    return [secret["metadata"]["name"], secret.get("type") or "", len(secret.get("data") or ()), age(secret, now)]


def _lease(lease: Obj, now: datetime) -> list[Cell]:
    return [lease["metadata"]["name"], (lease.get("spec") or {}).get("holderIdentity") or "", age(lease, now)]


def _event(event: Obj, now: datetime) -> list[Cell]:
    series = event.get("series")
    first = since(event.get("firstTimestamp") or event.get("eventTime"), now)
    last = since(event["lastTimestamp"], now) if event.get("lastTimestamp") else first
    count = event.get("count") or 1
    if series:
        last, count = since(series.get("lastObservedTime"), now), series.get("count", 0)
    about = event.get("involvedObject") or {}
    target = (about.get("kind") or "").lower()
    return [
        last,
        event.get("type") or "",
        event.get("reason") or "",
        f"{target}/{about['name']}" if about.get("name") else target,
        about.get("fieldPath") or "",
        _event_source(event),
        (event.get("message") or "").strip(),
        first,
        count,
        event["metadata"]["name"],
    ]


def _event_source(event: Obj) -> str:
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    instance = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {instance}" if instance else component


def _events_event(event: Obj, now: datetime) -> list[Cell]:
    """The newer kind has the same content under other names."""
    return _event(
        {
            **event,
            "involvedObject": event.get("regarding"),
            "message": event.get("note"),
            "source": event.get("deprecatedSource"),
            "firstTimestamp": event.get("deprecatedFirstTimestamp"),
            "lastTimestamp": event.get("deprecatedLastTimestamp"),
            "count": event.get("deprecatedCount"),
            "reportingComponent": event.get("reportingController"),
        },
        now,
    )


RESOURCE_PRINTERS: Mapping[tuple[str, str], Printer] = {
    ("", "Namespace"): Printer(_NAMESPACE_COLUMNS, _namespace),
    ("", "Node"): Printer(_NODE_COLUMNS, _node),
    ("", "ConfigMap"): Printer(_CONFIG_MAP_COLUMNS, _config_map),
    ("", "Secret"): Printer(_SECRET_COLUMNS, _secret),
    ("", "Event"): Printer(_EVENT_COLUMNS, _event),
    ("events.k8s.io", "Event"): Printer(_EVENT_COLUMNS, _events_event),
    ("coordination.k8s.io", "Lease"): Printer(_LEASE_COLUMNS, _lease),
}
