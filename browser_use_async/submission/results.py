"""From a task that has ended to what the caller gets: the task, a parsed task, or an error."""

from typing import Any

import attrs

from browser_use_async import types
from browser_use_async.errors import OutputValidationError, TaskFailedError, TaskStoppedError
from browser_use_async.types import Task, TaskStatus

__all__ = ["parsed", "successful"]


def successful(task: Task) -> Task:
    """The task, if it finished.

    Raises:
        TaskFailedError: It failed, or ended in a way that this version does not know.
        TaskStoppedError: Somebody stopped it.
    """
    if task.status is TaskStatus.FINISHED:
        return task
    steps = f"{len(task.steps)} step" + ("" if len(task.steps) == 1 else "s")
    if task.status is TaskStatus.STOPPED:
        raise TaskStoppedError(
            f"task {task.id} was stopped after {steps}; error.task holds what it did", task=task
        )
    reason = task.steps[-1].evaluation_previous_goal.strip() if task.steps else ""
    said = f": {reason}" if reason else "; the service gave no reason"
    raise TaskFailedError(f"task {task.id} {task.status} after {steps}{said}", task=task)


def parsed(task: Task, output_type: Any) -> "types.ParsedTask[Any]":
    """The task with its output parsed.

    Raises:
        OutputValidationError: The output does not fit; it is kept on the error.
    """
    # Loaded by those who ask for a type.
    from browser_use_async.structured_output.parse import (  # noqa: PLC0415
        OutputMismatchError,
        parse_output,
    )

    problem: str
    try:
        value = parse_output(task.output, output_type)
    except OutputMismatchError as error:
        problem = str(error)
    else:
        fields = {field.name: getattr(task, field.name) for field in attrs.fields(Task)}
        return types.ParsedTask(**fields, parsed=value)
    name = output_type.__name__ if isinstance(output_type, type) else repr(output_type)
    raise OutputValidationError(
        f"task {task.id} finished, but its output does not fit {name}: {problem}; "
        "error.raw_output holds what it answered",
        task=task,
        raw_output=task.output,
    )
