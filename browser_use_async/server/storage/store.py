"""Every task of one server. Whatever changes a task goes through here."""

import secrets
import uuid
from collections.abc import Callable
from datetime import datetime

from browser_use_async.contract.states import TaskEvent, next_status
from browser_use_async.models import UNSET, TaskSettings, TaskStatus, TaskStep
from browser_use_async.server.executors.protocol import Assignment, Failed, Finished, Step
from browser_use_async.server.pictures import Drawing
from browser_use_async.server.storage.records import Screenshot, TaskRecord

__all__ = ["Store", "TransitionRefusedError"]

_TOKEN_BYTES = 24


class TransitionRefusedError(Exception):
    """The task is in a status in which this cannot happen to it.

    Attributes:
        status: Where the task stands.
        event: What was to happen.
    """

    def __init__(self, status: TaskStatus, event: TaskEvent) -> None:
        super().__init__(f"a task that is {status} cannot {event}")
        self.status = status
        self.event = event


class Store:
    """Tasks in memory, in the order of their creation.

    Args:
        now: The wall clock.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._tasks: list[TaskRecord] = []
        self._by_id: dict[str, TaskRecord] = {}
        self._by_live_token: dict[str, TaskRecord] = {}
        self._by_share_token: dict[str, TaskRecord] = {}

    # --- looking things up ----------------------------------------------------------------

    @property
    def tasks(self) -> tuple[TaskRecord, ...]:
        """All tasks, oldest first."""
        return tuple(self._tasks)

    @property
    def task_count(self) -> int:
        """How many tasks there are."""
        return len(self._tasks)

    def task(self, task_id: str) -> TaskRecord | None:
        """The task with this id, or None.

        Args:
            task_id: The id.
        """
        return self._by_id.get(task_id)

    def task_of_live_token(self, token: str) -> TaskRecord | None:
        """The task whose live page has this token, or None.

        Args:
            token: The last part of a `live_url`.
        """
        return self._by_live_token.get(token)

    def task_of_share_token(self, token: str) -> TaskRecord | None:
        """The task whose public page has this token, or None.

        Args:
            token: The last part of a `public_share_url`.
        """
        return self._by_share_token.get(token)

    def task_page(self, page: int, limit: int) -> list[TaskRecord]:
        """One page of the tasks, newest first; empty past the end.

        Args:
            page: Which page, counted from 1.
            limit: Rows on a page.
        """
        end = len(self._tasks) - (page - 1) * limit
        return self._tasks[max(0, end - limit) : max(0, end)][::-1]

    # --- changing things ------------------------------------------------------------------

    def create_task(self, request: TaskSettings, assignment: Assignment) -> TaskRecord:
        """Remember a new task.

        Args:
            request: What was asked for.
            assignment: The same with every setting resolved.
        """
        shared = request.enable_public_share is True
        names = request.included_file_names
        record = TaskRecord(
            id=assignment.task_id,
            task=assignment.task,
            created_at=self._now(),
            metadata=dict(assignment.metadata),
            viewport=assignment.viewport,
            save_browser_data=request.save_browser_data is True,
            included_file_names=list(names) if names and names is not UNSET else None,
            live_token=secrets.token_urlsafe(_TOKEN_BYTES),
            share_token=secrets.token_urlsafe(_TOKEN_BYTES) if shared else None,
        )
        self._tasks.append(record)
        self._by_id[record.id] = record
        self._by_live_token[record.live_token] = record
        if record.share_token is not None:
            self._by_share_token[record.share_token] = record
        return record

    def change(self, record: TaskRecord, event: TaskEvent) -> None:
        """Let something happen to a task.

        Args:
            record: The task.
            event: What happens.

        Raises:
            TransitionRefusedError: It cannot happen to a task in this status.
        """
        status = next_status(record.status, event)
        if status is None:
            raise TransitionRefusedError(record.status, event)
        record.status = status
        record.started = record.started or status is TaskStatus.RUNNING
        if status.is_terminal:
            record.finished_at = self._now()

    def add_step(self, record: TaskRecord, step: Step) -> None:
        """Remember a step and its picture.

        Args:
            record: The task.
            step: The step that was just taken.
        """
        number = len(record.steps) + 1
        record.steps.append(
            TaskStep(
                id=str(uuid.uuid4()),
                step=number,
                evaluation_previous_goal=step.evaluation_previous_goal,
                next_goal=step.next_goal,
                url=step.url,
            )
        )
        headline = step.next_goal or step.evaluation_previous_goal
        record.screenshots.append(
            Screenshot(
                f"{record.id}-step-{number}.png",
                step.screenshot or Drawing(number, headline, step.url, step.text, record.viewport),
            )
        )

    def finish(self, record: TaskRecord, result: Finished) -> None:
        """End a task that succeeded.

        Args:
            record: The task.
            result: What came of it.
        """
        self.change(record, TaskEvent.FINISH)
        record.output = result.output
        record.output_files = dict(result.files)
        record.cookies = list(result.cookies)

    def fail(self, record: TaskRecord, failure: Failed) -> None:
        """End a task that could not be done. The reason becomes its last step.

        Args:
            record: The task.
            failure: Why.
        """
        self.change(record, TaskEvent.FAIL)
        last_url = record.steps[-1].url if record.steps else ""
        step = Step(
            next_goal="",
            evaluation_previous_goal=failure.reason,
            url=failure.url or last_url,
            screenshot=failure.screenshot,
        )
        self.add_step(record, step)
