"""Every task of one server. Whatever changes a task goes through here."""

import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime

import attrs

from browser_use_async.server.executors.protocol import Assignment, Failed, Finished, Step
from browser_use_async.server.pictures import Drawing
from browser_use_async.server.storage.changes import ChangeLog, Changes
from browser_use_async.server.storage.keeper import Keeper, MemoryKeeper
from browser_use_async.server.storage.records import TaskRecord
from browser_use_async.server.storage.task_files import (
    StoredFile,
    TaskFiles,
    recording_name,
    screenshot_name,
)
from browser_use_async.server.storage.task_history import TaskHistory
from browser_use_async.server.task_states import TaskEvent, next_status
from browser_use_async.types import UNSET, TaskSettings, TaskStatus, TaskStep

_TOKEN_BYTES = 24
_RESTARTED = "The server was restarted while the task was at work"


def _ignore(record: TaskRecord, event: TaskEvent | None) -> None:
    pass


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
    """Tasks in memory, in the order of their creation; their files are where the keeper is.

    Tasks of before a restart that had not ended then have failed.

    Attributes:
        changes: Whom each step and each change of a status wakes.
        interrupted: Tasks that failed because the server was started again.
        change_log: The latest changes of status, new tasks included.
    """

    def __init__(self, now: Callable[[], datetime], keeper: Keeper | None = None) -> None:
        keeper = keeper or MemoryKeeper()
        self._now = now
        self.changes = Changes()
        self.change_log = ChangeLog()
        self._history = TaskHistory(keeper)
        self._files = TaskFiles(keeper)
        self._tasks: list[TaskRecord] = []
        self._unlisted: set[str] = set()
        self._observe: Callable[[TaskRecord, TaskEvent | None], None] = _ignore
        self._by_id: dict[str, TaskRecord] = {}
        self._by_live_token: dict[str, TaskRecord] = {}
        self._by_share_token: dict[str, TaskRecord] = {}
        self.interrupted: list[TaskRecord] = []
        for record in self._history.load():
            self._add(record)
            if not record.status.is_terminal:
                self.fail(record, Failed(_RESTARTED))
                self.interrupted.append(record)

    # --- looking things up ----------------------------------------------------------------

    @property
    def tasks(self) -> tuple[TaskRecord, ...]:
        """All tasks, oldest first."""
        return tuple(self._tasks)

    @property
    def task_count(self) -> int:
        """How many tasks there are."""
        return len(self._tasks)

    @property
    def listed_count(self) -> int:
        """How many tasks lists tell about."""
        return len(self._tasks) - len(self._unlisted)

    def task(self, task_id: str) -> TaskRecord | None:
        """The task with this id, or None."""
        return self._by_id.get(task_id)

    def task_of_live_token(self, token: str) -> TaskRecord | None:
        """The task whose live page has this token, or None."""
        return self._by_live_token.get(token)

    def task_of_share_token(self, token: str) -> TaskRecord | None:
        """The task whose public page has this token, or None."""
        return self._by_share_token.get(token)

    def task_page(self, page: int, limit: int) -> list[TaskRecord]:
        """One page of the listed tasks, newest first; empty past the end."""
        listed = self._tasks
        if self._unlisted:
            listed = [record for record in listed if record.id not in self._unlisted]
        end = len(listed) - (page - 1) * limit
        return listed[max(0, end - limit) : max(0, end)][::-1]

    def file(self, task_id: str, name: str) -> bytes | None:
        """The content of an output file, a screenshot or a recording; None if there is none."""
        record = self._by_id.get(task_id)
        return self._files.read(record, name) if record is not None else None

    def find_file(self, task_id: str, name: str) -> StoredFile | None:
        """The same file, of which nothing has been read yet."""
        record = self._by_id.get(task_id)
        return self._files.find(record, name) if record is not None else None

    def tell(self, observe: Callable[[TaskRecord, TaskEvent | None], None]) -> None:
        """Have somebody told, from now on, of each task's creation and changes of status."""
        self._observe = observe

    # --- changing things ------------------------------------------------------------------

    def create_task(self, request: TaskSettings, assignment: Assignment) -> TaskRecord:
        """Remember a new task."""
        shared = request.enable_public_share is True
        names = request.included_file_names
        record = TaskRecord(
            id=assignment.task_id,
            task=assignment.task,
            created_at=self._now(),
            metadata=dict(assignment.metadata),
            viewport=assignment.viewport,
            llm_model=str(assignment.llm_model),
            max_agent_steps=assignment.max_agent_steps,
            takes_screenshots=assignment.takes_screenshots,
            save_browser_data=request.save_browser_data is True,
            included_file_names=list(names) if names and names is not UNSET else None,
            live_token=secrets.token_urlsafe(_TOKEN_BYTES),
            share_token=secrets.token_urlsafe(_TOKEN_BYTES) if shared else None,
            request=attrs.evolve(request, secrets=UNSET),
        )
        self._add(record)
        self._conclude(record, None)
        return record

    def change(self, record: TaskRecord, event: TaskEvent) -> None:
        """Let something happen to a task.

        Raises:
            TransitionRefusedError: It cannot happen to a task in this status.
        """
        self._advance(record, event)
        self._conclude(record, event)

    def _advance(self, record: TaskRecord, event: TaskEvent) -> None:
        status = next_status(record.status, event)
        if status is None:
            raise TransitionRefusedError(record.status, event)
        record.status = status
        record.started = record.started or status is TaskStatus.RUNNING
        if status.is_terminal:
            record.finished_at = self._now()

    def _conclude(self, record: TaskRecord, event: TaskEvent | None) -> None:
        self._history.keep(record)
        self._observe(record, event)
        self.change_log.record(record.id, record.status)
        self.changes.note(record.id)

    def add_step(self, record: TaskRecord, step: Step) -> None:
        """Remember a step and its picture."""
        number = len(record.steps) + 1
        taken = TaskStep(
            id=str(uuid.uuid4()),
            step=number,
            evaluation_previous_goal=step.evaluation_previous_goal,
            next_goal=step.next_goal,
            url=step.url,
        )
        # The picture first: a server that dies in between has no step without one.
        if record.takes_screenshots:
            headline = step.next_goal or step.evaluation_previous_goal
            drawing = Drawing(number, headline, step.url, step.text, record.viewport)
            self._files.keep_screenshot(record, number, step.screenshot or drawing)
            record.screenshots.append(screenshot_name(record.id, number))
        self._history.keep_step(record, taken)
        record.steps.append(taken)
        self.changes.note(record.id)

    def finish(self, record: TaskRecord, result: Finished) -> None:
        """End a task that succeeded."""
        self._advance(record, TaskEvent.FINISH)
        record.output = result.output
        record.cookies = list(result.cookies)
        record.output_files = list(result.files)
        # The files first: a server that dies in between has no finished task without them.
        self._files.keep_output(record, result.files)
        self._keep_recordings(record, result.recordings)
        self._conclude(record, TaskEvent.FINISH)

    def fail(self, record: TaskRecord, failure: Failed) -> None:
        """End a task that could not be done. The reason becomes its last step."""
        self._advance(record, TaskEvent.FAIL)
        record.output_files = list(failure.files)
        self._files.keep_output(record, failure.files)
        self._keep_recordings(record, failure.recordings)
        last_url = record.steps[-1].url if record.steps else ""
        step = Step(
            next_goal=failure.next_goal,
            evaluation_previous_goal=failure.reason,
            url=failure.url or last_url,
            screenshot=failure.screenshot,
        )
        self.add_step(record, step)
        self._conclude(record, TaskEvent.FAIL)

    def unlist(self, task_id: str) -> None:
        """Keep a task out of lists; everything else goes on as if it were in them."""
        self._unlisted.add(task_id)

    def list_again(self, task_id: str) -> None:
        """Let a task appear in lists, in its place."""
        self._unlisted.discard(task_id)

    def revoke_links(self, task_id: str) -> bool:
        """Give the pages of a task new addresses; returns whether there is such a task."""
        record = self._by_id.get(task_id)
        if record is None:
            return False
        del self._by_live_token[record.live_token]
        record.live_token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._by_live_token[record.live_token] = record
        if record.share_token is not None:
            del self._by_share_token[record.share_token]
            record.share_token = secrets.token_urlsafe(_TOKEN_BYTES)
            self._by_share_token[record.share_token] = record
        self._history.keep(record)
        self.changes.note(record.id)  # open pages see that their address is no more
        return True

    def expire(self, before: datetime) -> None:
        """Delete the pictures and files of tasks that ended before a moment."""
        for record in self._tasks:
            ended = record.finished_at
            if ended is not None and ended < before and not record.files_expired:
                self._files.forget(record)
                record.screenshots, record.recordings, record.output_files = [], [], []
                record.files_expired = True
                self._history.keep(record)

    def _keep_recordings(self, record: TaskRecord, films: Mapping[str, bytes]) -> None:
        self._files.keep_recordings(record, films)
        record.recordings = [recording_name(record.id, ending) for ending in films]

    def _add(self, record: TaskRecord) -> None:
        self._tasks.append(record)
        self._by_id[record.id] = record
        self._by_live_token[record.live_token] = record
        if record.share_token is not None:
            self._by_share_token[record.share_token] = record
