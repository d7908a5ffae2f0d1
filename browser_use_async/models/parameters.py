"""What travels in the path and in the query."""

import attrs

from browser_use_async.types.base import FieldKind, FieldRule, Value, ruled

__all__ = ["IDENTIFIER", "PageQuery", "TaskId"]

IDENTIFIER = FieldRule(FieldKind.TEXT, required=True, nullable=False)
"""What names something in a path."""


@attrs.frozen(eq=False, repr=False)
class TaskId(Value):
    """Which task a call is about."""

    task_id: str = ruled(IDENTIFIER)


@attrs.frozen(eq=False, repr=False)
class PageQuery(Value):
    """Which page of a list, and how many rows on a page."""

    page: int = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, default=1, published=True),
        default=1,
    )
    limit: int = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, default=10, published=True),
        default=10,
    )
