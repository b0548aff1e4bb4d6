"""Rules for Ingresses and their classes. Source: pkg/apis/networking/validation/validation.go."""

from ipaddress import ip_address

from drumroll.domain.validation.field import (
    IMMUTABLE,
    Errors,
    each,
    forbidden,
    in_range,
    invalid,
    required,
    too_long,
    unsupported,
)
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import (
    domain_path_faults,
    host_faults,
    label_faults,
    path_segment_faults,
    port_name_faults,
    subdomain_faults,
)
from drumroll.objects.meta import Obj, annotations_of

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_BAD_SUFFIXES = ("/..", "/.")
_MOST_CONTROLLER = 250
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def validate_ingress(ingress: Obj) -> Errors:
    """The rules for a new Ingress."""
    yield from _validate_whole(ingress)
    annotation = annotations_of(ingress).get(_CLASS_ANNOTATION)
    name = (ingress.get("spec") or {}).get("ingressClassName")
    if annotation is not None and name is not None and annotation != name:
        text = "must match `ingressClassName` when both are specified"
        yield invalid(f"annotations.{_CLASS_ANNOTATION}", annotation, text)


def validate_ingress_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed Ingress."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from _validate_whole(new)


def _validate_whole(ingress: Obj) -> Errors:
    yield from validate_metadata(ingress["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec = ingress.get("spec") or {}
    backend, rules = spec.get("defaultBackend"), spec.get("rules") or []
    if not rules and backend is None:
        yield invalid("spec", None, "either `defaultBackend` or `rules` must be specified")
    if backend is not None:
        yield from _validate_backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        yield from _validate_rule(rule, f"spec.rules[{index}]")
    for index, secured in enumerate(spec.get("tls") or ()):
        yield from _validate_tls(secured, f"spec.tls[{index}]")
    name = spec.get("ingressClassName")
    if name is not None:
        for fault in subdomain_faults(name):
            yield invalid("spec.ingressClassName", name, fault)


def _validate_rule(rule: Obj, path: str) -> Errors:
    host = rule.get("host") or ""
    if host:
        if _is_address(host):
            yield invalid(f"{path}.host", host, "must be a DNS name, not an IP address")
        for fault in host_faults(host):
            yield invalid(f"{path}.host", host, fault)
    routes = rule.get("http")
    if routes is None:
        return
    if not routes.get("paths"):
        yield required(f"{path}.http.paths")
    for index, route in enumerate(routes.get("paths") or ()):
        yield from _validate_path(route, f"{path}.http.paths[{index}]")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _validate_path(route: Obj, path: str) -> Errors:
    kind, text = route.get("pathType"), route.get("path") or ""
    if kind is None:
        yield required(f"{path}.pathType", "pathType must be specified")
        return
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            yield invalid(f"{path}.path", text, "must be an absolute path")
        for sequence in _BAD_SEQUENCES:
            if sequence in text:
                yield invalid(f"{path}.path", text, f"must not contain '{sequence}'")
        for suffix in _BAD_SUFFIXES:
            if text.endswith(suffix):
                yield invalid(f"{path}.path", text, f"cannot end with '{suffix}'")
    elif kind == "ImplementationSpecific":
        if text and not text.startswith("/"):
            yield invalid(f"{path}.path", text, "must be an absolute path")
    else:
        yield unsupported(f"{path}.pathType", kind, _PATH_TYPES)
    yield from _validate_backend(route.get("backend") or {}, f"{path}.backend")


def _validate_backend(backend: Obj, path: str) -> Errors:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield invalid(path, "", "cannot set both resource and service backends")
    elif resource is not None:
        yield from _validate_reference(resource, f"{path}.resource")
    elif service is not None:
        yield from _validate_service_backend(service, path)
    else:
        yield invalid(path, "", "resource or service backend is required")


def _validate_service_backend(service: Obj, path: str) -> Errors:
    name, port = service.get("name") or "", service.get("port") or {}
    if not name:
        yield required(f"{path}.service.name")
    for fault in label_faults(name) if name else ():
        yield invalid(f"{path}.service.name", name, fault)
    port_name, number = port.get("name") or "", port.get("number") or 0
    if port_name and number:
        yield invalid(path, "", "cannot set both port name & port number")
    elif port_name:
        for fault in port_name_faults(port_name):
            yield invalid(f"{path}.service.port.name", port_name, fault)
    elif number:
        yield from in_range(f"{path}.service.port.number", number, 1, 65535)
    else:
        yield required(path, "port name or number is required")


def _validate_tls(secured: Obj, path: str) -> Errors:
    for index, host in enumerate(secured.get("hosts") or ()):
        for fault in host_faults(host):
            yield invalid(f"{path}.hosts[{index}]", host, fault)
    name = secured.get("secretName") or ""
    for fault in subdomain_faults(name) if name else ():
        yield invalid(f"{path}.secretName", name, fault)


def validate_ingress_class(ingress_class: Obj) -> Errors:
    """The rules for a new class."""
    yield from validate_metadata(ingress_class["metadata"], namespaced=False, name_faults=subdomain_faults)
    spec = ingress_class.get("spec") or {}
    controller = spec.get("controller") or ""
    if len(controller) > _MOST_CONTROLLER:
        yield too_long("spec.controller", _MOST_CONTROLLER)
    if not controller:
        yield required("spec.controller")
    else:
        for part, fault in domain_path_faults(controller):
            yield invalid("spec.controller", part, fault)
    if spec.get("parameters") is not None:
        yield from _validate_parameters(spec["parameters"], "spec.parameters")


def _validate_reference(reference: Obj, path: str) -> Errors:
    """The kind and name of an object, and its group."""
    group = reference.get("apiGroup")
    if group is not None:
        yield from each(f"{path}.apiGroup", group, subdomain_faults(group))
    for field in ("kind", "name"):
        value = reference.get(field) or ""
        if not value:
            yield required(f"{path}.{field}", f"{field} is required")
        yield from each(f"{path}.{field}", value, path_segment_faults(value))


def _validate_parameters(parameters: Obj, path: str) -> Errors:
    yield from _validate_reference(parameters, path)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        yield required(f"{path}.scope")
    elif scope not in ("Cluster", "Namespace"):
        yield unsupported(f"{path}.scope", scope, ("Cluster", "Namespace"))
    elif scope == "Cluster" and namespace is not None:
        yield forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'")
    elif scope == "Namespace" and namespace is None:
        yield required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'")
    elif scope == "Namespace":
        yield from each(f"{path}.namespace", namespace, label_faults(namespace or ""))


def validate_ingress_class_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed class: its controller stays."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = ((obj.get("spec") or {}).get("controller") for obj in (new, old))
    if after != before:
        yield invalid("spec.controller", after or "", IMMUTABLE)
    yield from validate_ingress_class(new)
