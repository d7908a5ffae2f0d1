"""Files: uploads, and the screenshots, recordings and output files of tasks."""

import hashlib
import secrets
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime
from typing import Any, Self

import attrs

from browser_use_async.server.errors import ObjectGoneError, StorageUnavailableError
from browser_use_async.server.records import DEFAULT_OWNER, Failed, Finished
from browser_use_async.server.storage.account import lock_account
from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.records import TaskRecord, output_key, recording_key
from browser_use_async.server.storage.rows import to_text
from browser_use_async.server.storage.table import Table

_PART_BYTES = 1024 * 1024

_NO_OBJECTS = (
    "The file was moved to object storage, and the server was started without it; start it with "
    "files (--files) again"
)

DELETED = "deleted:"
"""The prefix of the keys of files whose objects are still to be deleted."""


def object_name(key: str, digest: str) -> str:
    """The name of a file in object storage, which differs for each content."""
    return f"{key}/{digest[:32]}"


@attrs.frozen
class FileFacts:
    """The size and the digest of a file."""

    size: int  # in bytes
    digest: str  # SHA-256 in hexadecimal digits

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Compute the size and the digest of a content."""
        return cls(len(content), hashlib.sha256(content).hexdigest())


_KEYS_AT_ONCE = 200  # in one statement
_FACTS = Table("files", FileFacts)


class Files:
    """The files of a database, or of one of its transactions.

    With object storage, the bytes stay in the database until they have been moved there.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, key: str, content: bytes) -> None:
        """Store a file, in place of the one with the same key."""
        await self.delete(key)
        for number, start in enumerate(range(0, len(content), _PART_BYTES)):
            part = {"key": key, "number": number, "body": content[start : start + _PART_BYTES]}
            await self._database.insert("file_parts", part)
        await _FACTS.insert(self._database, FileFacts.of(content), key=key)

    async def facts(self, key: str) -> FileFacts | None:
        """Return the size and the digest of a file without reading it, or None."""
        return await _FACTS.first(self._database, key=key)

    async def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        """Return the sizes of files in bytes, by key; deleted files are left out."""
        found: dict[str, int] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            names = {f"key{place}": key for place, key in enumerate(keys[start:][:_KEYS_AT_ONCE])}
            marks = ", ".join(f":{name}" for name in names)
            rows = await self._database.rows(
                f"SELECT key, size FROM files WHERE key IN ({marks})", **names
            )
            found |= {str(key): int(size) for key, size in rows}
        return found

    async def get(self, key: str, wanted: range) -> bytes:
        """Read a range of bytes of an existing file."""
        if not wanted:
            return b""
        first, last = wanted.start // _PART_BYTES, (wanted.stop - 1) // _PART_BYTES
        parts = await self._database.rows(
            "SELECT body FROM file_parts WHERE key = :key AND number BETWEEN :first AND :last "
            "ORDER BY number",
            key=key,
            first=first,
            last=last,
        )
        if not parts:
            return await self._moved(key, wanted)
        start = wanted.start - first * _PART_BYTES
        content = parts[0][0] if len(parts) == 1 else b"".join(body for (body,) in parts)
        return bytes(content[start : start + len(wanted)])

    async def whole(self, key: str) -> bytes:
        """Read all bytes of a file, from one content even if it is replaced meanwhile."""
        while True:
            facts = await self.facts(key)
            gone: ObjectGoneError | None = None
            content = b""
            try:
                content = await self.get(key, range(0 if facts is None else facts.size))
            except ObjectGoneError as error:
                gone = error
            if facts == await self.facts(key):
                if gone is not None:
                    raise gone
                return content

    async def _moved(self, key: str, wanted: range) -> bytes:
        facts, objects = await self.facts(key), self._database.objects
        if facts is None:
            return b""  # deleted meanwhile
        if objects is None:
            raise StorageUnavailableError(_NO_OBJECTS)
        return await objects.get(object_name(key, facts.digest), wanted)

    async def delete(self, key: str) -> None:
        """Delete a file if it exists."""
        await self._database.delete("file_parts", key=key)
        if self._database.objects is None:
            await self._database.delete("files", key=key)
            return
        # The object is deleted after the commit.
        tombstone = f"{DELETED}{secrets.token_hex(8)}/{key}"
        await self._database.update("files", {"key": tombstone}, key=key)


def in_parts(wanted: range) -> Iterator[range]:
    """Split a range of bytes into parts, one for each row."""
    start = wanted.start
    while start < wanted.stop:
        stop = min(wanted.stop, (start // _PART_BYTES + 1) * _PART_BYTES)
        yield range(start, stop)
        start = stop


@attrs.frozen
class StoredFile:
    """A file of a task; only the requested bytes are read."""

    facts: FileFacts
    read: Callable[[range], Coroutine[Any, Any, bytes]]


async def put_results(at: Database, record: TaskRecord, result: Finished | Failed) -> None:
    """Store the files of a task, in a transaction."""
    films = {f"{record.id}-recording.{kind}": film for kind, film in result.recordings.items()}
    changes = {
        "output": result.output if isinstance(result, Finished) else None,
        "output_files": list(result.files),
        "recordings": list(films),
        "recorded_from": result.recorded_from,
    }
    await at.update("tasks", changes, id=record.id)
    for place, content in enumerate(result.files.values()):
        await Files(at).put(output_key(record.id, place), content)
    for name, film in films.items():
        await Files(at).put(recording_key(name), film)


async def delete_files(at: Database, record: TaskRecord) -> None:
    """Delete all files of a task, whose steps have been read, in a transaction."""
    for key in record.files.values():
        await Files(at).delete(key)


@attrs.frozen
class Upload:
    """One uploaded file, without its bytes."""

    owner: str
    name: str  # its name, by which tasks include it
    size: int  # in bytes
    uploaded_at: datetime

    @property
    def key(self) -> str:
        """The key of its bytes."""
        return f"upload/{self.owner}/{to_text(self.name)}"


UPLOADS = Table("uploads", Upload)


# The bytes of all other uploads, and of the owner's other uploads.
_ROOM = (
    "SELECT COALESCE(SUM(size), 0), "
    "COALESCE(SUM(CASE WHEN owner = :owner THEN size ELSE 0 END), 0) "
    "FROM uploads WHERE NOT (owner = :owner AND name = :name)"
)


class UploadsFullError(Exception):
    """There is no room for another upload; the message is the reason."""


class LinkUsedError(Exception):
    """The link was already used for another content."""


class Uploads(Owned):
    """The uploads of an owner for tasks, by name; a new upload replaces an equal name."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def put(self, name: str, content: bytes, most: int, link: str, expires: int) -> None:
        """Store a file that was uploaded by a link; the link is valid for this content only.

        The same content may be uploaded again, by a client that lost the answer.

        Raises:
            LinkUsedError: The link was already used for another content.
            UploadsFullError: All files, or those of this owner, would exceed their limit in bytes.
        """
        new = Upload(self.owner, name, len(content), self._now())
        digest = hashlib.sha256(content).hexdigest()
        use = {"id": link, "digest": digest, "expires": expires}

        async def work(at: Database) -> None:
            now = int(self._now().timestamp())
            await at.rows("DELETE FROM used_links WHERE expires <= :now", now=now)
            await at.insert("used_links", use, "ON CONFLICT DO NOTHING")
            used_for = await at.value("SELECT digest FROM used_links WHERE id = :id", id=link)
            if used_for != digest:
                raise LinkUsedError
            # The row is first: of two uploads of one name, the second waits here for the first.
            await at.put(UPLOADS.name, "owner, name", UPLOADS.values(new))
            await Files(at).put(new.key, content)
            # Of two concurrent uploads, the second counts the first, on any server.
            await lock_account(at, DEFAULT_OWNER)
            await self.check_room(name, len(content), most, at)

        await self._database.transact(work)

    async def check_room(self, name: str, size: int, most: int, at: Database | None = None) -> None:
        """Check that a file has room; raises the error of `put`."""
        row = await (at or self._database).first(_ROOM, owner=self.owner, name=to_text(name))
        assert row is not None
        if int(row[0]) + size > most:
            raise UploadsFullError(f"All uploads of this server may have {most} bytes together")
        # Otherwise one owner could block all others. The server's own key has no such limit.
        if int(row[1]) + size > most // 2 and self.owner != DEFAULT_OWNER:
            raise UploadsFullError(f"The uploads of one owner may have {most // 2} bytes together")

    async def get(self, name: str) -> Upload | None:
        """Return the upload with a name, or None."""
        return await UPLOADS.first(self._database, owner=self.owner, name=name)

    async def all(self) -> list[Upload]:
        """Return all uploads, the newest first."""
        condition = "owner = :owner ORDER BY uploaded_at DESC, name"
        return await UPLOADS.find(self._database, condition, owner=self.owner)

    async def delete(self, name: str) -> bool:
        """Delete the file with a name; returns whether there was one."""
        found = await self.get(name)
        if found is None:
            return False
        return await self._database.transact(lambda at: delete_upload(at, found))

    async def content(self, upload: Upload) -> bytes:
        """Read the bytes of an upload."""
        return await Files(self._database).whole(upload.key)


async def delete_upload(at: Database, upload: Upload) -> bool:
    """Delete a file, in a transaction; returns whether it existed."""
    # Same lock order as for a replacement; prevents deadlock.
    was_there = await at.delete(UPLOADS.name, owner=upload.owner, name=upload.name)
    await Files(at).delete(upload.key)
    return was_there
