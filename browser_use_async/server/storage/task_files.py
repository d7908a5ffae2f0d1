"""Screenshots, recordings and output files of tasks, read when somebody asks for them."""

import json
from collections.abc import Awaitable, Callable

import attrs

from browser_use_async.server.executors.protocol import Failed, Finished
from browser_use_async.server.pictures import Drawing
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import FileFacts, Files
from browser_use_async.server.storage.records import TaskRecord, recording_name, screenshot_name
from browser_use_async.server.storage.values import from_text, to_json, to_moment, to_text


@attrs.frozen
class StoredFile:
    """A file of a task, of which as much is read as somebody asks for."""

    facts: FileFacts
    read: Callable[[range], Awaitable[bytes]]


def screenshot_key(task_id: str, number: int) -> str:
    """The key of the picture of a step."""
    return f"screenshot/{screenshot_name(task_id, number)}"


def recording_key(task_id: str, ending: str) -> str:
    """The key of a recording."""
    return f"recording/{recording_name(task_id, ending)}"


def output_key(task_id: str, place: int) -> str:
    """The key of an output file, by its place: the names are the executor's."""
    return f"output/{task_id}/{place}"


def drawing_text(drawing: Drawing) -> str:
    """A drawing as it is stored with its step."""
    return to_json(attrs.asdict(drawing))


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
        await files.put(output_key(task_id, place), content)
    for ending, film in result.recordings.items():
        await files.put(recording_key(task_id, ending), film)


async def find_file(database: Database, record: TaskRecord, name: str) -> StoredFile | None:
    """A file whose bytes are still to be read, or None if the task has no file of this name."""
    if name in record.output_files:
        return await _stored(database, output_key(record.id, record.output_files.index(name)))
    if name in record.screenshots:
        number = record.steps[record.screenshots.index(name)].step
        found = await _stored(database, screenshot_key(record.id, number))
        return found or await _drawn(database, record.id, number)
    if name in record.recordings:
        return await _stored(database, f"recording/{name}")
    return None


async def output_link(
    database: Database, record: TaskRecord, name: str, seconds: float
) -> str | None:
    """Where an output file is in object storage, if clients are sent there and it is there."""
    key = output_key(record.id, record.output_files.index(name))
    return await Files(database).link(key, seconds)


async def delete_files(at: Database, record: TaskRecord) -> None:
    """Delete all files of a task, in a transaction."""
    files = Files(at)
    for step in record.steps:
        await files.delete(screenshot_key(record.id, step.step))
    for name in record.recordings:
        await files.delete(f"recording/{name}")
    for place in range(len(record.output_files)):
        await files.delete(output_key(record.id, place))
    await at.rows("UPDATE steps SET drawing = NULL WHERE task_id = :id", id=record.id)


async def _stored(database: Database, key: str) -> StoredFile | None:
    files = Files(database)
    facts = await files.facts(key)
    return None if facts is None else StoredFile(facts, lambda wanted: files.get(key, wanted))


async def _drawn(database: Database, task_id: str, number: int) -> StoredFile | None:
    found = await database.rows(
        "SELECT drawing FROM steps WHERE task_id = :id AND number = :number",
        id=task_id,
        number=number,
    )
    if not found or found[0][0] is None:
        return None
    fields = json.loads(from_text(found[0][0]))
    width, height = fields.pop("viewport")
    picture = Drawing(**fields, viewport=(width, height)).png()

    async def read(wanted: range) -> bytes:
        return picture[wanted.start : wanted.stop]

    return StoredFile(FileFacts.of(picture), read)
