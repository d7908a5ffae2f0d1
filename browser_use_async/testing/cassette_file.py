"""Cassettes as files: JSON that a person can read and edit, with a version."""

import base64
import binascii
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import ConfigurationError
from browser_use_async.testing.cassette import RecordedStatus, RecordedStep, RecordedTask
from browser_use_async.version import __version__

_VERSION_KEY = "browser_use_cassette"
_VERSION = 1

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
    root = _Object(document, str(path))
    return [_task_from_json(each) for each in root.objects("tasks")]


class _Object:
    """An object of the file, whose fields are checked as they are read."""

    def __init__(self, value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise ConfigurationError(f"{place}: {value!r:.40} is no object")
        self.value: Mapping[str, Any] = value
        self.place = place

    def field(self, name: str, kind: type | tuple[type, ...], default: Any) -> Any:
        value = self.value.get(name, default)
        if value is not default and not isinstance(value, kind):
            raise ConfigurationError(f"{self.place}.{name}: {value!r:.40} is not what it should be")
        return value

    def text(self, name: str) -> str:
        value: str = self.field(name, str, "")
        return value

    def objects(self, name: str) -> list["_Object"]:
        values = self.field(name, list, [])
        return [_Object(each, f"{self.place}.{name}[{at}]") for at, each in enumerate(values)]

    def seconds(self) -> float:
        value = self.field("at", (int, float), 0.0)
        if isinstance(value, bool) or value < 0:
            raise ConfigurationError(f"{self.place}.at: {value!r} is no number of seconds")
        return float(value)


def _task_from_json(source: _Object) -> RecordedTask:
    pattern = source.field("pattern", str, None)
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise ConfigurationError(f"{source.place}.pattern: {error}") from None
    # Beside the steps and not in them, so that the steps are easy to edit.
    pictures = source.field("screenshots", list, [])
    steps = source.objects("steps")
    return RecordedTask(
        task=source.text("task"),
        pattern=pattern,
        llm_model=source.text("llm_model") or "gpt-4.1",
        max_agent_steps=source.field("max_agent_steps", int, None),
        statuses=tuple(_status_from_json(each) for each in source.objects("statuses")),
        steps=tuple(
            _step_from_json(each, pictures[at] if at < len(pictures) else None)
            for at, each in enumerate(steps)
        ),
        output=source.field("output", str, None),
        files={
            name: _content_from_json(_Object(content, f"{source.place}.files[{name!r}]"))
            for name, content in source.field("files", dict, {}).items()
        },
        recordings={
            name: _from_base64(content, f"{source.place}.recordings[{name!r}]")
            for name, content in source.field("recordings", dict, {}).items()
        },
        webhooks=tuple(_status_from_json(each) for each in source.objects("webhooks")),
    )


def _status_from_json(source: _Object) -> RecordedStatus:
    at, status = source.seconds(), source.text("status")
    try:
        return RecordedStatus(at, status)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source.place}: {error}") from None


def _step_from_json(source: _Object, picture: Any) -> RecordedStep:
    return RecordedStep(
        source.seconds(),
        source.text("next_goal"),
        source.text("evaluation_previous_goal"),
        source.text("url"),
        None if picture is None else _from_base64(picture, f"{source.place}: its screenshot"),
    )


def _content_from_json(source: _Object) -> bytes:
    if "base64" in source.value:
        return _from_base64(source.value["base64"], source.place)
    return source.text("text").encode()


def _from_base64(text: Any, place: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise ConfigurationError(f"{place}: it is not base64") from None
