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
EVERY_OWNER = "*"
"""Stands for all owners, where the operator reads their tasks; no key can have this name."""


@attrs.frozen
class ScriptOrder:
    """The script that a task plays, or records if there is none."""

    name: str  # what it is called
    inputs: Mapping[str, str] = attrs.field(factory=dict)  # the values of its inputs
    text: str = attrs.field(default="", repr=False)  # its latest version; empty if there is none
    version: int = 0  # the number of that version; 0 if there is none
    is_attended: bool = True  # whether a person can be asked


@attrs.frozen
class ScriptOutcome:
    """The result of a task with a script."""

    name: str  # the script's
    version: int = 0  # the version that was played; 0 if none was
    text: str = attrs.field(default="", repr=False)  # a new version of it; empty if there is none
    played: int = 0  # how many steps were played
    model_calls: int = 0  # how often a model was asked
    problem: str = ""  # why nothing was recorded, as a sentence
    may_go_on: bool = False  # whether an agent may do the task anew, since no step changed anything


@attrs.frozen
class Assignment:
    """A task with every setting resolved: request, then profile, then the published default."""

    task_id: str  # the task's id
    task: str  # its instructions
    # Whose task it is: the name of an API key, or `default`. Owners share no browser
    owner: str = attrs.field(default=DEFAULT_OWNER, kw_only=True)
    max_agent_steps: int = 75  # how many steps may be taken
    allowed_domains: Sequence[str] | None = None  # the domains that may be visited; None for all
    structured_output_json: str | None = None  # the JSON schema that the output shall follow
    # Values that may be typed and never shown
    secrets: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    metadata: Mapping[str, str] = attrs.field(factory=dict)  # the caller's own pairs
    llm_model: str = "gpt-4.1"  # the language model asked for
    viewport: tuple[int, int] = (1280, 960)  # width and height of the page in pixels
    use_adblock: bool = True  # whether advertisements are blocked
    use_proxy: bool = True  # whether a proxy is used, by the request or by the profile's default
    proxy_requested: bool = False  # whether the request itself names a proxy or its country
    proxy_country_code: str = "us"  # the country of the proxy, in lower case
    highlight_elements: bool = True  # whether elements are highlighted on screenshots
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)  # uploaded files by name
    profile_id: str = ""  # the browser profile that it runs with
    # What that profile has kept from earlier tasks
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)
    takes_screenshots: bool = True  # whether the server keeps pictures of the steps
    takes_recording: bool = True  # whether the server keeps a recording
    script: ScriptOrder | None = None  # the script that it names, if it names one


@attrs.frozen
class FailedRequest:
    """A request of a page that failed, or was answered with a status of 400 and more."""

    method: str  # such as `GET`
    url: str  # the address that was asked for
    problem: str  # what became of it, in words


@attrs.frozen(kw_only=True)
class StepTrace:
    """The trace of a step, since the previous step."""

    seconds: float  # how long the step took
    # The status and the address of each document that was opened, in order
    addresses: Sequence[str] = ()
    console: Sequence[str] = ()  # the errors that pages wrote into the console or did not catch
    failed: Sequence[FailedRequest] = ()  # the requests that failed
    requests: int = 0  # how many requests the pages made
    slowest: str = ""  # the address of the request that took longest; empty if none was answered
    slowest_seconds: float = 0.0  # how long that one took
    omitted: int = 0  # how many further errors and failed requests there were

    @property
    def problems(self) -> int:
        """How many errors and failed requests there were."""
        return len(self.console) + len(self.failed) + self.omitted


@attrs.frozen
class Step:
    """One step that was just taken."""

    next_goal: str  # what the step set out to do
    evaluation_previous_goal: str = ""  # how the step before went
    url: str = ""  # the page on which the step was taken
    # A PNG of the page, if there is a picture; else that of a white page is shown
    screenshot: bytes | None = attrs.field(default=None, repr=False)
    # What a person is asked for, such as `captcha`, `login`, `code` or `approval`: the task is
    # paused after this step, until it is resumed. Empty for none
    asks_for: str = ""
    trace: StepTrace | None = None  # what went on behind the step, if the executor knows that


@attrs.frozen
class Finished:
    """The last item of a task that succeeded."""

    output: str | None  # the answer, in words or as JSON where the task has a schema
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)  # output files by name
    # The browser's cookies
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)
    # Films of the browser, by the ending of their names: `mp4` or `webm`
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    # The moment that their first picture shows, with a time zone; None if it is not known. With it
    # the page of the task finds each step in the film
    recorded_from: datetime | None = None
    script: ScriptOutcome | None = None  # what the task did with its script


class FailureCause(StrEnum):
    """The kinds of failures that end tasks, for metrics."""

    TASK = "task"  # the executor says that it cannot be done
    STEP_LIMIT = "step_limit"  # it was not done within `max_agent_steps`
    EXECUTOR = "executor"  # the executor raised an exception, or ended without a result
    RESTART = "restart"  # the server was restarted meanwhile
    WORKER_LOST = "worker_lost"  # the worker that was carrying it out was lost


@attrs.frozen
class Failed:
    """The last item of a task that could not be done."""

    reason: str  # why, in words for the person who asked
    url: str = ""  # the page at hand
    # A PNG of the page, if there is a picture
    screenshot: bytes | None = attrs.field(default=None, repr=False)
    # Films of the browser, as those of `Finished`
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    next_goal: str = ""  # what the last step set out to do, if it said so
    # Output files by name, such as a trace of what happened
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    cause: FailureCause = FailureCause.TASK  # of what kind it is
    # The moment that the first picture of the films shows, as of `Finished`
    recorded_from: datetime | None = None
    script: ScriptOutcome | None = None  # what the task did with its script
    trace: StepTrace | None = None  # what went on behind the last step, if the executor knows that
