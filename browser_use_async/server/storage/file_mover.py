"""Moves the bytes of files from the database to object storage."""

import asyncio
import logging

import attrs

from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.loops import log_waiting
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import DELETED, FileFacts, Files, object_name
from browser_use_async.server.storage.object_store import ObjectStore

_logger = logging.getLogger(__name__)

# Seconds between two rounds.
_SECONDS = 2.0
_LONGEST_SECONDS = 60.0
_AT_ONCE = 100

# By the index of keys; letters, because rules of languages order other characters in other ways.
_DELETED_FILES = (
    "SELECT key, digest FROM files WHERE key >= 'deleted' AND key < 'deletee' LIMIT :most"
)
_FILES_HERE = (
    "SELECT key, size, digest FROM files "
    "WHERE key IN (SELECT DISTINCT key FROM file_parts LIMIT :most)"
)


@attrs.frozen(eq=False, repr=False)
class FileMover:
    """Moves new files, and deletes deleted ones, on one server at a time.

    A file is part of the transaction that made it, whether object storage answers or not; until
    it does, the database has the bytes.
    """

    _database: Database
    _objects: ObjectStore

    async def run(self) -> None:
        """Move and delete until cancelled; the rest is moved after the next start."""
        pause = _SECONDS
        while True:
            try:
                await self._database.exclusively("files", self._move_all)
                pause = _SECONDS
            except StorageUnavailableError as error:
                log_waiting(_logger, "files stay in the database", error)
                pause = min(2 * pause, _LONGEST_SECONDS)
            await asyncio.sleep(pause)

    async def _move_all(self) -> None:
        deleted = await self._database.rows(_DELETED_FILES, most=_AT_ONCE)
        for key, digest in deleted:
            await self._delete(key, digest)
        waiting = await self._database.rows(_FILES_HERE, most=_AT_ONCE)
        for key, size, digest in waiting:
            await self._move(key, size, digest)

    async def _delete(self, tombstone: str, digest: str) -> None:
        key = tombstone.removeprefix(DELETED).partition("/")[2]
        # The same content may have been stored again under the same key.
        same = await self._database.rows(
            "SELECT 1 FROM files WHERE key = :key AND digest = :digest", key=key, digest=digest
        )
        if not same:
            await self._objects.delete(object_name(key, digest))
        await self._database.rows("DELETE FROM files WHERE key = :key", key=tombstone)

    async def _move(self, key: str, size: int, digest: str) -> None:
        content = await Files(self._database).get(key, range(size))
        if FileFacts.of(content).digest != digest:
            return  # replaced meanwhile: the next round moves it
        await self._objects.put(object_name(key, digest), content)
        # Unless the file was replaced or deleted meanwhile.
        await self._database.rows(
            "DELETE FROM file_parts WHERE key = :key "
            "AND EXISTS (SELECT 1 FROM files WHERE key = :key AND digest = :digest)",
            key=key,
            digest=digest,
        )
