"""Files that clients uploaded for tasks to read."""

from collections.abc import Callable, Collection
from datetime import datetime

import attrs

from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.files import Files
from browser_use_async.server.storage.rows import TEXT, Table, from_text, to_moment, to_text


@attrs.frozen
class Upload:
    """One uploaded file, without its bytes."""

    name: str  # its name, by which tasks include it
    size: int  # in bytes
    uploaded_at: str  # when, as moments are stored


_UPLOADS = Table("uploads", Upload, *("size", "uploaded_at"), name=TEXT)


class Uploads(Owned):
    """The uploaded files of one owner, by name; a new one replaces that of the same name."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def put(self, name: str, content: bytes) -> None:
        """Take a file."""

        async def work(at: Database) -> None:
            await Files(at).put(upload_key(self.owner, name), content)
            await at.rows(
                "INSERT INTO uploads (owner, name, size, uploaded_at) "
                "VALUES (:owner, :name, :size, :now) ON CONFLICT (owner, name) "
                "DO UPDATE SET size = excluded.size, uploaded_at = excluded.uploaded_at",
                owner=self.owner,
                name=to_text(name),
                size=len(content),
                now=to_moment(self._now()),
            )

        await self._database.transact(work)

    async def size_with(self, name: str, content: bytes) -> int:
        """How many bytes all files of all owners would have together with a new one."""
        size = await self._database.value(
            "SELECT COALESCE(SUM(size), 0) FROM uploads "
            "WHERE NOT (owner = :owner AND name = :name)",
            owner=self.owner,
            name=to_text(name),
        )
        return int(size) + len(content)

    async def get(self, name: str) -> Upload | None:
        """The file of a name, or None."""
        condition, stored = "owner = :owner AND name = :name", to_text(name)
        return await _UPLOADS.first(self._database, condition, owner=self.owner, name=stored)

    async def all(self) -> list[Upload]:
        """All files, the newest first."""
        condition = "owner = :owner ORDER BY uploaded_at DESC, name"
        return await _UPLOADS.find(self._database, condition, owner=self.owner)

    async def delete(self, name: str) -> bool:
        """Forget the file of a name; returns whether there was one."""

        async def work(at: Database) -> bool:
            is_deleted = await _delete(at, self.owner, to_text(name))
            if is_deleted:
                await Files(at).delete(upload_key(self.owner, name))
            return is_deleted

        return await self._database.transact(work)

    async def content(self, upload: Upload) -> bytes:
        """The bytes of a file."""
        key = upload_key(self.owner, upload.name)
        return await Files(self._database).get(key, range(upload.size))


async def expire_uploads(
    database: Database, before: datetime, keep: Collection[tuple[str, str]]
) -> None:
    """Forget files of all owners that came before a moment, but for some, as owner and name."""

    async def work(at: Database) -> None:
        old = await at.rows(
            "SELECT owner, name FROM uploads WHERE uploaded_at < :before", before=to_moment(before)
        )
        for owner, stored in old:
            if (owner, from_text(stored)) not in keep:
                await Files(at).delete(f"upload/{owner}/{stored}")
                await _delete(at, owner, stored)

    await database.transact(work)


async def _delete(at: Database, owner: str, stored: str) -> bool:
    statement = "DELETE FROM uploads WHERE owner = :owner AND name = :name RETURNING name"
    return bool(await at.rows(statement, owner=owner, name=stored))


def upload_key(owner: str, name: str) -> str:
    """The key of the bytes of an upload."""
    return f"upload/{owner}/{to_text(name)}"
