"""Executor that runs each task as a browser-use agent in its own process."""

import logging
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import attrs
from yarl import URL

from browser_use_async.server.egress.policy import is_here
from browser_use_async.server.executors.agent.agent_browser import AgentBrowser, AgentBrowsers
from browser_use_async.server.executors.agent.process import (
    AgentEndedError,
    AgentProcess,
    Conversation,
    usable_python,
)
from browser_use_async.server.executors.agent.worker.channel import Order
from browser_use_async.server.executors.browser.launch import BrowserError, BrowserNotStartedError
from browser_use_async.server.executors.browser.page import script as page_script
from browser_use_async.server.executors.browser.recorder import Recorder, Recording
from browser_use_async.server.executors.browser.run_recording import RunRecording, outcome_in_words
from browser_use_async.server.executors.model import Model, NoModelError
from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.executors.settings import AgentSettings, ChromiumSettings
from browser_use_async.server.executors.view import View
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from browser_use_async.server.secrets.one_time_codes import is_seed

_NO_KEY = "none"
"""A placeholder: clients require a key, even for endpoints that need none."""

_ANY_SITE = "http*://*"
_NO_SITE = "http*://nothing.invalid"  # a name that never exists (RFC 2606)
_LONGEST_LOG_LINE = 2000
_logger = logging.getLogger(__name__)


class BrowserUseExecutor(Executor):
    """Carries out tasks with the open-source browser-use agent and your own language model.

    Each task has its own browser and process. The agent's telemetry, cloud, look-ups and
    extensions are off: it connects only to its model and to the pages that it opens.
    """

    name = "browser-use agent"
    reports_start = True  # a task waits for one of few browsers
    plays_scripts = True

    def __init__(
        self, settings: AgentSettings | None = None, chromium: ChromiumSettings | None = None
    ) -> None:
        settings = settings or AgentSettings()
        self.model = Model.of(settings)
        python = os.fspath(settings.python or sys.executable)
        self._python = usable_python(python)
        self._browsers = AgentBrowsers(chromium or ChromiumSettings())
        self.capacity = self._browsers.capacity  # how many tasks have a browser at once
        self._recorder = Recorder()
        self._running: dict[str, AgentBrowser] = {}

    @property
    def open_browsers(self) -> int:
        """How many browsers are open, one for each task at work."""
        return len(self._running)

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        mask = SecretRedactor({**assignment.secrets, "": self.model.key})
        if any(is_seed(each) for each in assignment.secrets.values()):
            # The agent would type the seed itself into the page, which reveals it for good.
            yield Failed("This executor types no one-time codes: leave the otpauth:// secret out.")
            return
        try:
            name = await self.model.name_for(assignment.llm_model)
            async with aclosing(self._work(assignment, control, name, mask)) as items:
                async for item in items:
                    yield item
        except (NoModelError, AgentEndedError) as error:
            yield Failed(mask.text(str(error)))
        except BrowserNotStartedError as error:
            yield Failed(f"The browser did not start: {error}.")
        except BrowserError as error:
            yield Failed(f"The browser gave up: {error}.")

    def view(self, task_id: str) -> View | None:
        """The browser of a task, or None before it has one and after it has ended."""
        browser = self._running.get(task_id)
        return browser.observer.view if browser is not None else None

    async def aclose(self) -> None:
        """Stop the browser launcher."""
        await self._browsers.aclose()

    async def _work(
        self, assignment: Assignment, control: Control, name: str, mask: SecretRedactor
    ) -> AsyncGenerator[Step | Finished | Failed, None]:
        async with AsyncExitStack() as stack:
            browser = await stack.enter_async_context(self._browsers.take(assignment))
            self._running[assignment.task_id] = browser
            control.started()
            stack.callback(self._running.pop, assignment.task_id)
            film = self._film(assignment, browser)
            if film is not None:
                stack.push_async_callback(film.abandon)

            def log(line: str) -> None:
                text = mask.text(line)[:_LONGEST_LOG_LINE]
                _logger.debug("the agent of task %s: %s", assignment.task_id, text)

            agent = await AgentProcess.start(self._python, browser.folder, log)
            stack.push_async_callback(agent.end)
            url, folder = browser.url, browser.folder
            await agent.send(make_order(assignment, self.model, name, url, folder))
            recording = None
            if assignment.script is not None:
                recording = RunRecording(browser.observer.context, has_model=True)
            seconds = self.model.answer_seconds
            conversation = Conversation(agent, browser, control, mask, seconds, recording)
            while isinstance(item := await conversation.next_item(), Step):
                yield item
            if recording is not None and isinstance(item, Finished):
                outcome = await recording.outcome(assignment, item.output)
                yield Step("Record the script", outcome_in_words(outcome))
                item = attrs.evolve(item, script=outcome)
            recordings: Mapping[str, bytes] = await film.finish() if film is not None else {}
            began = film.began if film is not None else None
            yield attrs.evolve(item, recordings=recordings, recorded_from=began)

    def _film(self, assignment: Assignment, browser: AgentBrowser) -> Recording | None:
        if not assignment.takes_recording:
            return None
        folder = browser.folder.with_name("recording")
        folder.mkdir()
        return self._recorder.record(browser.observer.view.screencast, folder)


def make_order(
    assignment: Assignment, model: Model, name: str, browser_url: str, folder: Path
) -> Order:
    """Write the task's files for the agent, and return the order for its process."""
    for place in ("uploads", "files", "downloads"):
        (folder / place).mkdir()
    owner = folder.stat()
    # The browser writes there, and runs as another user where the server is root.
    os.chown(folder / "downloads", owner.st_uid, owner.st_gid)
    return {
        "task": assignment.task,
        "max_steps": assignment.max_agent_steps,
        "allowed_domains": address_patterns(assignment.allowed_domains),
        "schema": assignment.structured_output_json,
        "secrets": secrets_by_domain(assignment.secrets, assignment.allowed_domains),
        "viewport": assignment.viewport,
        "highlight_elements": assignment.highlight_elements,
        "takes_screenshots": assignment.takes_screenshots,
        "uploads": list(_laid_out(assignment.files, folder / "uploads")),
        # With all fields of cookies that browsers read.
        "cookies": [
            {"path": "/", "secure": False, "httpOnly": False, **cookie}
            for cookie in assignment.cookies
        ],
        "folder": str(folder),
        "browser_url": browser_url,
        "base_url": model.base_url,
        "key": model.key or _NO_KEY,
        "model": name,
        "model_seconds": model.answer_seconds,
        "sees_pictures": model.sees_pictures,
        "describe": None if assignment.script is None else page_script("describe"),
    }


def address_patterns(entries: Sequence[str] | None) -> list[str]:
    """Convert allowed domains to browser-use's patterns, each of which begins with `http`.

    A host alone would also allow `file://HOST/`, and no pattern would allow every scheme. The
    patterns only inform the agent: the gateway checks each connection, with scheme and port.
    """
    if entries is None:
        return [_ANY_SITE]
    hosts = [host for entry in entries if (host := _host(entry))]
    # A wildcard includes its parent domain, as in the task's rules.
    both = dict.fromkeys(each for host in hosts for each in (host, host.removeprefix("*.")))
    # For browser-use, an empty list allows every address.
    return [f"http*://{host}" for host in both] or [_NO_SITE]


def secrets_by_domain(
    secrets: Mapping[str, str], allowed_domains: Sequence[str] | None
) -> dict[str, Any]:
    """Group secrets by the domains on which they may be typed, if the task names any."""
    if allowed_domains is None:
        return dict(secrets)
    if not secrets:
        return {}
    places = ((_scheme(entry), _host(entry)) for entry in allowed_domains)
    return {f"{scheme}://{host}": dict(secrets) for scheme, host in places if host}


def _scheme(entry: str) -> str:
    scheme, separator, _ = entry.strip().partition("://")
    if separator:
        return scheme.lower()
    return "http*" if is_here(_host(entry)) else "https"


def _host(entry: str) -> str:
    """Return the host of an entry with its wildcard, or an empty text."""
    rest = entry.strip().rpartition("://")[2].lower()
    wildcard = "*." if rest.startswith("*.") else ""
    if rest == "*":
        return rest
    try:
        host = URL(f"http://{rest.removeprefix('*.')}").raw_host or ""
    except ValueError:
        return ""
    return "" if "*" in host else wildcard + host.rstrip(".")


def _laid_out(files: Mapping[str, bytes], folder: Path) -> Iterable[str]:
    for name, content in files.items():
        path = folder / Path(name).name
        path.write_bytes(content)
        yield str(path)
