"""The life of a task as a table. Every transition that exists stands here."""

from enum import StrEnum

from browser_use_async.types import TaskStatus


class TaskEvent(StrEnum):
    """What can happen to a task."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    FINISH = "finish"
    FAIL = "fail"


_CREATED, _RUNNING, _PAUSED = TaskStatus.CREATED, TaskStatus.RUNNING, TaskStatus.PAUSED

TRANSITIONS: dict[tuple[TaskStatus, TaskEvent], TaskStatus] = {
    (_CREATED, TaskEvent.START): _RUNNING,
    (_CREATED, TaskEvent.STOP): TaskStatus.STOPPED,
    (_CREATED, TaskEvent.FAIL): TaskStatus.FAILED,
    (_RUNNING, TaskEvent.PAUSE): _PAUSED,
    (_RUNNING, TaskEvent.STOP): TaskStatus.STOPPED,
    (_RUNNING, TaskEvent.FINISH): TaskStatus.FINISHED,
    (_RUNNING, TaskEvent.FAIL): TaskStatus.FAILED,
    (_PAUSED, TaskEvent.RESUME): _RUNNING,
    (_PAUSED, TaskEvent.STOP): TaskStatus.STOPPED,
    (_PAUSED, TaskEvent.FAIL): TaskStatus.FAILED,
}
