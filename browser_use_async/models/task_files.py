"""What tells where the files of a task are: its output, recordings and screenshots."""

from typing import Any

import attrs

from browser_use_async.types.base import Record, Value, ruled
from browser_use_async.types.secrets import hidden_url, hidden_urls
from browser_use_async.types.tasks import IDENTIFIER

__all__ = ["OutputFile", "TaskFile", "TaskMedia", "TaskScreenshots"]


@attrs.frozen(eq=False, repr=False)
class TaskFile(Value):
    """Which output file of which task a call is about."""

    task_id: str = ruled(IDENTIFIER)
    file_name: str = ruled(IDENTIFIER)


@attrs.define(eq=False, repr=False)
class TaskMedia(Record):
    """Recordings of a completed task. API page: Get Task Media.

    Attributes:
        recordings: Signed URLs that expire.
        extra: Fields that this version does not know.
    """

    recordings: list[str] = attrs.field(factory=list, repr=hidden_urls)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define(eq=False, repr=False)
class TaskScreenshots(Record):
    """Screenshots of a task. API page: Get Task Screenshots.

    Attributes:
        screenshots: Signed URLs of PNG files that expire.
        extra: Fields that this version does not know.
    """

    screenshots: list[str] = attrs.field(factory=list, repr=hidden_urls)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define(eq=False, repr=False)
class OutputFile(Record):
    """Where an output file can be fetched. API page: Get Task Output File.

    Attributes:
        download_url: A signed URL that expires.
        extra: Fields that this version does not know.
    """

    download_url: str = attrs.field(repr=hidden_url)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)
