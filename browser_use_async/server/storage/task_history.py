"""Tasks as documents: what a restart finds of them."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs

from browser_use_async.api.scalars import format_timestamp, parse_timestamp
from browser_use_async.server.storage.keeper import Keeper
from browser_use_async.server.storage.records import TaskRecord
from browser_use_async.server.storage.task_files import screenshot_name
from browser_use_async.types import TaskStatus, TaskStep

_TASK, _STEP = "task", "step"
_ELSEWHERE = frozenset({"id", "steps", "screenshots", "cookies", "request"})
_PLAIN = tuple(each.name for each in attrs.fields(TaskRecord) if each.name not in _ELSEWHERE)
_STEP_FIELDS = ("id", "step", "evaluation_previous_goal", "next_goal", "url")


class TaskHistory:
    """Keeps tasks and their steps, each step once, so that a step costs the same in long tasks."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def keep(self, record: TaskRecord) -> None:
        """Keep where a task stands; its cookies are kept sealed or not at all."""
        if record.cookies and record.save_browser_data:
            self._keeper.keep_secret(_TASK, record.id, {"cookies": list(record.cookies)})
        document = {name: _plain(getattr(record, name)) for name in _PLAIN}
        self._keeper.keep(_TASK, record.id, document)

    def keep_step(self, record: TaskRecord, step: TaskStep) -> None:
        """Keep a step."""
        document = {name: getattr(step, name) for name in _STEP_FIELDS}
        self._keeper.keep(_STEP, f"{record.id}/{step.step}", document)

    def load(self) -> Iterator[TaskRecord]:
        """All tasks that were kept before the server started, oldest first."""
        steps: dict[str, list[TaskStep]] = defaultdict(list)
        for key, document in self._keeper.documents(_STEP):
            steps[key.partition("/")[0]].append(TaskStep(**document))
        cookies = {key: secret["cookies"] for key, secret in self._keeper.secrets(_TASK)}
        # All at once, because tasks that fail by being loaded are kept again meanwhile.
        for key, document in list(self._keeper.documents(_TASK)):
            yield _restored(key, document, steps[key], cookies.get(key, []))


def _plain(value: Any) -> Any:
    return format_timestamp(value) if isinstance(value, datetime) else value


def _restored(
    key: str, document: dict[str, Any], steps: list[TaskStep], cookies: list[dict[str, Any]]
) -> TaskRecord:
    width, height = document["viewport"]
    ended = document["finished_at"]
    pictured = document.get("takes_screenshots", True) and not document["files_expired"]
    document |= {
        "created_at": parse_timestamp(document["created_at"]),
        "finished_at": ended and parse_timestamp(ended),
        "viewport": (width, height),
        "status": TaskStatus(document["status"]),
        "screenshots": [screenshot_name(key, each.step) for each in steps if pictured],
    }
    return TaskRecord(id=key, steps=steps, cookies=cookies, **document)
