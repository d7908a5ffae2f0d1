"""The executor itself: a browser, an agent in a process of its own, and what they report."""

import logging
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing

import attrs

from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.executors.agent.agent_browser import AgentBrowser, AgentBrowsers
from browser_use_async.server.executors.agent.conversation import Conversation, make_order
from browser_use_async.server.executors.agent.endpoint import ModelEndpoint, NoModelError
from browser_use_async.server.executors.agent.process import (
    AgentEndedError,
    AgentProcess,
    check_python,
)
from browser_use_async.server.executors.browser.launch import BrowserError, BrowserNotStartedError
from browser_use_async.server.executors.browser.recorder import Recorder, Recording
from browser_use_async.server.executors.protocol import (
    Assignment,
    Control,
    Failed,
    Finished,
    Step,
)
from browser_use_async.server.executors.settings import AgentSettings, ChromiumSettings
from browser_use_async.server.executors.view import View
from browser_use_async.server.http_client import HttpClient
from browser_use_async.server.jobs.redaction import SecretRedactor
from browser_use_async.server.one_time_codes import is_seed

_logger = logging.getLogger(__name__)

_LONGEST_LOG_LINE = 2000


class BrowserUseExecutor:
    """Has the open-source browser-use agent carry out tasks, with a language model of yours.

    Each task has a browser and a process of its own. The agent's telemetry, cloud, look-ups and
    extensions are off; its model, and the pages that it opens, are all that it speaks to.

    Args:
        settings: What the operator decides about agents and their model.
        chromium: What the operator decides about the browser.

    Raises:
        ConfigurationError: There is no endpoint, no browser-use or no browser, or a setting cannot
            be used.
    """

    name = "browser-use agent"
    reports_start = True  # a task waits for one of few browsers

    def __init__(
        self, settings: AgentSettings | None = None, chromium: ChromiumSettings | None = None
    ) -> None:
        settings = settings or AgentSettings()
        self._endpoint = ModelEndpoint.of(settings)
        self._python = os.fspath(settings.python or sys.executable)
        check_python(self._python)
        self._browsers = AgentBrowsers(chromium or ChromiumSettings())
        self.capacity = self._browsers.capacity  # how many tasks have a browser at once
        # The operator names the endpoint, wherever it is.
        self._outbound = HttpClient(Egress().policy_naming(opening=[self._endpoint.base_url]))
        self._recorder = Recorder()
        self._running: dict[str, AgentBrowser] = {}

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task.

        Args:
            assignment: What is to be done, and with which files, secrets and bounds.
            control: Awaited before each step.

        Yields:
            A step as soon as the model has decided on it, then `Finished`; or `Failed` with the
            reason.
        """
        mask = SecretRedactor({**assignment.secrets, "": self._endpoint.key})
        if any(is_seed(each) for each in assignment.secrets.values()):
            # Typed by the model's browser as it is, a seed would be given away for good.
            yield Failed("This executor types no one-time codes: leave the otpauth:// secret out.")
            return
        try:
            model = await self._endpoint.model_for(assignment.llm_model, self._outbound)
            async with aclosing(self._work(assignment, control, model, mask)) as items:
                async for item in items:
                    yield item
        except (NoModelError, AgentEndedError) as error:
            yield Failed(mask.text(str(error)))
        except BrowserNotStartedError as error:
            yield Failed(f"The browser did not start: {error}.")
        except BrowserError as error:
            yield Failed(f"The browser gave up: {error}.")

    def view(self, task_id: str) -> View | None:
        """The browser of a task, or None before it has one and after it has ended.

        Args:
            task_id: Which task, as the API names it.
        """
        browser = self._running.get(task_id)
        return browser.observer.view if browser is not None else None

    async def aclose(self) -> None:
        """End what starts the browsers of tasks."""
        await self._browsers.aclose()

    async def _work(
        self, assignment: Assignment, control: Control, model: str, mask: SecretRedactor
    ) -> AsyncGenerator[Step | Finished | Failed, None]:
        async with AsyncExitStack() as stack:
            browser = await stack.enter_async_context(self._browsers.take(assignment))
            self._running[assignment.task_id] = browser
            control.started()
            stack.callback(self._running.pop, assignment.task_id)
            film = self._film(assignment, browser)
            if film is not None:
                stack.push_async_callback(film.abandon)
            log = _Log(assignment.task_id, mask)
            agent = await AgentProcess.start(self._python, browser.folder, log)
            stack.push_async_callback(agent.end)
            url, folder = browser.url, browser.folder
            await agent.send(make_order(assignment, self._endpoint, model, url, folder))
            conversation = Conversation(
                agent, browser, control, mask, self._endpoint.answer_seconds
            )
            while isinstance(item := await conversation.next_item(), Step):
                yield item
            recordings: Mapping[str, bytes] = await film.finish() if film is not None else {}
            began = film.began if film is not None else None
            yield attrs.evolve(item, recordings=recordings, recorded_from=began)

    def _film(self, assignment: Assignment, browser: AgentBrowser) -> Recording | None:
        if not assignment.takes_recording:
            return None
        folder = browser.folder.with_name("recording")
        folder.mkdir()
        return self._recorder.record(browser.observer.view.screencast, folder)


@attrs.frozen
class _Log:
    task_id: str
    mask: SecretRedactor

    def __call__(self, line: str) -> None:
        text = self.mask.text(line)[:_LONGEST_LOG_LINE]
        _logger.debug("the agent of task %s: %s", self.task_id, text)
