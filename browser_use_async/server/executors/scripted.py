"""An executor that plays scenarios, for tests that need a certain course of a task."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.server.executors.protocol import CannotContinueError, Control, Executor
from browser_use_async.server.executors.schema_instance import instance_of
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from browser_use_async.types import UNSET
from browser_use_async.types.base import Unset

_REASON = "The scenario says so"


@checks.names_its_fields
@attrs.frozen
class ScriptedStep:
    """One step of a scenario.

    Attributes:
        next_goal: The goal of the step.
        evaluation_previous_goal: The result of the previous step.
        url: The page on which it is taken.
        screenshot: A PNG instead of a white page.
        seconds: How long the step takes; None for the scenario's `step_seconds`.
        asks_for: What a person should do, such as `captcha` or `login`; the task is then paused.

    Raises:
        ConfigurationError: A field has an invalid value. The text begins with the field.
    """

    next_goal: str
    evaluation_previous_goal: str = ""
    url: str = "about:blank"
    screenshot: bytes | None = attrs.field(default=None, repr=False)
    seconds: float | None = None
    asks_for: str = ""

    def __attrs_post_init__(self) -> None:
        checks.check_fields(self, _STEP_RULES)


_STEP_RULES: Mapping[str, checks.Check] = {
    **dict.fromkeys(("next_goal", "evaluation_previous_goal", "url"), checks.text),
    "screenshot": checks.optional(checks.content),
    "seconds": checks.optional(checks.seconds),
    "asks_for": checks.text,
}


@checks.names_its_fields
@attrs.frozen
class Scenario:
    """The scenario of a task.

    Attributes:
        steps: The steps; a text is a step with that goal.
        step_seconds: How long a step takes.
        start_delay: Seconds before the first step.
        outcome: Whether the task finishes or fails.
        output: The answer of a finished task; any value that is no text is written as JSON. By
            default an instance of the task's schema, or "Done." for a task without a schema.
        reason: Why a task fails: a text, or the whole step whose `evaluation_previous_goal` it is.
        files: Output files by name.
        cookies: The browser's cookies at the end.
        hangs: Whether the task stays at its last step until it is stopped.
        queue_delay: Seconds in the status `created`, before the task starts.
        end_delay: Seconds between the last step and the end.
        recordings: Films of the browser, by the ending of their names: `mp4` or `webm`.
        recording_delay: Seconds from the start of the task to the first picture of the films, by
            which its page finds the steps in them; None if unknown.

    Raises:
        ConfigurationError: A field has an invalid value. The text begins with the field.
    """

    steps: Sequence[ScriptedStep | str] = ("Open the page", "Read what is on it")
    step_seconds: float = 0.05
    start_delay: float = 0.0
    outcome: Literal["finished", "failed"] = "finished"
    output: str | Mapping[str, Any] | Sequence[Any] | Unset | None = UNSET
    reason: str | ScriptedStep = _REASON
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)
    hangs: bool = False
    queue_delay: float = 0.0
    end_delay: float = 0.0
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    recording_delay: float | None = None

    def __attrs_post_init__(self) -> None:
        checks.check_fields(self, _SCENARIO_RULES)
        # A test of a failure would pass without one.
        if self.outcome == "finished" and self.reason not in {"", _REASON}:
            raise ConfigurationError(
                'Scenario.reason: a task that finishes has none; add outcome="failed"'
            )


def _steps(field: str, value: Sequence[object]) -> None:
    checks.sequence(field, value, "steps")
    for number, step in enumerate(value):
        _text_or_step(f"{field}[{number}]", step)


def _text_or_step(field: str, value: object) -> None:
    if not isinstance(value, str):
        checks.instance(field, value, ScriptedStep, ", nor a text")


def _outcome(field: str, value: object) -> None:
    checks.one_of(field, value, ("finished", "failed"))


def _output(field: str, value: object) -> None:
    try:
        json.dumps(None if isinstance(value, Unset) else value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{field}: it cannot be written as JSON: {error}") from None


def _recordings(field: str, value: Mapping[str, object]) -> None:
    checks.contents(field, value)
    for name in value:
        checks.one_of(field, name, ("mp4", "webm"))


def _cookies(field: str, value: Sequence[object]) -> None:
    checks.sequence(field, value, "cookies")
    for number, cookie in enumerate(value):
        checks.mapping(f"{field}[{number}]", cookie)


_DURATIONS = ("step_seconds", "start_delay", "queue_delay", "end_delay")
_SCENARIO_RULES: Mapping[str, checks.Check] = {
    "steps": _steps,
    **dict.fromkeys(_DURATIONS, checks.seconds),
    "outcome": _outcome,
    "output": _output,
    "reason": _text_or_step,
    "files": checks.contents,
    "cookies": _cookies,
    "hangs": checks.flag,
    "recordings": _recordings,
    "recording_delay": checks.optional(checks.number),
}


@checks.names_its_fields
class ScriptedExecutor(Executor):
    """Plays a scenario for each task.

    The scenario of a task is the one that its metadata names as `scenario`; else the one whose name
    is its text; else the one with the longest name that its text contains; else the default.

    A task that names a script is accepted, too: its scenario is played, and no script is recorded.
    So a program that uses `script=` can be tested without a browser.

    Args:
        scenarios: Scenarios by name, which may be a task's text or a part of one.
        default: The scenario of all other tasks.

    Raises:
        ConfigurationError: A value is no `Scenario`.
    """

    name = "scripted"
    reports_start = True  # a scenario may let its task wait
    ignores_scripts = True

    def __init__(
        self,
        scenarios: Mapping[str, Scenario] | None = None,
        default: Scenario = Scenario(),
    ) -> None:
        checks.optional(checks.mapping)("ScriptedExecutor.scenarios", scenarios)
        self._scenarios = dict(scenarios or {})
        for name, each in self._scenarios.items():
            _scenario(f"ScriptedExecutor.scenarios[{name!r}]", each)
        _scenario("ScriptedExecutor.default", default)
        self._default = default

    def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Play the scenario of one task.

        Args:
            assignment: The task with its files, secrets and limits.
            control: Waits while the task is paused.
        """
        return play(self._choose(assignment), assignment, control)

    async def aclose(self) -> None:
        """Nothing to release."""

    def _choose(self, assignment: Assignment) -> Scenario:
        named = assignment.metadata.get("scenario")
        for name in (named, assignment.task):
            if name in self._scenarios:
                return self._scenarios[name]
        contained = [name for name in self._scenarios if name in assignment.task]
        return self._scenarios[max(contained, key=len)] if contained else self._default


def _scenario(field: str, value: object) -> None:
    hint = f"; did you mean Scenario(output={value!r:.60})?" if isinstance(value, str) else ""
    checks.instance(field, value, Scenario, hint)


async def play(
    scenario: Scenario, assignment: Assignment, control: Control
) -> AsyncIterator[Step | Finished | Failed]:
    """Report the steps and the end of a scenario at their times."""
    if scenario.queue_delay > 0:  # else no turn of the loop, which would be visible
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
            return Failed(f"{what}: {reason}. Give the test a Scenario(output=…).")
    elif output is not None and not isinstance(output, str):
        output = json.dumps(output, ensure_ascii=False)
    return Finished(output, scenario.files, scenario.cookies, scenario.recordings)
