"""GET of an object and of a collection: consistent snapshots, pages, selectors."""

from drumroll.apiserver import codec
from drumroll.apiserver.answering import Presenter
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.failures import expired, expired_continue, future_revision
from drumroll.apiserver.matching import Selection, selection
from drumroll.apiserver.negotiation import accepted
from drumroll.apiserver.options import Continue, ListOptions
from drumroll.apiserver.routing import Target
from drumroll.objects.meta import Obj, Revision
from drumroll.objects.wire import Request, Response
from drumroll.store.interface import Compacted, Record


def presenter(cluster: Cluster, target: Target, request: Request) -> Presenter:
    """How this client wants to see objects of the target's kind. Raises NotAcceptable."""
    choice = accepted(request.headers.get("accept", ""))
    return Presenter(target.kind, choice, cluster.now, request.parameter("includeObject"))


def get(cluster: Cluster, target: Target, request: Request) -> Response:
    """The object. Raises NotFound, NotAcceptable."""
    present = presenter(cluster, target, request)
    return present.one(200, cluster.find(target).value)


def list_objects(cluster: Cluster, target: Target, request: Request, options: ListOptions) -> Response:
    """The collection, or a page of it. Raises BadRequest, Expired, Timeout (a revision that is still to come)."""
    present = presenter(cluster, target, request)
    chosen = selection(target, request)
    revision, records = _snapshot(cluster, chosen, options)
    start = options.continued.start if options.continued else ""
    if start:
        records = [record for record in records if record.key[len(chosen.prefix) :] > start]
    page, rest = _page(chosen, records, options.limit)
    metadata: Obj = {"resourceVersion": str(revision)}
    if rest:
        metadata["continue"] = Continue(revision, page[-1].key[len(chosen.prefix) :]).encode()
        if chosen.is_everything:
            metadata["remainingItemCount"] = rest
    return present.many([record.value for record in page], metadata)


def select(cluster: Cluster, chosen: Selection) -> list[Record]:
    """The selected records as of now."""
    collection = codec.collection(chosen.kind)
    if chosen.only_key:
        record = cluster.store.get(collection, chosen.only_key)
        return [record] if record is not None and chosen.matches_record(record) else []
    records = cluster.store.select(collection, chosen.prefix)
    return records if chosen.is_everything else [record for record in records if chosen.matches_record(record)]


def check_revision(cluster: Cluster, wanted: str) -> int:
    """The number of a revision that exists. Raises Timeout."""
    number = int(wanted or "0")
    if number > cluster.store.revision:
        raise future_revision(number, cluster.store.revision)
    return number


def _snapshot(cluster: Cluster, chosen: Selection, options: ListOptions) -> tuple[Revision, list[Record]]:
    """The revision that the answer is true for, and what may be in it."""
    collection = codec.collection(chosen.kind)
    wanted = options.continued.revision if options.continued else check_revision(cluster, options.resource_version)
    exact = (
        options.continued is not None or options.match == "Exact" or (options.limit and wanted and not options.match)
    )
    if not exact or wanted == cluster.store.revision:
        if chosen.only_key:
            record = cluster.store.get(collection, chosen.only_key)
            return cluster.store.revision, [record] if record else []
        return cluster.store.revision, cluster.store.select(collection, chosen.prefix)
    try:
        return Revision(wanted), cluster.store.select_at(collection, chosen.prefix, Revision(wanted))
    except Compacted as error:
        raise (expired_continue() if options.continued else expired(error)) from error


def _page(chosen: Selection, records: list[Record], limit: int) -> tuple[list[Record], int]:
    """The selected records up to `limit` (0: all), and how many records are left to look at."""
    if chosen.is_everything:
        return (records, 0) if not limit else (records[:limit], max(len(records) - limit, 0))
    page = []
    for index, record in enumerate(records):
        if chosen.matches_record(record):
            page.append(record)
            if len(page) == limit:
                return page, len(records) - index - 1
    return page, 0
