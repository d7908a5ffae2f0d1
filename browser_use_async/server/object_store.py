"""Object storage for the bytes of files, such as S3, by the package obstore, and the way there."""

import asyncio
import logging
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.errors import ObjectGoneError, StorageUnavailableError
from browser_use_async.server.loops import Loops
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import DELETED, FileFacts, Files, object_name

_logger = logging.getLogger(__name__)

_EXTRA = "pip install 'browser-use-async[s3]'"
_TRIAL = "trial"

# Seconds between two looks.
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


class ObjectStore:
    """A bucket, or what begins with a prefix in it.

    Credentials, region and another endpoint than Amazon's come from the environment variables of
    AWS: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`.

    Args:
        url: `s3://bucket/prefix`.

    Raises:
        ConfigurationError: It is no such address, or the package is missing.
    """

    def __init__(self, url: str) -> None:
        scheme, _, place = url.partition("://")
        if scheme != "s3" or not place.partition("/")[0]:
            raise ConfigurationError(f"files must be s3://bucket/prefix, not {url!r}")
        if find_spec("obstore") is None:
            raise ConfigurationError(f"Files on object storage need the extra `s3`: {_EXTRA}")
        from obstore.store import S3Store  # noqa: PLC0415

        self.url = url
        try:
            self._store = S3Store.from_url(
                url,
                client_options={"allow_http": True, "timeout": "30s"},
                retry_config={"max_retries": 2},
            )
        except Exception as error:
            raise ConfigurationError(f"{url} cannot be used: {_first_line(error)}") from error

    async def check(self) -> None:
        """Write, read and delete a small object.

        Raises:
            ConfigurationError: The storage refuses one of them.
        """
        try:
            await self.put(_TRIAL, b"1")
            await self.get(_TRIAL, range(1))
            await self.delete(_TRIAL)
        except StorageUnavailableError as error:
            raise ConfigurationError(
                f"{error}; check the bucket, its region and the rights to read, write and delete"
            ) from error

    async def put(self, name: str, content: bytes) -> None:
        """Keep an object, in place of one of the same name.

        Raises:
            StorageUnavailableError: The storage did not take it.
        """
        from obstore import put_async  # noqa: PLC0415

        with _Refusals(self.url):
            await put_async(self._store, name, content)

    async def get(self, name: str, wanted: range) -> bytes:
        """Some consecutive bytes of an object.

        Raises:
            ObjectGoneError: The storage does not have it.
            StorageUnavailableError: The storage did not give them.
        """
        from obstore import get_range_async  # noqa: PLC0415

        with _Refusals(self.url):
            found = await get_range_async(self._store, name, start=wanted.start, end=wanted.stop)
        return bytes(found)

    async def delete(self, name: str) -> None:
        """Forget an object, if there is one.

        Raises:
            StorageUnavailableError: The storage did not.
        """
        from obstore import delete_async  # noqa: PLC0415

        with _Refusals(self.url):
            await delete_async(self._store, name)


class _Refusals:
    """Makes what the package raises an error of the storage."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        from obstore.exceptions import BaseError  # noqa: PLC0415

        if isinstance(error, FileNotFoundError):  # no such object, which is no such bucket as well
            raise ObjectGoneError(f"{self._url} has no such object") from error
        if isinstance(error, (BaseError, OSError)):
            detail = f"the object storage {self._url} refused: {_first_line(error)}"
            raise StorageUnavailableError(detail) from error


def _first_line(error: BaseException) -> str:
    # The rest is a rendering of nested errors over many lines.
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


class FileMover:
    """Moves what is there, and deletes what has been deleted, on one server at a time.

    A file is part of the transaction that made it, whether object storage answers or not; until
    it does, the database has the bytes.
    """

    def __init__(self, database: Database, objects: ObjectStore, loops: Loops) -> None:
        self._database = database
        self._objects = objects
        self._loop = loops.start("files", self._run)

    async def aclose(self) -> None:
        """Stop; the rest is moved after the next start."""
        await self._loop.aclose()

    async def _run(self) -> None:
        pause = _SECONDS
        while True:
            try:
                await self._database.exclusively("files", self._move_all)
                pause = _SECONDS
            except StorageUnavailableError as error:
                _logger.error("files stay in the database: %s", error)  # noqa: TRY400 - it says all
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
        # The same content may have come again under the same key.
        same = await self._database.rows(
            "SELECT 1 FROM files WHERE key = :key AND digest = :digest", key=key, digest=digest
        )
        if not same:
            await self._objects.delete(object_name(key, digest))
        await self._database.rows("DELETE FROM files WHERE key = :key", key=tombstone)

    async def _move(self, key: str, size: int, digest: str) -> None:
        content = await Files(self._database).get(key, range(size))
        if FileFacts.of(content).digest != digest:
            return  # replaced while others were moved: it is found again
        await self._objects.put(object_name(key, digest), content)
        # Unless the file was replaced or deleted meanwhile.
        await self._database.rows(
            "DELETE FROM file_parts WHERE key = :key "
            "AND EXISTS (SELECT 1 FROM files WHERE key = :key AND digest = :digest)",
            key=key,
            digest=digest,
        )
