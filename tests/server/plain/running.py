"""Running an executor without a server around it."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.records import Assignment, Failed, Finished, Step

__all__ = ["FREE", "Run", "properties", "run", "table_of"]


class _Free:
    def started(self) -> None:
        """Accept the start of the task."""

    def doing(self, goal: str) -> None:
        """The tests ignore the current action."""

    async def checkpoint(self) -> None:
        """Let the task run."""


FREE: Control = _Free()


@attrs.frozen
class Run:
    """The result of a task.

    Attributes:
        steps: Its steps.
        end: Its last item.
    """

    steps: list[Step]
    end: Finished | Failed

    @property
    def output(self) -> str:
        """The answer in words."""
        assert isinstance(self.end, Finished), self.end
        assert self.end.output is not None
        return self.end.output

    @property
    def value(self) -> Any:
        """The answer as JSON."""
        return json.loads(self.output)

    @property
    def reason(self) -> str:
        """Why the task failed."""
        assert isinstance(self.end, Failed), self.end
        return self.end.reason

    @property
    def files(self) -> Mapping[str, bytes]:
        """The output files."""
        assert isinstance(self.end, Finished), self.end
        return self.end.files


async def run(
    executor: Executor,
    task: str,
    *,
    schema: Any = None,
    control: Control = FREE,
    task_id: str = "id",
    **settings: Any,
) -> Run:
    """Run a task to its end.

    Args:
        executor: The executor.
        task: The task.
        schema: The JSON schema of the answer.
        control: What may pause the task.
        task_id: The id of the task.
        settings: More fields of the assignment.
    """
    text = None if schema is None else json.dumps(schema)
    assignment = Assignment(task_id, task, structured_output_json=text, **settings)
    items = [item async for item in executor.run(assignment, control)]
    *steps, end = items
    assert isinstance(end, Finished | Failed)
    assert all(isinstance(step, Step) for step in steps)
    return Run([step for step in steps if isinstance(step, Step)], end)


def properties(**parts: Any) -> dict[str, Any]:
    """The schema of an object in which all is required.

    Args:
        parts: The schemas of its properties.
    """
    return {"type": "object", "properties": parts, "required": list(parts)}


def table_of(**parts: Any) -> dict[str, Any]:
    """The schema of a list of such objects.

    Args:
        parts: The schemas of their properties.
    """
    return {"type": "array", "items": properties(**parts)}
