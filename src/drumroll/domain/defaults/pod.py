"""Defaults of pod specs, alone or inside a template. Source: pkg/apis/core/v1/defaults.go."""

from collections.abc import Iterable
from functools import lru_cache

from drumroll.domain.defaults.absent import part
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import canonical

_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_NUMBERS = (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3))

# Fields that are not encoded when they hold their zero value. Pointers are: an explicit `false` of theirs is kept.
_POD_ZERO = (
    "hostNetwork", "hostPID", "hostIPC", "nodeName", "hostname", "subdomain", "priorityClassName", "volumes",
    "initContainers", "ephemeralContainers", "nodeSelector", "imagePullSecrets", "tolerations", "hostAliases",
    "readinessGates", "topologySpreadConstraints", "schedulingGates", "resourceClaims", "overhead",
)  # fmt: skip
_CONTAINER_ZERO = (
    "command", "args", "workingDir", "ports", "env", "envFrom", "volumeMounts", "volumeDevices", "stdin", "stdinOnce",
    "tty",
)  # fmt: skip


def drop_zero(obj: Obj, fields: Iterable[str]) -> None:
    """Remove those of `fields` that hold a zero value (0, "", false, empty, null), as the original's encoding does."""
    for field in fields:
        if field in obj and not obj[field]:
            del obj[field]


def set_template_defaults(holder: Obj) -> None:
    """A pod template in the field `template`: what a pod's spec gets, and no empty metadata."""
    template = part(holder, "template")
    drop_zero(part(template, "metadata"), ("creationTimestamp", "labels", "annotations"))
    set_pod_spec_defaults(part(template, "spec"))


def set_pod_spec_defaults(spec: Obj) -> None:
    """What both a pod's spec and a template's get."""
    drop_zero(spec, _POD_ZERO)
    if not spec.get("restartPolicy"):
        spec["restartPolicy"] = "Always"
    if spec.get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = 30
    if not spec.get("dnsPolicy"):
        spec["dnsPolicy"] = "ClusterFirst"
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    if not spec.get("schedulerName"):
        spec["schedulerName"] = "default-scheduler"
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:  # the old name is kept in step for old readers
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    else:
        drop_zero(spec, ("serviceAccountName", "serviceAccount"))
    for field in _CONTAINER_LISTS:
        for container in spec.get(field) or ():
            _container(container)
    for volume in spec.get("volumes") or ():
        _volume(volume)
    if "resources" in spec:
        _canonical_resources(spec["resources"])


def set_pod_only_defaults(spec: Obj) -> None:
    """What pods get and templates do not: requests from limits, host ports, service links."""
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            resources = container["resources"]
            if resources.get("limits"):
                resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
            if spec.get("hostNetwork"):
                for port in container.get("ports") or ():
                    if not port.get("hostPort") and port.get("containerPort"):
                        port["hostPort"] = port["containerPort"]


def _container(container: Obj) -> None:
    drop_zero(container, _CONTAINER_ZERO)
    resources = container.get("resources")
    if resources is None:
        container["resources"] = {}
    elif resources:
        _canonical_resources(resources)
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image") or "")
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
        drop_zero(port, ("name", "hostPort", "hostIP"))
    for variable in container.get("env") or ():
        _variable(variable)
    for mount in container.get("volumeMounts") or ():
        drop_zero(mount, ("readOnly", "subPath", "subPathExpr"))
    for field in _PROBES:
        probe = container.get(field)
        if probe is not None:
            _probe(probe)
    lifecycle = container.get("lifecycle")
    if lifecycle:
        for field in ("postStart", "preStop"):
            handler = lifecycle.get(field)
            if handler and handler.get("httpGet"):
                _http_get(handler["httpGet"])


def _variable(variable: Obj) -> None:
    drop_zero(variable, ("value",))
    source = variable.get("valueFrom")
    if source and source.get("fieldRef") and not source["fieldRef"].get("apiVersion"):
        source["fieldRef"]["apiVersion"] = "v1"


@lru_cache(maxsize=4096)
def pull_policy(image: str) -> str:
    """`Always` for an image that is, or may be, :latest; else `IfNotPresent`."""
    if "@" in image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "IfNotPresent" if colon and tag != "latest" else "Always"


def _probe(probe: Obj) -> None:
    for field, value in _PROBE_NUMBERS:
        if not probe.get(field):
            probe[field] = value
    drop_zero(probe, ("initialDelaySeconds",))
    if probe.get("httpGet") is not None:
        _http_get(probe["httpGet"])
    elif probe.get("grpc") is not None and probe["grpc"].get("service") is None:
        probe["grpc"]["service"] = ""


def _http_get(action: Obj) -> None:
    if not action.get("path"):
        action["path"] = "/"
    if not action.get("scheme"):
        action["scheme"] = "HTTP"
    drop_zero(action, ("host", "httpHeaders"))


def _volume(volume: Obj) -> None:
    if all(field == "name" or source is None for field, source in volume.items()):
        volume["emptyDir"] = {}
        return
    for field in ("secret", "configMap", "downwardAPI", "projected"):
        source = volume.get(field)
        if source is not None and source.get("defaultMode") is None:
            source["defaultMode"] = 420
    if volume.get("hostPath") is not None and volume["hostPath"].get("type") is None:
        volume["hostPath"]["type"] = ""
    if volume.get("emptyDir"):
        drop_zero(volume["emptyDir"], ("medium",))
        if volume["emptyDir"].get("sizeLimit") is not None:
            volume["emptyDir"]["sizeLimit"] = _printed(volume["emptyDir"]["sizeLimit"])
    if volume.get("image") is not None and not volume["image"].get("pullPolicy"):
        volume["image"]["pullPolicy"] = pull_policy(volume["image"].get("reference") or "")
    _field_items(volume.get("downwardAPI"))
    for projection in (volume.get("projected") or {}).get("sources") or ():
        _field_items(projection.get("downwardAPI"))
        token = projection.get("serviceAccountToken")
        if token is not None and token.get("expirationSeconds") is None:
            token["expirationSeconds"] = 3600


def _field_items(source: Obj | None) -> None:
    for item in (source or {}).get("items") or ():
        if item.get("fieldRef") and not item["fieldRef"].get("apiVersion"):
            item["fieldRef"]["apiVersion"] = "v1"


def _canonical_resources(resources: Obj) -> None:
    for field in ("limits", "requests"):
        amounts = resources.get(field)
        if amounts:
            resources[field] = {name: _printed(amount) for name, amount in amounts.items()}
        elif field in resources:
            del resources[field]


def _printed(amount: str | float) -> str | int | float:
    """The canonical form; what is no quantity stays as it is, for validation to refuse."""
    try:
        return canonical(amount)
    except (ValueError, TypeError, ArithmeticError):
        return amount
