"""What is legal and probably not meant: the text of Warning headers, which kubectl prints.

Source: pkg/api/pod/warnings.go, pkg/api/service/warnings.go, the kinds' WarningsOnCreate.
"""

from collections.abc import Iterator

from drumroll.domain.validation.names import label_faults
from drumroll.objects import kinds
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj, annotations_of
from drumroll.objects.quantity import parse_quantity

ENDPOINTS_DEPRECATED = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
"""For every request about the old kind."""
WITH_UPDATE_WARNINGS = frozenset((kinds.POD, kinds.DEPLOYMENT, kinds.REPLICA_SET, kinds.INGRESS, kinds.SERVICE))
"""The kinds for which `update_warnings` has something to say."""
_NOT_ACTED_ON = frozenset(
    (
        kinds.STATEFUL_SET, kinds.DAEMON_SET, kinds.JOB, kinds.CRON_JOB, kinds.HORIZONTAL_POD_AUTOSCALER,
        kinds.HORIZONTAL_POD_AUTOSCALER_V1, kinds.PERSISTENT_VOLUME, kinds.PERSISTENT_VOLUME_CLAIM, kinds.STORAGE_CLASS,
        kinds.VOLUME_ATTACHMENT, kinds.VOLUME_ATTRIBUTES_CLASS, kinds.CSI_DRIVER, kinds.CSI_STORAGE_CAPACITY,
        kinds.RUNTIME_CLASS, kinds.FLOW_SCHEMA, kinds.PRIORITY_LEVEL_CONFIGURATION,
    )
)  # fmt: skip
_SURPRISE = "which can result in surprising behavior; a DNS label is recommended"
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def create_warnings(kind: Kind, obj: Obj) -> list[str]:
    """What a user who creates `obj` should know; `obj` is defaulted and valid."""
    return [*_name_warnings(kind, obj), *update_warnings(kind, obj), *_inaction_warnings(kind, obj)]


def _inaction_warnings(kind: Kind, obj: Obj) -> Iterator[str]:
    """What is stored for clients that expect it, and has no effect here. Not the original's: it has the controllers."""
    name = obj["metadata"].get("name") or ""
    if kind in _NOT_ACTED_ON:
        yield f'{kind.name} "{name}" is stored, but no controller acts on it in this version of Drumroll'
    elif kind is kinds.NETWORK_POLICY:
        yield f'NetworkPolicy "{name}" is stored, but not enforced in this version of Drumroll: all traffic passes'


def update_warnings(kind: Kind, obj: Obj) -> list[str]:
    """What a user who changes an object into `obj` should know; `obj` is defaulted and valid."""
    spec = obj.get("spec") or {}
    match kind.name:
        case "Pod":
            return list(_pod_warnings(spec, "spec"))
        case "Deployment" | "ReplicaSet":
            return list(_pod_warnings((spec.get("template") or {}).get("spec") or {}, "spec.template.spec"))
        case "Ingress" if _CLASS_ANNOTATION in annotations_of(obj):
            return [f"annotation \"{_CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]
        case "Service" if spec.get("clusterIP") == "None" and spec.get("sessionAffinity") != "None":
            return ["spec.SessionAffinity is ignored for headless services"]
    return []


def _name_warnings(kind: Kind, obj: Obj) -> Iterator[str]:
    where = {
        "Pod": "the Pod's hostname",
        "Deployment": "Pod names and hostnames",
        "ReplicaSet": "Pod names and hostnames",
    }
    faults = label_faults(obj["metadata"].get("name") or "") if kind.name in where else ()
    if faults:
        yield f"metadata.name: this is used in {where[kind.name]}, {_SURPRISE}: [{' '.join(faults)}]"


def _pod_warnings(spec: Obj, path: str) -> Iterator[str]:
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            yield from _container_warnings(container, f"{path}.{field}[{index}]")
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            yield f'{path}.imagePullSecrets[{index}]: invalid empty name ""'
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{path}.terminationGracePeriodSeconds: {text}"


def _container_warnings(container: Obj, path: str) -> Iterator[str]:
    names: set[str] = set()
    for index, variable in enumerate(container.get("env") or ()):
        name = variable.get("name", "")
        if name in names:
            yield f'{path}.env[{index}]: hides previous definition of "{name}", which may be dropped when using apply'
        names.add(name)
    ports: dict[tuple[object, ...], int] = {}
    for index, port in enumerate(container.get("ports") or ()):
        key = tuple(port.get(field) for field in ("containerPort", "protocol", "hostPort", "hostIP"))
        if key in ports:
            yield f"{path}.ports[{index}]: duplicate port definition with {path}.ports[{ports[key]}]"
        ports.setdefault(key, index)
    for field in ("limits", "requests"):
        amount = ((container.get("resources") or {}).get(field) or {}).get("memory", "0")
        value = parse_quantity(amount)
        if value != value.to_integral_value():
            text = f'fractional byte value "{amount}" is invalid, must be an integer'
            yield f"{path}.resources.{field}[memory]: {text}"
