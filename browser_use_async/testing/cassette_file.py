"""Cassettes as files: JSON that a person can read and edit, with a version."""

import base64
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path
from typing import Any, TypeVar

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.testing.cassette import RecordedStatus, RecordedStep, RecordedTask
from browser_use_async.version import __version__

_VERSION_KEY = "browser_use_cassette"
_VERSION = 1
_ABSENT = {"task": "", "at": 0.0, "status": ""}  # fields that a file may leave out

_Placed = tuple[str, Mapping[str, Any]]  # an object of the file, after its place for errors
RecordedT = TypeVar("RecordedT", bound=RecordedStatus | RecordedStep | RecordedTask)

# --- write ----------------------------------------------------------------------------------


def write_tasks(path: Path, tasks: Sequence[RecordedTask]) -> None:
    """Write a file, whole or not at all."""
    document = {
        _VERSION_KEY: _VERSION,
        "recorded_with": f"browser-use-async {__version__}",
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tasks": [_task_as_json(each) for each in tasks],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the file, since a rename is atomic only within one file system.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _task_as_json(task: RecordedTask) -> dict[str, Any]:
    pictures = [_as_base64(each.screenshot) for each in task.steps]
    document = {
        "task": task.task,
        "pattern": task.pattern,
        "llm_model": task.llm_model,
        "max_agent_steps": task.max_agent_steps,
        "statuses": [_as_json(each) for each in task.statuses],
        "steps": [_as_json(each) for each in task.steps],
        "output": task.output,
        "cost_cents": str(task.cost_cents),
        "webhooks": [_as_json(each) for each in task.webhooks],
        # Long values come last.
        "files": {name: _content_as_json(content) for name, content in task.files.items()},
        "screenshots": pictures if any(pictures) else [],
        "recordings": {name: _as_base64(content) for name, content in task.recordings.items()},
    }
    # An answer of null is kept; empty lists are left out.
    return {name: value for name, value in document.items() if value or name == "output"}


def _as_json(recorded: RecordedStatus | RecordedStep) -> dict[str, Any]:
    fields = attrs.asdict(recorded, filter=attrs.filters.exclude("screenshot"))
    return {**fields, "at": round(recorded.at, 3)}


def _content_as_json(content: bytes) -> dict[str, str]:
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _as_base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


# --- read -----------------------------------------------------------------------------------


def read_tasks(path: Path) -> list[RecordedTask]:
    """Read a file; the `ConfigurationError` of an invalid cassette names the place."""
    try:
        document = read_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except JsonRefusedError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    if not isinstance(document, dict) or _VERSION_KEY not in document:
        raise ConfigurationError(f"{path}: it is no cassette; it has no {_VERSION_KEY!r}")
    # Refused as a whole: in a later version the same names may have other meanings.
    if document[_VERSION_KEY] != _VERSION:
        version = document[_VERSION_KEY]
        what = f"it is a cassette of version {version!r}, and this package reads {_VERSION}"
        raise ConfigurationError(f"{path}: {what}")
    return [_task(*each) for each in _objects(str(path), document, "tasks")]


def _object(place: str, value: Any) -> _Placed:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{place}: {value!r:.40} is no object")
    return place, value


def _objects(place: str, source: Mapping[str, Any], name: str) -> Iterator[_Placed]:
    values = source.get(name, [])
    checks.sequence(f"{place}.{name}", values, "objects")
    for number, each in enumerate(values):
        yield _object(f"{place}.{name}[{number}]", each)


def _recorded(
    kind: type[RecordedT], place: str, source: Mapping[str, Any], **parts: Any
) -> RecordedT:
    """A recorded object, which checks its fields itself."""
    given: dict[str, Any] = {**_ABSENT, **source, **parts}
    names = [each.name for each in attrs.fields(kind)]
    try:
        return kind(**{name: given[name] for name in names if name in given})
    except ConfigurationError as error:
        # The text begins with the name of the class.
        raise ConfigurationError(f"{place}.{str(error).partition('.')[2]}") from None


def _task(place: str, source: Mapping[str, Any]) -> RecordedTask:
    # Beside the steps and not in them, so that the steps are easy to edit.
    pictures = source.get("screenshots", [])
    checks.sequence(f"{place}.screenshots", pictures, "pictures")
    steps = [
        _recorded(RecordedStep, at, step, screenshot=_from_base64(picture, f"{at}.screenshot"))
        for (at, step), picture in zip(
            _objects(place, source, "steps"), chain(pictures, repeat(None)), strict=False
        )
    ]
    files_at, files = _object(f"{place}.files", source.get("files", {}))
    films_at, films = _object(f"{place}.recordings", source.get("recordings", {}))
    parts = {
        "statuses": _statuses(place, source, "statuses"),
        "steps": tuple(steps),
        "files": {
            name: _content(*_object(f"{files_at}[{name!r}]", each)) for name, each in files.items()
        },
        "recordings": {
            name: _from_base64(each, f"{films_at}[{name!r}]") for name, each in films.items()
        },
        "webhooks": _statuses(place, source, "webhooks"),
    }
    return _recorded(RecordedTask, place, source, **parts)


def _statuses(place: str, source: Mapping[str, Any], name: str) -> tuple[RecordedStatus, ...]:
    return tuple(_recorded(RecordedStatus, *each) for each in _objects(place, source, name))


def _content(place: str, source: Mapping[str, Any]) -> bytes | None:
    if "base64" in source:
        return _from_base64(source["base64"], place)
    text = source.get("text", "")
    checks.text(f"{place}.text", text)
    return str(text).encode()


def _from_base64(text: Any, place: str) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{place}: it is not base64") from None
