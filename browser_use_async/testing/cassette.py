"""Cassettes: recorded tasks, and the executor that replays them in the server."""

import difflib
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.prices import task_cents
from browser_use_async.server import checks
from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.executors.scripted import Scenario, ScriptedStep, play
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from browser_use_async.server.storage.webhooks import EVENTS
from browser_use_async.types import TaskStatus

if TYPE_CHECKING:
    from browser_use_async.session import BrowserUseSession
    from browser_use_async.testing.cassette_recorder import CassetteRecorder
    from browser_use_async.webhooks import EventSource

Match = Literal["exact", "any"]

# The statuses of tasks, and of webhook events.
_STATUSES = list(dict.fromkeys([*map(str, TaskStatus), *sorted(EVENTS)]))

# How many tasks of a cassette a message names.
_LISTED = 5


@checks.names_its_fields
@attrs.frozen
class RecordedStatus:
    """A status, and when it was first seen.

    Attributes:
        at: Seconds after the task was created.
        status: The status; of a webhook, in the terms of webhooks.
    """

    at: float
    status: str

    def __attrs_post_init__(self) -> None:
        checks.check_fields(self, {"at": checks.seconds, "status": _status})


def _status(field: str, value: object) -> None:
    checks.text(field, value)
    # An unknown status is replayed, too; one that is nearly a known one is misspelt.
    meant = checks.closest(value, _STATUSES)
    if value not in _STATUSES and (meant is not None or not value):
        checks.one_of(field, value, _STATUSES)


@checks.names_its_fields
@attrs.frozen
class RecordedStep:
    """A step, and when it was first seen.

    Attributes:
        at: Seconds after the task was created.
        next_goal: What the step set out to do.
        evaluation_previous_goal: How the step before went.
        url: The page on which it was taken.
        screenshot: A PNG, if pictures were recorded.
    """

    at: float
    next_goal: str = ""
    evaluation_previous_goal: str = ""
    url: str = ""
    screenshot: bytes | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        checks.check_fields(self, _STEP_RULES)


_STEP_RULES: Mapping[str, checks.Check] = {
    "at": checks.seconds,
    **dict.fromkeys(("next_goal", "evaluation_previous_goal", "url"), checks.text),
    "screenshot": checks.optional(checks.content),
}


def _pattern(field: str, value: Any) -> None:
    checks.text(field, value)
    try:
        re.compile(value)
    except re.error as error:
        raise ConfigurationError(f"{field}: {error}") from None


def _list_of(kind: type) -> checks.Check:
    def check(field: str, value: Sequence[object]) -> None:
        checks.sequence(field, value, kind.__name__)
        for number, each in enumerate(value):
            checks.instance(f"{field}[{number}]", each, kind)

    return check


@checks.names_its_fields
@attrs.frozen
class RecordedTask:
    """One recorded task.

    Attributes:
        task: Its instructions, by which the recording is found.
        pattern: A regular expression for more instructions that use this recording; it may be
            written into the file by hand.
        llm_model: The language model, which decides the price.
        max_agent_steps: How many steps it could take; None if that is unknown.
        statuses: Its statuses, in order. A task without an end, or with a stop, is replayed to
            its last status, and then goes on until it is stopped.
        steps: Its steps, in order.
        output: Its answer.
        files: Its output files by name.
        recordings: Its films by the ending of their names.
        webhooks: The events during the recording, if a receiver was given.
    """

    task: str
    pattern: str | None = None
    llm_model: str = "gpt-4.1"
    max_agent_steps: int | None = None
    statuses: tuple[RecordedStatus, ...] = ()
    steps: tuple[RecordedStep, ...] = ()
    output: str | None = None
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    webhooks: tuple[RecordedStatus, ...] = ()

    def __attrs_post_init__(self) -> None:
        checks.check_fields(self, _TASK_RULES)

    @property
    def status(self) -> TaskStatus:
        """The last status."""
        return TaskStatus(self.statuses[-1].status if self.statuses else TaskStatus.CREATED)

    @property
    def seconds(self) -> float:
        """The seconds from its creation to its last status."""
        return self.statuses[-1].at if self.statuses else 0.0

    @property
    def cost_cents(self) -> Decimal:
        """Its cost by the published prices, in US cents."""
        return task_cents(len(self.steps), self.llm_model, self.max_agent_steps)

    def scenario(self, speed: float = 1.0) -> Scenario:
        """Return the recording as a scenario of a `ScriptedExecutor`.

        Args:
            speed: The factor by which it is faster than the recording; `math.inf` for no time.
        """
        _check_speed(speed)
        failed = self.status is TaskStatus.FAILED
        # The last step of a failed task is no action: it says why the task failed.
        played = self.steps[:-1] if failed else self.steps
        # Without the pauses: the client made them, and makes them again.
        moments = [self._active(self._started), *(self._active(each.at) for each in played)]
        pauses = [max(0.0, later - earlier) for earlier, later in pairwise(moments)]
        return Scenario(
            steps=[
                attrs.evolve(_scripted(step), seconds=pause / speed)
                for step, pause in zip(played, pauses, strict=True)
            ],
            queue_delay=self._started / speed,
            end_delay=max(0.0, self._active(self.seconds) - moments[-1]) / speed,
            outcome="failed" if failed else "finished",
            output=self.output,
            reason=_scripted(self.steps[-1]) if failed and self.steps else "",
            files=self.files,
            recordings=self.recordings,
            hangs=self.status not in {TaskStatus.FINISHED, TaskStatus.FAILED},
        )

    @property
    def _started(self) -> float:
        later = [each.at for each in self.statuses if each.status != TaskStatus.CREATED]
        return later[0] if later else self.seconds

    def _active(self, moment: float) -> float:
        """The seconds up to a moment in which the task was not paused."""
        ends = [*(each.at for each in self.statuses[1:]), float("inf")]
        paused = sum(
            max(0.0, min(end, moment) - each.at)
            for each, end in zip(self.statuses, ends, strict=False)
            if each.status == TaskStatus.PAUSED
        )
        return moment - paused


_TASK_RULES: Mapping[str, checks.Check] = {
    "task": checks.text,
    "pattern": checks.optional(_pattern),
    "llm_model": checks.text,
    "max_agent_steps": checks.optional(checks.count),
    "statuses": _list_of(RecordedStatus),
    "steps": _list_of(RecordedStep),
    "output": checks.optional(checks.text),
    "files": checks.contents,
    "recordings": checks.contents,
    "webhooks": _list_of(RecordedStatus),
}


def _scripted(step: RecordedStep) -> ScriptedStep:
    return ScriptedStep(
        step.next_goal, step.evaluation_previous_goal, step.url, screenshot=step.screenshot
    )


def _check_speed(speed: object) -> None:
    is_factor = isinstance(speed, int | float) and not isinstance(speed, bool) and speed > 0
    if not is_factor:
        raise ConfigurationError(f"speed must be a factor above 0, not {speed!r}")


@checks.names_its_fields
@attrs.define
class Cassette:
    """Recorded tasks: statuses with their times, steps, files, recordings, cost.

    Record a cassette with any server, save it as one JSON file without keys and secrets, and replay
    it in the bundled server, in real, scaled or virtual time, also with faults:

        async with Cassette.record(session, "cassettes/prices.json"):
            await my_code(session)

        cassette = Cassette.load("cassettes/prices.json")
        async with LocalServer(executor=cassette.executor(speed=60)) as server:
            ...

    Attributes:
        tasks: The tasks, in the order of their creation.
        name: Its name in messages, such as that of its file.
    """

    tasks: list[RecordedTask] = attrs.field(factory=list)
    name: str = "cassette"

    def __attrs_post_init__(self) -> None:
        checks.check_fields(self, {"tasks": _list_of(RecordedTask), "name": checks.text})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Cassette":
        """Read a file.

        Raises:
            ConfigurationError: It cannot be read, or is no cassette of a known version.
        """
        from browser_use_async.testing.cassette_file import read_tasks  # noqa: PLC0415

        checks.path("path", path)
        return cls(read_tasks(Path(path)), Path(path).name)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, whole or not at all; missing folders are created.

        Raises:
            OSError: It cannot be written.
        """
        from browser_use_async.testing.cassette_file import write_tasks  # noqa: PLC0415

        checks.path("path", path)
        write_tasks(Path(path), self.tasks)

    @staticmethod
    def record(
        session: "BrowserUseSession",
        path: str | os.PathLike[str] | None = None,
        *,
        media: bool = True,
        webhooks: "EventSource | None" = None,
        redact: Iterable[str] = (),
        wait: float = 600.0,
    ) -> "CassetteRecorder":
        """Record each task that a session creates within an `async with` block.

        The end of the block waits for the tasks, and saves the cassette. Recording polls each task
        like a stream, and costs nothing. Not recorded: the API key, the values of `secrets`, live
        and public URLs, signed URLs, and cookies.

        Args:
            session: The session, which has to stay open until the block has ended.
            path: Where to save it unless the block raises an exception; None: it is not saved.
            media: Whether screenshots and films are recorded.
            webhooks: A receiver whose events are recorded.
            redact: More texts to remove.
            wait: Seconds that the end of the block waits for tasks that have not ended.

        Returns:
            The recorder. Its `cassette` is complete when the block has ended; `follow(task_id)`
            records a task that the session did not create, or created by `session.tasks.run`.

        Raises:
            ConfigurationError: An argument is invalid.
        """
        from browser_use_async.session import BrowserUseSession  # noqa: PLC0415
        from browser_use_async.testing.cassette_recorder import CassetteRecorder  # noqa: PLC0415
        from browser_use_async.webhooks import WebhookReceiver  # noqa: PLC0415

        checks.optional(checks.path)("path", path)
        checks.flag("media", media)
        if webhooks is not None and not callable(getattr(webhooks, "subscribe", None)):
            checks.instance("webhooks", webhooks, WebhookReceiver)
        if isinstance(redact, str):  # else each of its letters would be hidden
            raise ConfigurationError(f"redact: {redact!r} is no list of texts; write [{redact!r}]")
        given = cast("object", redact)
        words = tuple(given) if isinstance(given, Iterable) else given
        checks.texts("redact", words, "texts")
        checks.seconds("wait", wait)
        checks.instance("session", session, BrowserUseSession)
        return CassetteRecorder(session, path, media, webhooks, tuple(redact), wait)

    def executor(self, *, speed: float = 1.0, match: Match = "exact") -> "CassetteExecutor":
        """Return an executor for `LocalServer` that replays the tasks.

        Args:
            speed: The factor by which they are faster than the recording; `math.inf` for no time.
            match: How the recording of a task is found: `exact` by its text or `pattern`, where
                the second task of a text gets its second recording; `any` only by the order of
                creation. After the last recording, that one is used again.

        Raises:
            ConfigurationError: An argument is invalid.
        """
        _check_speed(speed)
        checks.one_of("match", match, get_args(Match))
        return CassetteExecutor(self, speed, match)


@attrs.define(eq=False, repr=False)
class CassetteExecutor(Executor):
    """Replays a task of a cassette for each task; fails tasks without a recording."""

    name = "cassette"
    reports_start = True  # tasks start after their recorded time

    _cassette: Cassette
    _speed: float
    _match: Match
    _played: Counter[str] = attrs.field(factory=Counter)

    def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Play the recording of one task."""
        return play(self._choose(assignment.task), assignment, control)

    async def aclose(self) -> None:
        """There is nothing to release."""

    def _choose(self, text: str) -> Scenario:
        recorded = self._recordings(text)
        if not recorded:
            problem = _unknown(text, self._cassette)
            return Scenario(steps=(), outcome="failed", reason=problem)
        # After the last recording that one is used again: a program may create one task more. A
        # recording with a pattern is counted by its own text.
        key = "" if self._match == "any" else recorded[0].task
        number = min(self._played[key], len(recorded) - 1)
        self._played[key] += 1
        return recorded[number].scenario(self._speed)

    def _recordings(self, text: str) -> Sequence[RecordedTask]:
        tasks = self._cassette.tasks
        if self._match == "any":
            return tasks
        exact = [each for each in tasks if each.task == text]
        # A pattern must match the whole text, else a short one would match every task.
        patterns = [each for each in tasks if each.pattern is not None]
        return exact or [each for each in patterns if re.fullmatch(each.pattern or "", text)]


def _unknown(text: str, cassette: Cassette) -> str:
    names = list(dict.fromkeys(each.task for each in cassette.tasks))
    problem = f"{cassette.name} has no task {text!r:.200}"
    if not names:
        return f"{problem}: it is empty; record it"
    listed = "; ".join(f"{name!r:.100}" for name in names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    near = difflib.get_close_matches(text, names, n=1)
    hint = f"did you mean {near[0]!r:.100}? " if near else ""
    return f"{problem}; {hint}It has: {listed}{more}. Record it again, or give one a pattern"
