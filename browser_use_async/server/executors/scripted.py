"""An executor that plays scenarios: for tests that need tasks to go a certain way."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import attrs

from browser_use_async.server.executors.protocol import (
    Assignment,
    CannotContinueError,
    Control,
    Failed,
    Finished,
    Step,
)
from browser_use_async.server.executors.schema_instance import instance_of
from browser_use_async.types import UNSET
from browser_use_async.types.base import Unset


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
        asks_for: What a person is asked for, such as `captcha` or `login`; the task is paused then.
    """

    next_goal: str
    evaluation_previous_goal: str = ""
    url: str = "about:blank"
    text: str = ""
    screenshot: bytes | None = attrs.field(default=None, repr=False)
    seconds: float | None = None
    asks_for: str = ""


@attrs.frozen
class Scenario:
    """How a task goes.

    Attributes:
        steps: The steps; a text is a step with that goal.
        step_seconds: How long a step takes.
        start_delay: Seconds before the first step.
        outcome: Whether the task finishes or fails.
        output: The answer of a task that finishes; anything but a text is written as JSON. By
            default an instance of the task's schema, or "Done." for a task without one.
        reason: Why a task fails: a text, or the whole step whose `evaluation_previous_goal` it is.
        files: Output files by name.
        cookies: The browser's cookies at the end.
        hangs: Whether the task stays at its last step until it is stopped.
        queue_delay: Seconds in the status `created`, before the task starts.
        end_delay: Seconds between the last step and the end.
        recordings: Films of the browser, by the ending of their names: `mp4` or `webm`.
        recording_delay: Seconds from the start of the task to the first picture of the films, by
            which its page finds the steps in them; None if that is not known.
    """

    steps: Sequence[ScriptedStep | str] = ("Open the page", "Read what is on it")
    step_seconds: float = 0.05
    start_delay: float = 0.0
    outcome: Literal["finished", "failed"] = "finished"
    output: str | Mapping[str, Any] | Sequence[Any] | Unset | None = UNSET
    reason: str | ScriptedStep = "The scenario says so"
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)
    hangs: bool = False
    queue_delay: float = 0.0
    end_delay: float = 0.0
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    recording_delay: float | None = None


class ScriptedExecutor:
    """Plays a scenario for each task.

    The scenario of a task is the one that its metadata name under `scenario`; else the one of
    exactly its text; else the one with the longest name that its text contains; else the default.

    Args:
        scenarios: Scenarios by name, which may be a task's text or a part of one.
        default: The scenario of all other tasks.
    """

    name = "scripted"
    reports_start = True  # a scenario may let its task wait

    def __init__(
        self,
        scenarios: Mapping[str, Scenario] | None = None,
        default: Scenario = Scenario(),
    ) -> None:
        self._scenarios = dict(scenarios or {})
        self._default = default

    def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Play the scenario of one task.

        Args:
            assignment: What is to be done, and with which files, secrets and bounds.
            control: Where it waits while it is paused.
        """
        return play(self._choose(assignment), assignment, control)

    async def aclose(self) -> None:
        """There is nothing to release."""

    def _choose(self, assignment: Assignment) -> Scenario:
        named = assignment.metadata.get("scenario")
        for name in (named, assignment.task):
            if name in self._scenarios:
                return self._scenarios[name]
        contained = [name for name in self._scenarios if name in assignment.task]
        return self._scenarios[max(contained, key=len)] if contained else self._default


async def play(
    scenario: Scenario, assignment: Assignment, control: Control
) -> AsyncIterator[Step | Finished | Failed]:
    """Report what a scenario says, when it says it."""
    if scenario.queue_delay > 0:  # else not a turn of the loop, in which it would be seen
        await asyncio.sleep(scenario.queue_delay)
    control.started()
    started = datetime.now(UTC)
    await asyncio.sleep(scenario.start_delay)
    for each in scenario.steps:
        step = ScriptedStep(each) if isinstance(each, str) else each
        await control.checkpoint()
        control.doing(step.next_goal)
        await asyncio.sleep(scenario.step_seconds if step.seconds is None else step.seconds)
        yield Step(
            next_goal=step.next_goal,
            evaluation_previous_goal=step.evaluation_previous_goal,
            url=step.url,
            screenshot=step.screenshot,
            text=step.text,
            asks_for=step.asks_for,
        )
    if scenario.hangs:
        await asyncio.Event().wait()
    if scenario.end_delay > 0:
        await asyncio.sleep(scenario.end_delay)
    is_failed = scenario.outcome == "failed"
    end = _failure(scenario) if is_failed else _result(scenario, assignment)
    delay = scenario.recording_delay
    began = None if delay is None else started + timedelta(seconds=delay)
    yield attrs.evolve(end, recorded_from=began)


def _failure(scenario: Scenario) -> Failed:
    reason = scenario.reason
    if isinstance(reason, str):
        return Failed(reason, recordings=scenario.recordings)
    return Failed(
        reason.evaluation_previous_goal,
        reason.url,
        reason.screenshot,
        scenario.recordings,
        reason.next_goal,
    )


def _result(scenario: Scenario, assignment: Assignment) -> Finished | Failed:
    output = scenario.output
    if isinstance(output, Unset):
        schema = assignment.structured_output_json
        try:
            output = "Done." if schema is None else json.dumps(instance_of(schema))
        except CannotContinueError as error:
            what = "the scripted server knows no answer that follows the task's schema"
            reason = str(error)[:500].rstrip(".")
            return Failed(f"{what}: {reason}. Give its Scenario an output.")
    elif output is not None and not isinstance(output, str):
        output = json.dumps(output, ensure_ascii=False)
    return Finished(output, scenario.files, scenario.cookies, scenario.recordings)
