"""Files: screenshots, recordings, output files of tasks, and uploads."""

import hashlib
import secrets
from typing import Self

import attrs

from browser_use_async.server.storage.database import Database, StorageUnavailableError

_PART_BYTES = 1024 * 1024

_NO_OBJECTS = (
    "The file was moved to object storage, and the server was started without it; start it with "
    "files (--files) again"
)

DELETED = "deleted:"
"""What the keys of files begin with whose objects are still to be deleted."""


def object_name(key: str, digest: str) -> str:
    """The name of a file in object storage: another one for each content."""
    return f"{key}/{digest[:32]}"


@attrs.frozen
class FileFacts:
    """What a file is known by without its bytes."""

    size: int  # in bytes
    digest: str  # SHA-256 in hexadecimal digits

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The facts of a content."""
        return cls(len(content), hashlib.sha256(content).hexdigest())


class Files:
    """The files of a database, or of one of its transactions.

    With object storage their bytes are in the database until they have been moved there.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, key: str, content: bytes) -> None:
        """Keep a file, in place of the one under the same key."""
        await self.delete(key)
        facts = FileFacts.of(content)
        for number, start in enumerate(range(0, len(content), _PART_BYTES)):
            await self._database.rows(
                "INSERT INTO file_parts (key, number, body) VALUES (:key, :number, :body)",
                key=key,
                number=number,
                body=content[start : start + _PART_BYTES],
            )
        await self._database.rows(
            "INSERT INTO files (key, size, digest) VALUES (:key, :size, :digest)",
            key=key,
            size=facts.size,
            digest=facts.digest,
        )

    async def facts(self, key: str) -> FileFacts | None:
        """Size and digest of a file, without reading it, or None."""
        found = await self._database.rows(
            "SELECT size, digest FROM files WHERE key = :key", key=key
        )
        return FileFacts(*found[0]) if found else None

    async def get(self, key: str, wanted: range) -> bytes:
        """Some consecutive bytes of a file that is there, without reading the others."""
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

    async def link(self, key: str, seconds: float) -> str | None:
        """An address in object storage, if the file is there and clients are sent there."""
        objects, facts = self._database.objects, await self.facts(key)
        if objects is None or not objects.gives_links or facts is None:
            return None
        here = await self._database.rows(
            "SELECT 1 FROM file_parts WHERE key = :key LIMIT 1", key=key
        )
        return None if here else await objects.link(object_name(key, facts.digest), seconds)

    async def _moved(self, key: str, wanted: range) -> bytes:
        facts, objects = await self.facts(key), self._database.objects
        if facts is None:
            return b""  # deleted since it was found
        if objects is None:
            raise StorageUnavailableError(503, _NO_OBJECTS)
        return await objects.get(object_name(key, facts.digest), wanted)

    async def delete(self, key: str) -> None:
        """Forget a file, if there is one."""
        await self._database.rows("DELETE FROM file_parts WHERE key = :key", key=key)
        if self._database.objects is None:
            await self._database.rows("DELETE FROM files WHERE key = :key", key=key)
            return
        # The object is deleted when this is committed.
        await self._database.rows(
            "UPDATE files SET key = :tombstone WHERE key = :key",
            tombstone=f"{DELETED}{secrets.token_hex(8)}/{key}",
            key=key,
        )
