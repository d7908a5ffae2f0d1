"""The files of a task: what is stored, and the pictures that are drawn of steps without one."""

from browser_use_async.server.pictures import Drawing
from browser_use_async.server.storage import Database, TaskRecord
from browser_use_async.server.storage.files import FileFacts, StoredFile, stored_file
from browser_use_async.server.storage.progress import text_of_step


async def find_file(database: Database, record: TaskRecord, name: str) -> StoredFile | None:
    """A file whose bytes are still to be read, or None if the task has no file of this name."""
    found = await stored_file(database, record, name)
    if found is not None or name not in record.screenshots:
        return found
    step = record.steps[record.screenshots.index(name)]
    text = await text_of_step(database, record.id, step.step)
    if text is None:
        return None
    headline = step.next_goal or step.evaluation_previous_goal
    picture = Drawing(step.step, headline, step.url, text, record.viewport).png()

    async def read(wanted: range) -> bytes:
        return picture[wanted.start : wanted.stop]

    return StoredFile(FileFacts.of(picture), read)
