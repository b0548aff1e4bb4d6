"""The only place that reads the wall clock. Decisions take `now` as an argument instead."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current moment, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the place
