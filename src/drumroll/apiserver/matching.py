"""Which objects a list or watch is about: a namespace, a label selector, a field selector."""

from dataclasses import dataclass

from drumroll.apiserver import codec
from drumroll.apiserver.conversion import seen_as
from drumroll.apiserver.routing import Target
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj, labels_of
from drumroll.objects.selectors import FieldSelector, LabelSelector, fields_of, parse_fields, parse_labels
from drumroll.objects.wire import Request
from drumroll.store.interface import Record


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected of a kind. `is_everything`: the namespace alone decides."""

    kind: Kind
    prefix: str
    labels: LabelSelector
    fields: FieldSelector

    @property
    def is_everything(self) -> bool:
        """True when no object needs to be looked at to know that it is selected."""
        return self.labels.is_everything and self.fields.is_everything

    def matches(self, obj: Obj) -> bool:
        """Whether a decoded object (of the kind as asked for) is selected."""
        if not self.labels.is_everything and not self.labels.matches(labels_of(obj)):
            return False
        return self.fields.is_everything or self.fields.matches(fields_of(self.kind, obj))

    def matches_record(self, record: Record) -> bool:
        """The same for a stored one."""
        return self.is_everything or self.matches(seen_as(self.kind, codec.decode(record)))

    @property
    def only_key(self) -> str:
        """The one key that can match, when the selection names namespace and object; else empty."""
        name = self.fields.exact("metadata.name")
        if not name or (self.kind.namespaced and not self.prefix):
            return ""
        return self.prefix + name


def selection(target: Target, request: Request) -> Selection:
    """What the request's path and parameters select. Raises BadRequest."""
    labels, fields = request.parameter("labelSelector"), request.parameter("fieldSelector")
    return Selection(target.kind, target.prefix, parse_labels(labels), parse_fields(fields, target.kind))
