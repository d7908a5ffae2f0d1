"""Screenshots, recordings and output files of tasks, read when somebody asks for them."""

import json
from collections.abc import Callable, Mapping

import attrs

from browser_use_async.server.pictures import Drawing
from browser_use_async.server.storage.keeper import FileFacts, Keeper
from browser_use_async.server.storage.records import TaskRecord

_CAPTURED, _DRAWING, _OUTPUT, _RECORDING = "screenshot", "drawing", "output_file", "recording"


def screenshot_name(task_id: str, number: int) -> str:
    """The name of a step's picture."""
    return f"{task_id}-step-{number}.png"


def recording_name(task_id: str, ending: str) -> str:
    """The name of a recording."""
    return f"{task_id}-recording.{ending}"


@attrs.frozen
class StoredFile:
    """A file of a task, of which as much is read as somebody asks for."""

    facts: FileFacts
    read: Callable[[range], bytes]


class TaskFiles:
    """The files of all tasks of one server."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def keep_screenshot(self, record: TaskRecord, number: int, picture: bytes | Drawing) -> None:
        """Keep the picture of a step."""
        name = screenshot_name(record.id, number)
        if isinstance(picture, Drawing):
            drawing = json.dumps(attrs.asdict(picture)).encode()
            self._keeper.keep_file(_DRAWING, name, drawing)
        else:
            self._keeper.keep_file(_CAPTURED, name, picture)

    def keep_output(self, record: TaskRecord, files: Mapping[str, bytes]) -> None:
        """Keep what a task made."""
        for name, content in files.items():
            self._keeper.keep_file(_OUTPUT, _output_key(record, name), content)

    def keep_recordings(self, record: TaskRecord, recordings: Mapping[str, bytes]) -> None:
        """Keep the films of a task."""
        for ending, film in recordings.items():
            self._keeper.keep_file(_RECORDING, recording_name(record.id, ending), film)

    def read(self, record: TaskRecord, name: str) -> bytes | None:
        """The bytes of a file, or None if the task has no file of this name."""
        found = self.find(record, name)
        return found.read(range(found.facts.size)) if found is not None else None

    def find(self, record: TaskRecord, name: str) -> "StoredFile | None":
        """A file whose bytes are still to be read, or None if the task has no file of this name."""
        if name in record.output_files:
            return self._kept(_OUTPUT, _output_key(record, name))
        if name in record.screenshots:
            return self._kept(_CAPTURED, name) or self._drawn(name)
        if name in record.recordings:
            return self._kept(_RECORDING, name)
        return None

    def forget(self, record: TaskRecord) -> None:
        """Delete all files of a task."""
        for name in record.screenshots:
            self._keeper.forget(_CAPTURED, name)
            self._keeper.forget(_DRAWING, name)
        for name in record.recordings:
            self._keeper.forget(_RECORDING, name)
        for name in record.output_files:
            self._keeper.forget(_OUTPUT, _output_key(record, name))

    def _kept(self, kind: str, key: str) -> "StoredFile | None":
        facts = self._keeper.file_facts(kind, key)
        if facts is None:
            return None
        return StoredFile(facts, lambda part: self._keeper.file_part(kind, key, part))

    def _drawn(self, name: str) -> "StoredFile | None":
        drawing = self._keeper.file(_DRAWING, name)
        if drawing is None:
            return None
        fields = json.loads(drawing)
        width, height = fields.pop("viewport")
        picture = Drawing(**fields, viewport=(width, height)).png()
        return StoredFile(FileFacts.of(picture), lambda part: picture[part.start : part.stop])


def _output_key(record: TaskRecord, name: str) -> str:
    # By place: the names are the executor's, and may hold what a database takes for no text.
    return f"{record.id}/{record.output_files.index(name)}"
