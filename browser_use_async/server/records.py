"""The assignments and the reports of executors, which the server stores."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs

from browser_use_async.types import LlmModel

DEFAULT_MODEL = LlmModel.GPT_4_1
"""The model of tasks that name none."""
DEFAULT_OWNER = "default"
"""The owner of everything on a server with a single API key."""


@attrs.frozen
class RemoteTask:
    """The task at another service that carries out a task of this server.

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
        """Whether work there may still go on."""
        return bool(self.identity) and not self.is_over


@attrs.frozen
class ScriptOrder:
    """The script that a task plays, or records if there is none.

    Attributes:
        name: What it is called.
        inputs: The values of its inputs.
        text: Its latest version; empty if there is none.
        version: The number of that version; 0 if there is none.
        is_attended: Whether a person can be asked.
    """

    name: str
    inputs: Mapping[str, str] = attrs.field(factory=dict)
    text: str = attrs.field(default="", repr=False)
    version: int = 0
    is_attended: bool = True


@attrs.frozen
class ScriptOutcome:
    """The result of a task with a script.

    Attributes:
        name: The script's.
        version: The version that was played; 0 if none was.
        text: A new version of it; empty if there is none.
        played: How many steps were played.
        model_calls: How often a model was asked.
        healed: How many steps were mended.
        problem: Why nothing was recorded, as a sentence.
        may_go_on: Whether an agent may do the task anew, since no step changed anything.
    """

    name: str
    version: int = 0
    text: str = attrs.field(default="", repr=False)
    played: int = 0
    model_calls: int = 0
    healed: int = 0
    problem: str = ""
    may_go_on: bool = False


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
        saves_browser_data: Whether cookies are kept and returned.
        is_shared: Whether a public page is asked for.
        remote: What was remembered of it before the server was started again.
        lost_secrets: Whether it had secrets that the server has no longer.
        script: The script that it names, if it names one.
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
    script: ScriptOrder | None = None


@attrs.frozen
class FailedRequest:
    """A request of a page that failed, or was answered with a status of 400 and more.

    Attributes:
        method: Such as `GET`.
        url: The address that was asked for.
        problem: What became of it, in words.
    """

    method: str
    url: str
    problem: str


@attrs.frozen(kw_only=True)
class StepTrace:
    """The trace of a step, since the previous step.

    Attributes:
        seconds: How long the step took.
        addresses: The status and the address of each document that was opened, in order.
        console: The errors that pages wrote into the console or did not catch.
        failed: The requests that failed.
        requests: How many requests the pages made.
        slowest: The address of the request that took longest; empty if none was answered.
        slowest_seconds: How long that one took.
        omitted: How many further errors and failed requests there were.
    """

    seconds: float
    addresses: Sequence[str] = ()
    console: Sequence[str] = ()
    failed: Sequence[FailedRequest] = ()
    requests: int = 0
    slowest: str = ""
    slowest_seconds: float = 0.0
    omitted: int = 0

    @property
    def problems(self) -> int:
        """How many errors and failed requests there were."""
        return len(self.console) + len(self.failed) + self.omitted


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
        trace: What went on behind the step, if the executor knows that.
    """

    next_goal: str
    evaluation_previous_goal: str = ""
    url: str = ""
    screenshot: bytes | None = attrs.field(default=None, repr=False)
    text: str = ""
    asks_for: str = ""
    trace: StepTrace | None = None


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
        script: What the task did with its script.
    """

    output: str | None
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    recorded_from: datetime | None = None
    script: ScriptOutcome | None = None


class FailureCause(StrEnum):
    """The kinds of failures that end tasks, for metrics."""

    TASK = "task"  # the executor says that it cannot be done
    STEP_LIMIT = "step_limit"  # it was not done within `max_agent_steps`
    EXECUTOR = "executor"  # the executor raised an exception, or ended without a result
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
        script: What the task did with its script.
        trace: What went on behind the last step, if the executor knows that.
    """

    reason: str
    url: str = ""
    screenshot: bytes | None = attrs.field(default=None, repr=False)
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    next_goal: str = ""
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    cause: FailureCause = FailureCause.TASK
    recorded_from: datetime | None = None
    script: ScriptOutcome | None = None
    trace: StepTrace | None = None
