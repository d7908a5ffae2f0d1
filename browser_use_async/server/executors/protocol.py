"""What the server asks of whatever carries out a task, and the steps of one task."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import attrs

DEFAULT_OWNER = "default"
"""Who owns everything on a server with a single API key."""


@attrs.frozen
class RemoteTask:
    """What another service does for a task of this server.

    Attributes:
        identity: What names it there, by the service's own words; it survives a restart.
        live_url: Where the service shows its browser, instead of the page of this server.
        share_url: Its public page there, instead of that of this server.
        is_over: Whether nothing goes on there any more that this server would have to stop.
    """

    identity: Mapping[str, str] = attrs.field(factory=dict)
    live_url: str | None = attrs.field(default=None, repr=False)
    share_url: str | None = attrs.field(default=None, repr=False)
    is_over: bool = False

    @property
    def is_open(self) -> bool:
        """Whether something was begun there that may still go on."""
        return bool(self.identity) and not self.is_over


@attrs.frozen
class Assignment:
    """A task with every setting resolved: request, then profile, then the published default.

    Attributes:
        task_id: The task's id.
        task: Its instructions.
        owner: Whose task it is: the name of an API key, or `default`. Owners share no browser.
        max_agent_steps: How many steps may be taken.
        allowed_domains: The domains that may be visited; None for all.
        structured_output_json: The JSON schema that the output shall follow.
        secrets: Values that may be typed and never shown.
        metadata: The caller's own pairs.
        llm_model: The language model asked for.
        viewport: Width and height of the page in pixels.
        use_adblock: Whether advertisements are blocked.
        use_proxy: Whether a proxy is used, by the request or by the profile's default.
        proxy_requested: Whether the request itself names a proxy or its country.
        proxy_country_code: The country of the proxy, in lower case.
        highlight_elements: Whether elements are highlighted on screenshots.
        files: Uploaded files by name.
        profile_id: The browser profile that it runs with.
        cookies: What that profile has kept from earlier tasks.
        takes_screenshots: Whether the server keeps pictures of the steps.
        takes_recording: Whether the server keeps a recording.
        requested: The names of the settings that the request itself gives.
        profile_name: What the profile is called.
        saves_browser_data: Whether cookies shall be kept and told.
        is_shared: Whether a public page is asked for.
        remote: What was remembered of it before the server was started again.
        lost_secrets: Whether it had secrets that the server has no longer.
    """

    task_id: str
    task: str
    owner: str = attrs.field(default=DEFAULT_OWNER, kw_only=True)
    max_agent_steps: int = 75
    allowed_domains: Sequence[str] | None = None
    structured_output_json: str | None = None
    secrets: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    llm_model: str = "gpt-4.1"
    viewport: tuple[int, int] = (1280, 960)
    use_adblock: bool = True
    use_proxy: bool = True
    proxy_requested: bool = False
    proxy_country_code: str = "us"
    highlight_elements: bool = True
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    profile_id: str = ""
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)
    takes_screenshots: bool = True
    takes_recording: bool = True
    requested: frozenset[str] = frozenset()
    profile_name: str = ""
    saves_browser_data: bool = False
    is_shared: bool = False
    remote: RemoteTask = RemoteTask()
    lost_secrets: bool = False


@attrs.frozen
class Step:
    """One step that was just taken.

    Attributes:
        next_goal: What the step set out to do.
        evaluation_previous_goal: How the step before went.
        url: The page on which the step was taken.
        screenshot: A PNG of the page, if there is a picture; the server draws one otherwise.
        text: A line or more of what was on the page, for the drawn picture and the live page.
        asks_for: What a person is asked for, such as `captcha`, `login`, `code` or `approval`: the
            task is paused after this step, until it is resumed. Empty for none.
    """

    next_goal: str
    evaluation_previous_goal: str = ""
    url: str = ""
    screenshot: bytes | None = attrs.field(default=None, repr=False)
    text: str = ""
    asks_for: str = ""


@attrs.frozen
class Finished:
    """The last item of a task that succeeded.

    Attributes:
        output: The answer, in words or as JSON where the task has a schema.
        files: Output files by name.
        cookies: The browser's cookies.
        recordings: Films of the browser, by the ending of their names: `mp4` or `webm`.
        recorded_from: The moment that their first picture shows, with a time zone; None if it is
            not known. With it the page of the task finds each step in the film.
    """

    output: str | None
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    recorded_from: datetime | None = None


class FailureCause(StrEnum):
    """What kind of failure ended a task, for those who count them."""

    TASK = "task"  # the executor says that it cannot be done
    STEP_LIMIT = "step_limit"  # it was not done within `max_agent_steps`
    EXECUTOR = "executor"  # the executor raised, or ended without a result
    RESTART = "restart"  # the server was restarted meanwhile
    WORKER_LOST = "worker_lost"  # the worker that was carrying it out was lost


@attrs.frozen
class Failed:
    """The last item of a task that could not be done.

    Attributes:
        reason: Why, in words for the person who asked.
        url: The page at hand.
        screenshot: A PNG of the page, if there is a picture.
        recordings: Films of the browser, as those of `Finished`.
        next_goal: What the last step set out to do, if it said so.
        files: Output files by name, such as a trace of what happened.
        cause: Of what kind it is.
        recorded_from: The moment that the first picture of the films shows, as of `Finished`.
    """

    reason: str
    url: str = ""
    screenshot: bytes | None = attrs.field(default=None, repr=False)
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    next_goal: str = ""
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    cause: FailureCause = FailureCause.TASK
    recorded_from: datetime | None = None


class Control(Protocol):
    """What an executor reports the start of a task to, and waits on while it is paused.

    Stopping a task cancels its executor.
    """

    def started(self) -> None:
        """Say that the task has what it needs, such as a browser; only the first call counts.

        Until then it is `created`, if the executor says `reports_start = True`. Tasks of other
        executors are `running` from the moment that `run` is called.
        """

    async def checkpoint(self) -> None:
        """Return at once while the task runs; wait while it is paused."""

    def doing(self, goal: str) -> None:
        """Say what is done from now on; pages show it until the next `Step`.

        Args:
            goal: What the step that begins now sets out to do, as `Step.next_goal` will say it, or
                what follows on the latest step. Empty where that is not known.
        """

    async def remember(self, remote: RemoteTask) -> None:
        """Store what another service does for the task; it is `assignment.remote` after a restart.

        Only tasks of a `DurableExecutor` are started again.
        """

    async def charge(self, cents: Decimal) -> None:
        """Charge what the task has cost so far at another service, instead of the list prices.

        Args:
            cents: The whole cost until now, in US cents.
        """

    @property
    def is_left_alone(self) -> bool:
        """Whether the executor is cancelled only because the server closes.

        What another service does goes on then, and is adopted at the next start.
        """
        ...


@attrs.frozen
class FieldProblem:
    """A setting that an executor cannot follow."""

    field: str  # its name in the request
    message: str  # why not, as a clause


@attrs.frozen
class RemoteAccount:
    """What another service says of the account that pays it.

    Attributes:
        cents: What is left there, in US cents; None if that is not known.
        problem: Why it is not known, as a sentence without its end.
        is_key_refused: Whether the service does not take the key of this server.
    """

    cents: Decimal | None = None
    problem: str = ""
    is_key_refused: bool = False


class Executor(Protocol):
    """Carries out tasks. One object serves many tasks at once.

    An executor inherits from this class, or has all of its methods.
    """

    name: str
    """What `/` and the first step call it."""

    def check(self, assignment: Assignment) -> FieldProblem | None:
        """Say before a task is accepted and paid which of its settings cannot be followed.

        Args:
            assignment: The task as it would be carried out. Nothing has been done for it, and this
                method does nothing for it either.

        Returns:
            What cannot be followed; None if the task can be accepted.
        """
        return None

    def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task.

        Yields each step as it is taken, and at the end one `Finished` or `Failed`. Awaits
        `control.checkpoint()` before each step. Stopping the task closes the iterator, which
        then has to clean up within seconds.
        """
        ...

    async def aclose(self) -> None:
        """Release whatever tasks share, such as a browser process."""


@runtime_checkable
class DurableExecutor(Executor, Protocol):
    """An executor whose tasks another service carries out, beyond the end of this process.

    Its tasks that are at work are run again after a restart, with what it has remembered of them
    as `assignment.remote`, instead of failing. It says itself what they cost, and they cannot be
    paused.
    """

    pause_refusal: str
    """Why its tasks cannot be paused."""

    def stop(self, assignment: Assignment, control: Control) -> None:
        """Begin to stop what the service still does for a task that has ended here.

        It is called after a restart for tasks whose stop was not delivered before.
        """

    async def account(self) -> RemoteAccount:
        """Ask the service for the account that pays it. It may be called at any rate."""
        ...

    async def rename_profile(self, profile_id: str, name: str) -> str | None:
        """Rename a browser profile there; why it could not, or None."""

    async def delete_profile(self, profile_id: str) -> str | None:
        """Delete what the service keeps of a browser profile; why it could not, or None."""


class CannotContinueError(Exception):
    """A task that cannot go on. Its text is a sentence for a person."""


class StepLimiter:
    """The steps of one task.

    Attributes:
        steps: How many have been begun.
    """

    def __init__(self, assignment: Assignment, control: Control) -> None:
        self._most = assignment.max_agent_steps
        self._control = control
        self.steps = 0

    async def begin(self, goal: str = "") -> None:
        """Wait while the task is paused, count a step, and say what it sets out to do.

        Raises:
            CannotContinueError: No step is left.
        """
        if self.steps >= self._most:
            raise CannotContinueError(
                f"The task needs more than the {self.steps} steps that max_agent_steps allows."
            )
        await self._control.checkpoint()
        self.steps += 1
        self._control.doing(goal)
