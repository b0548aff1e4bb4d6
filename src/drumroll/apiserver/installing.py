"""The definitions that every cluster has from the start: written as established, without the checks of a request.

They are checked by the tests instead: compiling their rules at every first start would cost more than everything else.
"""

import asyncio
import hashlib
import logging
import uuid

import orjson

from drumroll.apiserver import codec
from drumroll.apiserver.bootstrap import ensure
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.routing import Target
from drumroll.domain.custom.installed import MARK, VERSION, definitions, gateway_class, roles
from drumroll.domain.custom.names import prepare_definition_create, prepare_definition_update
from drumroll.domain.custom.naming import ESTABLISHED, accept_names, with_conditions
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import CLUSTER_ROLE, CUSTOM_RESOURCE_DEFINITION, GATEWAY_CLASS, INSTALLED
from drumroll.objects.meta import Obj, Revision, timestamp
from drumroll.store.interface import Stale

log = logging.getLogger("drumroll.apiserver")

_OWNER = "drumroll"
_UPDATED = "rbac.authorization.kubernetes.io/autoupdate"


async def install(cluster: Cluster) -> None:
    """Create the definitions that are missing, and bring those up to date that nobody has changed since."""
    stored = {kind.resource: _stored(cluster, kind.resource) for kind in INSTALLED}
    lacking = {name for name, crd in stored.items() if crd is None or _is_outdated(crd)}
    wanted = {crd["metadata"]["name"]: crd for crd in definitions()} if lacking else {}
    written = (_write(cluster, crd, stored[name]) for name, crd in wanted.items() if name in lacking)
    await asyncio.gather(*written, *(_ensure_role(cluster, role) for role in roles()))  # one wait for the disk
    await _ensure_class(cluster, gateway_class())


async def _ensure_role(cluster: Cluster, wanted: Obj) -> None:
    """Create a role, or add what it lacks: a newer version of ours may have more kinds."""
    target = Target(CLUSTER_ROLE, "", wanted["metadata"]["name"])
    await ensure(cluster, target, wanted)

    def grown(stored: Obj) -> Obj:
        if (stored["metadata"].get("annotations") or {}).get(_UPDATED) == "false":
            return stored
        rules = stored.get("rules") or []
        lacking = [rule for rule in wanted["rules"] if rule not in rules]
        return {**stored, "rules": [*rules, *lacking]} if lacking else stored

    try:
        await cluster.change(target, grown)
    except ApiError as error:
        log.warning("role_failed name=%s reason=%s message=%s", target.name, error.reason, error.message)


async def _ensure_class(cluster: Cluster, wanted: Obj) -> None:
    kind = cluster.registry.find(GATEWAY_CLASS.group, GATEWAY_CLASS.version, GATEWAY_CLASS.plural)
    if kind is None:
        return  # somebody has other plans with this group
    try:
        await ensure(cluster, Target(kind, "", wanted["metadata"]["name"]), wanted)
    except ApiError as error:
        log.warning("gateway_class_failed reason=%s message=%s", error.reason, error.message)


def _stored(cluster: Cluster, name: str) -> Obj | None:
    record = cluster.store.get(CUSTOM_RESOURCE_DEFINITION.resource, name)
    return None if record is None else codec.decode(record)


def _is_outdated(crd: Obj) -> bool:
    """Ours, of another version, and as we left it. What somebody else has applied is theirs."""
    version, _, digest = ((crd["metadata"].get("annotations") or {}).get(MARK) or "").partition("-")
    if not digest or version == VERSION or crd["metadata"].get("deletionTimestamp"):
        return False
    return digest == _digest(crd["spec"])


def _digest(spec: Obj) -> str:
    return hashlib.sha256(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


async def _write(cluster: Cluster, wanted: Obj, found: Obj | None) -> None:
    target = Target(CUSTOM_RESOURCE_DEFINITION, "", wanted["metadata"]["name"])
    revision = Revision(int(found["metadata"]["resourceVersion"])) if found else Revision(0)
    crd = installed(cluster, wanted, found)
    try:
        await cluster.put(target, codec.draft(CUSTOM_RESOURCE_DEFINITION, crd), revision)
    except Stale:
        return  # somebody else is at it, and knows better


def installed(cluster: Cluster, wanted: Obj, found: Obj | None) -> Obj:
    """A definition as it is stored: with its mark, established, and with fields that anybody may apply over."""
    now = timestamp(cluster.now())
    annotations = {**(wanted["metadata"].get("annotations") or {}), MARK: f"{VERSION}-{_digest(wanted['spec'])}"}
    if found is None:
        metadata: Obj = {"name": wanted["metadata"]["name"], "uid": str(uuid.uuid4()), "creationTimestamp": now}
        metadata |= {"generation": 1, "annotations": annotations, "managedFields": [_owner(now)]}
        crd: Obj = {"metadata": metadata, "spec": wanted["spec"]}
        prepare_definition_create(crd)
    else:
        metadata = found["metadata"] | {"generation": found["metadata"].get("generation", 1) + 1}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
        crd = {**found, "metadata": metadata, "spec": wanted["spec"]}
        prepare_definition_update(crd)
    names, conditions = accept_names(crd, cluster.registry.others(crd))
    crd["status"]["acceptedNames"] = names
    if conditions[0]["status"] == "True":
        conditions = [conditions[0], ESTABLISHED, *(one for one in conditions[1:] if one["type"] != "Established")]
    crd = with_conditions(crd, conditions, now)
    status = crd["status"]
    crd["status"] = {"conditions": status.pop("conditions"), **status}
    return crd


def _owner(now: str) -> Obj:
    """Only the mark is ours: `kubectl apply --server-side` of the originals meets no other owner."""
    return {
        "manager": _OWNER,
        "operation": "Update",
        "apiVersion": CUSTOM_RESOURCE_DEFINITION.api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{MARK}": {}}}},
    }
