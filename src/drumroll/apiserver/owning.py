"""Keeps metadata.managedFields at every write: who set which fields, and when."""

from datetime import datetime
from functools import lru_cache
from time import perf_counter_ns

from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.options import WriteOptions
from drumroll.apiserver.routing import Target
from drumroll.domain.managed_fields import Writer, put_entries, same_but_for_times, schema_of, track
from drumroll.objects.meta import Obj, timestamp


def writer(cluster: Cluster, target: Target, options: WriteOptions) -> Writer:
    """Who writes now, to what part of the object."""
    return Writer(options.manager, target.subresource, _printed(cluster.now().replace(microsecond=0)))


@lru_cache(maxsize=4)
def _printed(moment: datetime) -> str:
    return timestamp(moment)


def own(
    cluster: Cluster, target: Target, new: Obj, old: Obj | None, options: WriteOptions, owners: list[Obj] | None = None
) -> None:
    """Set, in place, the managedFields of `new`: to `owners`, or (None) to what follows from the change of `old`.

    A write that changes nothing but times changes no time either.
    """
    started = perf_counter_ns()
    if owners is None:
        track(schema_of(target.kind), writer(cluster, target, options), new, old)
    else:
        before = (old or new)["metadata"].get("managedFields") or []
        is_same = old is not None and same_but_for_times(owners, before) and _plain(new) == _plain(old)
        put_entries(new["metadata"], before if is_same else owners)
    cluster.stages.add("ownership", started)


def _plain(obj: Obj) -> Obj:
    """The object without what says who wrote it when."""
    metadata = {key: v for key, v in obj["metadata"].items() if key not in ("managedFields", "resourceVersion")}
    return {**obj, "metadata": metadata}


def without_owners(obj: Obj, patch: bytes) -> tuple[Obj, list[Obj] | None]:
    """The object as a patch needs to see it, and the managedFields to be put back (None: the patch may speak of them).

    Most patches do not, and an object is twice as large with them.
    """
    owners = obj["metadata"].get("managedFields")
    if not owners or b"managedFields" in patch or b"\\u" in patch:
        return obj, None
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}, owners
