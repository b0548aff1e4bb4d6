"""Rules for environment variables and where their values come from. Source: pkg/apis/core/validation/validation.go."""

from drumroll.domain.validation.field import Errors, each, invalid, required, unsupported
from drumroll.domain.validation.names import config_key_faults, qualified_faults, subdomain_faults, variable_faults
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import canonical, parse_quantity

_FIELD_PATHS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_CONVERTED = (
    *_FIELD_PATHS, "metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName",
    "spec.terminationGracePeriodSeconds", "status.phase",
)  # fmt: skip
_RESOURCE_FIELDS = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage",
    "requests.memory",
)  # fmt: skip
_HUGE = ("limits.hugepages-", "requests.hugepages-")
_UNITS = ("1", *(f"1{unit}" for unit in "kMGTPE"), *(f"1{unit}i" for unit in "KMGTPE"))
_DIVISORS = {"cpu": ("cpu", ("1m", "1")), "memory": ("memory", _UNITS),
             "ephemeral-storage": ("local ephemeral storage", _UNITS)}  # fmt: skip


def validate_environment(variables: list[Obj], path: str) -> Errors:
    """Variables have names, and a value or one source of it."""
    for index, variable in enumerate(variables):
        name = variable.get("name") or ""
        if not name:
            yield required(f"{path}[{index}].name")
        else:
            yield from each(f"{path}[{index}].name", name, variable_faults(name))
        if variable.get("valueFrom") is not None:
            yield from _validate_value_source(variable, f"{path}[{index}].valueFrom")


def _validate_value_source(variable: Obj, path: str) -> Errors:
    source = variable["valueFrom"]
    n_sources = sum(source.get(field) is not None for field in ("fieldRef", "resourceFieldRef"))
    if source.get("fieldRef") is not None:
        yield from validate_field_reference(source["fieldRef"], _FIELD_PATHS, f"{path}.fieldRef")
    if source.get("resourceFieldRef") is not None:
        yield from validate_resource_reference(source["resourceFieldRef"], f"{path}.resourceFieldRef")
    for field in ("configMapKeyRef", "secretKeyRef"):
        if source.get(field) is not None:
            n_sources += 1
            yield from _validate_key_reference(source[field], f"{path}.{field}")
    if not n_sources:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        yield invalid(path, "", text)
    elif variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif n_sources > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def validate_field_reference(reference: Obj, supported: tuple[str, ...], path: str) -> Errors:
    """A field of the pod that becomes a variable or a file."""
    field = reference.get("fieldPath") or ""
    if not reference.get("apiVersion"):
        yield required(f"{path}.apiVersion")
        return
    if not field:
        yield required(f"{path}.fieldPath")
        return
    if reference["apiVersion"] != "v1":
        text = f"error converting fieldPath: unsupported pod version: {reference['apiVersion']}"
        yield invalid(f"{path}.fieldPath", field, text)
        return
    base, bracket, rest = field.partition("['")
    if bracket and rest.endswith("']"):
        key = rest[:-2]
        if base not in ("metadata.annotations", "metadata.labels"):
            text = f"error converting fieldPath: field label does not support subscript: {field}"
            yield invalid(f"{path}.fieldPath", field, text)
            return
        yield from each(path, key, qualified_faults(key.lower() if base == "metadata.annotations" else key))
    elif field not in supported and field != "spec.host":  # an old name of the node's
        if field in _CONVERTED:
            yield unsupported(f"{path}.fieldPath", field, supported)
        else:
            text = f"error converting fieldPath: field label not supported: {field}"
            yield invalid(f"{path}.fieldPath", field, text)


def validate_resource_reference(reference: Obj, path: str, in_volume: bool = False) -> Errors:
    """A limit or request that becomes a variable or a file; a file must say of which container."""
    resource = reference.get("resource") or ""
    if in_volume and not reference.get("containerName"):
        yield required(f"{path}.containerName")
    elif not resource:
        yield required(f"{path}.resource")
    elif resource not in _RESOURCE_FIELDS and not resource.startswith(_HUGE):
        yield unsupported(f"{path}.resource", resource, _RESOURCE_FIELDS)
    yield from _validate_divisor(resource, reference.get("divisor"), f"{path}.divisor")


def _validate_divisor(resource: str, divisor: str | None, path: str) -> Errors:
    if divisor is None or parse_quantity(divisor) == 0:
        return
    kind = "hugepages" if resource.startswith(_HUGE) else resource.partition(".")[2]
    name, units = _DIVISORS.get(kind, ("hugepages", _UNITS))
    if (resource in _RESOURCE_FIELDS or kind == "hugepages") and canonical(divisor) not in units:
        listed = "1m and 1" if name == "cpu" else ", ".join(units)
        yield invalid(path, resource, f"only divisor's values {listed} are supported with the {name} resource")


def _validate_key_reference(reference: Obj, path: str) -> Errors:
    name, key = reference.get("name") or "", reference.get("key") or ""
    yield from each(f"{path}.name", name, subdomain_faults(name))
    if not key:
        yield required(f"{path}.key")
    else:
        yield from each(f"{path}.key", key, config_key_faults(key))


def validate_environment_sources(sources: list[Obj], path: str) -> Errors:
    """ConfigMaps and Secrets all of whose keys become variables."""
    for index, source in enumerate(sources):
        where, prefix = f"{path}[{index}]", source.get("prefix") or ""
        if prefix:
            yield from each(f"{where}.prefix", prefix, variable_faults(prefix))
        n_sources = 0
        for field in ("configMapRef", "secretRef"):
            if source.get(field) is not None:
                n_sources += 1
                name = source[field].get("name") or ""
                if not name:
                    yield required(f"{where}.{field}.name")
                else:
                    yield from each(f"{where}.{field}.name", name, subdomain_faults(name))
        if not n_sources:
            yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif n_sources > 1:
            yield invalid(path, "", "may not have more than one field specified at a time")
