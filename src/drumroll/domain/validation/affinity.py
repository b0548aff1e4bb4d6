"""Rules for where a pod may run: affinity, node selectors, spread over a topology, tolerations.

Source: pkg/apis/core/validation/validation.go.
"""

from drumroll.domain.validation.field import (
    Errors,
    duplicate,
    each,
    forbidden,
    invalid,
    known,
    required,
    unsupported,
)
from drumroll.domain.validation.metadata import validate_selector
from drumroll.domain.validation.names import label_faults, qualified_faults, subdomain_faults, value_faults
from drumroll.objects.meta import Obj

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NO_SELECTOR = "must not be specified when labelSelector is not set"
_TWICE = "exists in both matchLabelKeys and labelSelector"
_POSITIVE = "must be greater than zero"


def validate_affinity(affinity: Obj, path: str) -> Errors:
    """What a pod asks of nodes, and of the pods that are there already."""
    nodes = affinity.get("nodeAffinity")
    if nodes is not None:
        if nodes.get(_REQUIRED) is not None:
            yield from validate_node_selector(nodes[_REQUIRED], f"{path}.nodeAffinity.{_REQUIRED}")
        for index, wish in enumerate(nodes.get(_PREFERRED) or ()):
            where = f"{path}.nodeAffinity.{_PREFERRED}[{index}]"
            yield from _validate_weight(wish, where)
            yield from _validate_node_term(wish.get("preference") or {}, f"{where}.preference", any_value=True)
    for field in ("podAffinity", "podAntiAffinity"):
        if affinity.get(field) is not None:
            yield from _validate_pod_affinity(affinity[field], f"{path}.{field}")


def _validate_weight(wish: Obj, path: str) -> Errors:
    weight = wish.get("weight") or 0
    if not 1 <= weight <= 100:
        yield invalid(f"{path}.weight", weight, "must be in the range 1-100")


def validate_node_selector(selector: Obj, path: str) -> Errors:
    """At least one term, of which one must hold."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        yield required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in enumerate(terms):
        yield from _validate_node_term(term, f"{path}.nodeSelectorTerms[{index}]")


def _validate_node_term(term: Obj, path: str, any_value: bool = False) -> Errors:
    for index, wish in enumerate(term.get("matchExpressions") or ()):
        yield from _validate_node_wish(wish, f"{path}.matchExpressions[{index}]", any_value)
    for index, wish in enumerate(term.get("matchFields") or ()):
        yield from _validate_node_field(wish, f"{path}.matchFields[{index}]")


def _validate_node_wish(wish: Obj, path: str, any_value: bool) -> Errors:
    values, key = wish.get("values") or [], wish.get("key") or ""
    match wish.get("operator") or "":
        case "In" | "NotIn":
            if not values:
                yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        case "Exists" | "DoesNotExist":
            if values:
                text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield forbidden(f"{path}.values", text)
        case "Gt" | "Lt":
            if len(values) != 1:
                yield required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
        case other:
            yield invalid(f"{path}.operator", other, "not a valid selector operator")
    yield from each(f"{path}.key", key, qualified_faults(key))
    for index, value in enumerate(() if any_value else values):
        yield from each(f"{path}.values[{index}]", value, value_faults(value))


def _validate_node_field(wish: Obj, path: str) -> Errors:
    operator, values, key = wish.get("operator") or "", wish.get("values") or [], wish.get("key") or ""
    if operator not in ("In", "NotIn"):
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    elif len(values) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield required(f"{path}.values", text)
    if key != "metadata.name":
        yield invalid(f"{path}.key", key, "not a valid field selector key")
        return
    for index, value in enumerate(values):
        yield from each(f"{path}.values[{index}]", value, subdomain_faults(value))


def _validate_pod_affinity(affinity: Obj, path: str) -> Errors:
    for index, term in enumerate(affinity.get(_REQUIRED) or ()):
        yield from _validate_pod_term(term, f"{path}.{_REQUIRED}[{index}]")
    for index, wish in enumerate(affinity.get(_PREFERRED) or ()):
        where = f"{path}.{_PREFERRED}[{index}]"
        yield from _validate_weight(wish, where)
        yield from _validate_pod_term(wish.get("podAffinityTerm") or {}, f"{where}.podAffinityTerm")


def _validate_pod_term(term: Obj, path: str) -> Errors:
    for field in ("labelSelector", "namespaceSelector"):
        if term.get(field) is not None:
            yield from validate_selector(term[field], f"{path}.{field}")
    for name in term.get("namespaces") or ():
        yield from each(f"{path}.namespace", name, label_faults(name))
    yield from _validate_label_keys(term, path)
    key = term.get("topologyKey") or ""
    if not key:
        yield required(f"{path}.topologyKey", "can not be empty")
    yield from each(f"{path}.topologyKey", key, qualified_faults(key))


def _validate_label_keys(term: Obj, path: str) -> Errors:
    """Keys whose values are taken from the pod itself: they need a selector, which does not name them already."""
    selector, same = term.get("labelSelector"), term.get("matchLabelKeys") or []
    other = term.get("mismatchLabelKeys") or []
    for field, keys in (("matchLabelKeys", same), ("mismatchLabelKeys", other)):
        if keys and selector is None:
            yield forbidden(f"{path}.{field}", _NO_SELECTOR)
            continue
        for index, key in enumerate(keys):
            yield from each(f"{path}.{field}[{index}]", key, qualified_faults(key))
    if selector is not None:
        named = set(selector.get("matchLabels") or ())
        for wish in selector.get("matchExpressions") or ():
            key = wish.get("key") or ""
            if key in same and key in named:
                yield invalid(f"{path}[{same.index(key)}]", key, _TWICE)
            named.add(key)
    for index, key in enumerate(same):
        if key in other:
            text = "exists in both matchLabelKeys and mismatchLabelKeys"
            yield invalid(f"{path}.matchLabelKeys[{index}]", key, text)


def validate_spread(constraints: list[Obj], path: str) -> Errors:
    """How evenly a pod and its like are spread over nodes or zones."""
    for index, constraint in enumerate(constraints):
        where, key = f"{path}[{index}]", constraint.get("topologyKey") or ""
        action = constraint.get("whenUnsatisfiable") or ""
        if (constraint.get("maxSkew") or 0) <= 0:
            yield invalid(f"{where}.maxSkew", constraint.get("maxSkew") or 0, _POSITIVE)
        if not key:
            yield required(f"{where}.topologyKey", "can not be empty")
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            yield unsupported(f"{where}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway"))
        rest = [(one.get("topologyKey") or "", one.get("whenUnsatisfiable") or "") for one in constraints[index + 1 :]]
        if (key, action) in rest:
            yield duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}")
        yield from _validate_domains(constraint.get("minDomains"), action, f"{where}.minDomains")
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            yield from known(f"{where}.{field}", constraint.get(field), ("Honor", "Ignore"))
        yield from _validate_spread_keys(constraint, f"{where}.matchLabelKeys")
        if constraint.get("labelSelector") is not None:
            yield from validate_selector(constraint["labelSelector"], f"{where}.labelSelector")


def _validate_domains(least: int | None, action: str, path: str) -> Errors:
    if least is None:
        return
    if least <= 0:
        yield invalid(path, least, _POSITIVE)
    if action != "DoNotSchedule":
        yield invalid(path, least, f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}")


def _validate_spread_keys(constraint: Obj, path: str) -> Errors:
    keys, selector = constraint.get("matchLabelKeys") or (), constraint.get("labelSelector")
    if not keys:
        return
    if selector is None:
        yield forbidden(path, _NO_SELECTOR)
    named = set((selector or {}).get("matchLabels") or ())
    named |= {wish.get("key") for wish in (selector or {}).get("matchExpressions") or ()}
    for index, key in enumerate(keys):
        yield from each(f"{path}[{index}]", key, qualified_faults(key))
        if key in named:
            yield invalid(f"{path}[{index}]", key, _TWICE)


def validate_tolerations(tolerations: list[Obj], path: str) -> Errors:
    """Taints of nodes that a pod puts up with."""
    for index, toleration in enumerate(tolerations):
        where, key = f"{path}[{index}]", toleration.get("key") or ""
        operator, effect = toleration.get("operator") or "", toleration.get("effect") or ""
        if key:
            yield from each(f"{where}.key", key, qualified_faults(key))
        elif operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield invalid(f"{where}.operator", operator, text)
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            yield invalid(f"{where}.effect", effect, text)
        yield from _validate_operator(operator, toleration.get("value") or "", f"{where}.operator")
        if effect and effect not in EFFECTS:
            yield unsupported(f"{where}.effect", effect, EFFECTS)


def _validate_operator(operator: str, value: str, path: str) -> Errors:
    if operator in ("Equal", ""):
        if faults := value_faults(value):
            yield invalid(path, value, ";".join(faults))
    elif operator == "Exists":
        if value:
            yield invalid(path, value, "value must be empty when `operator` is 'Exists'")
    else:
        yield unsupported(path, operator, ("Equal", "Exists"))
