"""An executor that plays scenarios: for tests that need tasks to go a certain way."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

import attrs

from browser_use_async.server.executors.protocol import (
    Assignment,
    Control,
    Failed,
    Finished,
    Step,
)


@attrs.frozen
class ScriptedStep:
    """One step of a scenario.

    Attributes:
        next_goal: What the step sets out to do.
        evaluation_previous_goal: How the step before went.
        url: The page on which it is taken.
        text: Lines of the page, for the drawn screenshot.
        screenshot: A PNG instead of the drawn one.
        seconds: How long the step takes; None for the scenario's `step_seconds`.
    """

    next_goal: str
    evaluation_previous_goal: str = ""
    url: str = "about:blank"
    text: str = ""
    screenshot: bytes | None = attrs.field(default=None, repr=False)
    seconds: float | None = None


@attrs.frozen
class Scenario:
    """How a task goes.

    Attributes:
        steps: The steps; a text is a step with that goal.
        step_seconds: How long a step takes.
        start_delay: Seconds before the first step.
        outcome: Whether the task finishes or fails.
        output: The answer of a task that finishes; anything but a text is written as JSON.
        reason: Why a task fails.
        files: Output files by name.
        cookies: The browser's cookies at the end.
        hangs: Whether the task stays at its last step until it is stopped.
    """

    steps: Sequence[ScriptedStep | str] = ("Open the page", "Read what is on it")
    step_seconds: float = 0.05
    start_delay: float = 0.0
    outcome: Literal["finished", "failed"] = "finished"
    output: str | Mapping[str, Any] | Sequence[Any] | None = "Done."
    reason: str = "The scenario says so"
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)
    hangs: bool = False


class ScriptedExecutor:
    """Plays a scenario for each task.

    The scenario of a task is the one that its metadata name under `scenario`; else the one of
    exactly its text; else the one with the longest name that its text contains; else the default.

    Args:
        scenarios: Scenarios by name, which may be a task's text or a part of one.
        default: The scenario of all other tasks.
    """

    name = "scripted"

    def __init__(
        self,
        scenarios: Mapping[str, Scenario] | None = None,
        default: Scenario = Scenario(),
    ) -> None:
        self._scenarios = dict(scenarios or {})
        self._default = default

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Play the scenario of one task.

        Args:
            assignment: The task.
            control: Where it waits while it is paused.
        """
        scenario = self._choose(assignment)
        await asyncio.sleep(scenario.start_delay)
        for each in scenario.steps:
            step = ScriptedStep(each) if isinstance(each, str) else each
            await control.checkpoint()
            seconds = scenario.step_seconds if step.seconds is None else step.seconds
            await asyncio.sleep(seconds)
            yield Step(
                next_goal=step.next_goal,
                evaluation_previous_goal=step.evaluation_previous_goal,
                url=step.url,
                screenshot=step.screenshot,
                text=step.text,
            )
        if scenario.hangs:
            await asyncio.Event().wait()
        if scenario.outcome == "failed":
            yield Failed(scenario.reason)
        else:
            yield Finished(_text(scenario.output), scenario.files, scenario.cookies)

    async def aclose(self) -> None:
        """There is nothing to release."""

    def _choose(self, assignment: Assignment) -> Scenario:
        named = assignment.metadata.get("scenario")
        for name in (named, assignment.task):
            if name in self._scenarios:
                return self._scenarios[name]
        contained = [name for name in self._scenarios if name in assignment.task]
        return self._scenarios[max(contained, key=len)] if contained else self._default


def _text(output: str | Mapping[str, Any] | Sequence[Any] | None) -> str | None:
    if output is None or isinstance(output, str):
        return output
    return json.dumps(output, ensure_ascii=False)
