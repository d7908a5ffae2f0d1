"""Files that clients uploaded for tasks to read."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

import attrs

from browser_use_async.api.scalars import format_timestamp, parse_timestamp
from browser_use_async.server.storage.keeper import Keeper

_KIND = "upload"


@attrs.frozen
class Upload:
    """One uploaded file."""

    name: str  # its name, by which tasks include it
    content: bytes = attrs.field(repr=False)
    uploaded_at: datetime  # when it came


class Uploads:
    """All uploaded files of one server, by name; a new one replaces that of the same name."""

    def __init__(self, now: Callable[[], datetime], keeper: Keeper) -> None:
        self._now = now
        self._keeper = keeper
        self._files: dict[str, Upload] = {}
        for name, document in keeper.documents(_KIND):
            content = keeper.file(_KIND, name)
            uploaded_at = parse_timestamp(document["uploaded_at"])
            if content is not None and uploaded_at is not None:
                self._files[name] = Upload(name, content, uploaded_at)

    def put(self, name: str, content: bytes) -> Upload:
        """Take a file."""
        upload = self._files[name] = Upload(name, content, self._now())
        self._keeper.keep_file(_KIND, name, content)
        self._keeper.keep(_KIND, name, {"uploaded_at": format_timestamp(upload.uploaded_at)})
        return upload

    def size_with(self, name: str, content: bytes) -> int:
        """How many bytes all files would have together with a new one."""
        others = (len(each.content) for each in self._files.values() if each.name != name)
        return sum(others) + len(content)

    def get(self, name: str) -> Upload | None:
        """The file of a name, or None."""
        return self._files.get(name)

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of the names that no file has."""
        return [name for name in names if name not in self._files]

    def expire(self, before: datetime, keep: Collection[str]) -> None:
        """Forget files that came before a moment."""
        for name, upload in tuple(self._files.items()):
            if upload.uploaded_at < before and name not in keep:
                del self._files[name]
                self._keeper.forget(_KIND, name)
