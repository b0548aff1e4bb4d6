"""The rules for CustomResourceDefinitions: names, versions, subresources, what may not change.

Source: apiextensions pkg/apis/apiextensions/validation/validation.go.
"""

from collections.abc import Callable
from typing import Any

from drumroll.domain.custom.names import APPROVAL, is_protected, storage_versions
from drumroll.domain.custom.schemas import validate_schema
from drumroll.domain.validation.field import Errors, duplicate, invalid, one_of, required, unchanged, unsupported
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import rfc_1035_faults, subdomain_faults
from drumroll.objects.jsonpath import compile_path
from drumroll.objects.meta import Obj

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_UNAPPROVED = (
    f'protected groups must have approval annotation "{APPROVAL}", '
    "see https://github.com/kubernetes/enhancements/pull/1111"
)


def validate_definition(crd: Obj) -> Errors:
    """The rules for a new definition."""
    spec = crd["spec"]
    wanted = f"{(spec.get('names') or {}).get('plural') or ''}.{spec.get('group') or ''}"

    def named(name: str) -> tuple[str, ...]:
        return () if name == wanted else ('must be spec.names.plural+"."+spec.group',)

    yield from validate_metadata(crd["metadata"], namespaced=False, name_faults=named, by_kind=False)
    yield from _validate_spec(spec)
    yield from _validate_stored(crd)
    yield from _validate_approval(crd)


def validate_definition_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed definition: once established, neither its kind nor its scope may change."""
    yield from validate_metadata_update(new["metadata"], old["metadata"], by_kind=False)
    after, before = new["spec"], old["spec"]
    if after != before:
        yield from _validate_spec(after)
    if _is_established(old):
        yield from unchanged("spec.scope", after.get("scope"), before.get("scope"))
        yield from unchanged("spec.names.kind", after["names"].get("kind"), before["names"].get("kind"))
    yield from unchanged("spec.group", after.get("group"), before.get("group"))
    yield from unchanged("spec.names.plural", after["names"].get("plural"), before["names"].get("plural"))
    yield from _validate_stored(new)
    yield from _validate_approval(new)


def validate_definition_status(new: Obj) -> Errors:
    """The rules for a changed status."""
    yield from _validate_stored(new)


def _is_established(crd: Obj) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _validate_approval(crd: Obj) -> Errors:
    if is_protected(crd["spec"].get("group") or ""):
        approval = (crd["metadata"].get("annotations") or {}).get(APPROVAL) or ""
        where = f"metadata.annotations[{APPROVAL}]"
        if not approval:
            yield required(where, _UNAPPROVED)
        elif not approval.startswith(("https://", "http://", "unapproved")):
            yield invalid(where, approval, f'annotation value must be a URL or "unapproved": {_UNAPPROVED}')


def _validate_spec(spec: Obj) -> Errors:
    group, versions = spec.get("group") or "", spec.get("versions") or []
    faults = list(subdomain_faults(group)) if group else []
    if not group:
        yield required("spec.group")
    elif faults:
        yield invalid("spec.group", group, ",".join(faults))
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")
    yield from one_of("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    for index, version in enumerate(versions):
        yield from _validate_version(version, f"spec.versions[{index}]")
    names = [version.get("name") or "" for version in versions]
    if len(set(names)) != len(names):
        yield invalid("spec.versions", versions, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid("spec.versions", versions, "must have exactly one version marked as storage version")
    if versions:
        yield from _validate_names(spec.get("names") or {})
    yield from _validate_conversion(spec.get("conversion") or {})


def _validate_version(version: Obj, path: str) -> Errors:
    for fault in rfc_1035_faults(version.get("name") or ""):
        yield invalid(f"{path}.name", version.get("name") or "", fault)
    if version.get("deprecationWarning") is not None and not version.get("deprecated"):
        text = "can only be set for deprecated versions"
        yield invalid(f"{path}.deprecationWarning", version["deprecationWarning"], text)
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is None:
        yield required(f"{path}.schema.openAPIV3Schema", "schemas are required")
    else:
        yield from validate_schema(schema, f"{path}.schema.openAPIV3Schema")
    yield from _validate_subresources(version.get("subresources") or {}, f"{path}.subresources")
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        yield from _validate_column(column, f"{path}.additionalPrinterColumns[{index}]")
    for index, chosen in enumerate(version.get("selectableFields") or ()):
        yield from _validate_path(chosen.get("jsonPath") or "", f"{path}.selectableFields[{index}].jsonPath")


def _validate_column(column: Obj, path: str) -> Errors:
    if not column.get("name"):
        yield required(f"{path}.name")
    if not column.get("type"):
        yield required(f"{path}.type", f"must be one of {','.join(_COLUMN_TYPES)}")
    elif column["type"] not in _COLUMN_TYPES:
        yield invalid(f"{path}.type", column["type"], f"must be one of {','.join(_COLUMN_TYPES)}")
    yield from _validate_path(column.get("jsonPath") or "", f"{path}.jsonPath")


def _validate_path(text: str, path: str) -> Errors:
    if not text:
        yield required(path)
        return
    try:
        compile_path(text)
    except ValueError as error:
        yield invalid(path, text, f"is an invalid jsonpath: {error}")


def _validate_subresources(subresources: Obj, path: str) -> Errors:
    scale = subresources.get("scale")
    if scale is None:
        return
    for field, parents, needed in (
        ("specReplicasPath", (".spec",), True),
        ("statusReplicasPath", (".status",), True),
        ("labelSelectorPath", (".spec", ".status"), False),
    ):
        text, where = scale.get(field) or "", f"{path}.scale.{field}"
        if not text:
            if needed:
                yield required(where)
            continue
        if not any(text.startswith(f"{parent}.") for parent in parents):
            yield invalid(where, text, f"should be a json path under {' or '.join(parents)}")
            continue
        try:
            compile_path(text)
        except ValueError as error:
            yield invalid(where, text, str(error))


def _validate_names(names: Obj) -> Errors:
    rules: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("plural", str), ("singular", str), ("kind", str.lower), ("listKind", str.lower),
    )  # fmt: skip
    for field, spelled in rules:
        value = names.get(field) or ""
        if not value:
            if field != "singular":
                yield required(f"spec.names.{field}")
            continue
        faults = list(rfc_1035_faults(spelled(value)))
        if faults:
            lead = "may have mixed case, but should otherwise match: " if spelled is not str else ""
            yield invalid(f"spec.names.{field}", value, lead + ",".join(faults))
    for index, short in enumerate(names.get("shortNames") or ()):
        faults = list(rfc_1035_faults(short))
        if faults:
            yield invalid(f"spec.names.shortNames[{index}]", short, ",".join(faults))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")
    for index, category in enumerate(names.get("categories") or ()):
        faults = list(rfc_1035_faults(category))
        if faults:
            yield invalid(f"spec.names.categories[{index}]", category, ",".join(faults))


def _validate_conversion(conversion: Obj) -> Errors:
    strategy = conversion.get("strategy")
    if strategy not in ("None", "Webhook"):
        yield unsupported("spec.conversion.strategy", strategy, ("None", "Webhook"))
    elif strategy == "Webhook" and not (conversion.get("webhook") or {}).get("clientConfig"):
        yield required("spec.conversion.webhookClientConfig", "required when strategy is set to Webhook")


def _validate_stored(crd: Obj) -> Errors:
    stored: list[Any] | None = (crd.get("status") or {}).get("storedVersions")
    path = "status.storedVersions"
    if not stored:
        yield invalid(path, stored, "must have at least one stored version")
        return
    names = [version.get("name") for version in crd["spec"].get("versions") or ()]
    if len(set(stored)) != len(stored):
        yield duplicate(path, stored)
    for index, name in enumerate(stored):
        if name not in names:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and "
                f"removes {name} from status.storedVersions"
            )
            yield invalid(f"{path}[{index}]", name, text)
    for name in storage_versions(crd):
        if name not in stored:
            yield invalid(path, stored, f"must have the storage version {name}")
