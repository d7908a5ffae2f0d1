"""Output types in a module with postponed annotations."""

from __future__ import annotations

from typing import NotRequired, TypedDict

import attrs

__all__ = ["Part", "Row"]


class Row(TypedDict):
    """A row."""

    number: int
    note: NotRequired[str]


@attrs.define
class Part:
    """A part of something."""

    name: str
    of: Part | None = None
