"""Files: uploads, and the screenshots, recordings and output files of tasks."""

import hashlib
import json
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Self

import attrs

from browser_use_async.server.executors.protocol import Failed, Finished
from browser_use_async.server.pictures import Drawing
from browser_use_async.server.storage.database import Database, StorageUnavailableError
from browser_use_async.server.storage.records import TaskRecord, recording_name, screenshot_name
from browser_use_async.server.storage.rows import to_json, to_moment, to_text

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
        found = await self._database.first(
            "SELECT size, digest FROM files WHERE key = :key", key=key
        )
        return FileFacts(*found) if found else None

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
        statement = "SELECT 1 FROM file_parts WHERE key = :key LIMIT 1"
        is_here = await self._database.value(statement, key=key)
        return None if is_here else await objects.link(object_name(key, facts.digest), seconds)

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


@attrs.frozen
class StoredFile:
    """A file of a task, of which as much is read as somebody asks for."""

    facts: FileFacts
    read: Callable[[range], Coroutine[Any, Any, bytes]]


def screenshot_key(task_id: str, number: int) -> str:
    """The key of the picture of a step."""
    return f"screenshot/{screenshot_name(task_id, number)}"


def _recording_key(name: str) -> str:
    return f"recording/{name}"


def _output_key(task_id: str, place: int) -> str:
    """The key of an output file, by its place: the names are the executor's."""
    return f"output/{task_id}/{place}"


async def put_results(at: Database, task_id: str, result: Finished | Failed) -> None:
    """Keep what a task made, in a transaction."""
    answer = result.output if isinstance(result, Finished) else None
    await at.rows(
        "UPDATE tasks SET output = :answer, output_files = :files, recordings = :recordings, "
        "recorded_from = :recorded_from WHERE id = :id",
        id=task_id,
        answer=None if answer is None else to_text(answer),
        files=to_json(list(result.files)),
        recordings=to_json([recording_name(task_id, ending) for ending in result.recordings]),
        recorded_from=to_moment(result.recorded_from),
    )
    files = Files(at)
    for place, content in enumerate(result.files.values()):
        await files.put(_output_key(task_id, place), content)
    for ending, film in result.recordings.items():
        await files.put(_recording_key(recording_name(task_id, ending)), film)


async def find_file(database: Database, record: TaskRecord, name: str) -> StoredFile | None:
    """A file whose bytes are still to be read, or None if the task has no file of this name."""
    if name in record.output_files:
        return await _stored(database, _output_key(record.id, record.output_files.index(name)))
    if name in record.screenshots:
        number = record.steps[record.screenshots.index(name)].step
        found = await _stored(database, screenshot_key(record.id, number))
        return found or await _drawn(database, record.id, number)
    if name in record.recordings:
        return await _stored(database, _recording_key(name))
    return None


async def output_link(
    database: Database, record: TaskRecord, name: str, seconds: float
) -> str | None:
    """Where an output file is in object storage, if clients are sent there and it is there."""
    key = _output_key(record.id, record.output_files.index(name))
    return await Files(database).link(key, seconds)


async def delete_files(at: Database, record: TaskRecord) -> None:
    """Delete all files of a task, in a transaction."""
    files = Files(at)
    numbers = await at.rows("SELECT number FROM steps WHERE task_id = :id", id=record.id)
    for (number,) in numbers:
        await files.delete(screenshot_key(record.id, number))
    for name in record.recordings:
        await files.delete(_recording_key(name))
    for place in range(len(record.output_files)):
        await files.delete(_output_key(record.id, place))
    await at.rows("UPDATE steps SET drawing = NULL WHERE task_id = :id", id=record.id)


async def _stored(database: Database, key: str) -> StoredFile | None:
    files = Files(database)
    facts = await files.facts(key)
    return None if facts is None else StoredFile(facts, lambda wanted: files.get(key, wanted))


async def _drawn(database: Database, task_id: str, number: int) -> StoredFile | None:
    statement = "SELECT drawing FROM steps WHERE task_id = :id AND number = :number"
    drawing = await database.value(statement, id=task_id, number=number)
    if drawing is None:
        return None
    fields = json.loads(drawing)
    width, height = fields.pop("viewport")
    picture = Drawing(**fields, viewport=(width, height)).png()

    async def read(wanted: range) -> bytes:
        return picture[wanted.start : wanted.stop]

    return StoredFile(FileFacts.of(picture), read)
