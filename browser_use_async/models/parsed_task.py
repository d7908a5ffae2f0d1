"""The task of those who asked for a type of output."""

from typing import Generic, TypeVar

import attrs

from browser_use_async.types.tasks import Task

__all__ = ["ParsedTask"]

OutputT = TypeVar("OutputT")


@attrs.define(eq=False, repr=False)
class ParsedTask(Task, Generic[OutputT]):
    """A finished task whose output was parsed into the `output_type` asked for.

    Attributes:
        parsed: The output as that type.
    """

    parsed: OutputT = attrs.field(kw_only=True)
