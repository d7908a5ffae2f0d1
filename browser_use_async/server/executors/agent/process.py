"""The process of one agent: its start, its messages, and their translation into items.

Each task has its own process, because browser-use imports a hundred packages, sets up logging and
signals for the whole process, and reads its settings from the environment once.
"""

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import site
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import attrs

from browser_use_async import system
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.agent import worker
from browser_use_async.server.executors.agent.agent_browser import AgentBrowser
from browser_use_async.server.executors.agent.worker import channel
from browser_use_async.server.executors.browser.browser_folder import kept_environment
from browser_use_async.server.executors.browser.launch import BrowserError
from browser_use_async.server.executors.browser.page_description import seen_element, snapshot_from
from browser_use_async.server.executors.browser.run_recording import RunRecording
from browser_use_async.server.executors.protocol import Control
from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.executors.scripts.agent_actions import (
    UnplayableError,
    action_of_agent,
)
from browser_use_async.server.records import Failed, Finished, Step

_SWITCHED_OFF = {
    "ANONYMIZED_TELEMETRY": "false",
    "BROWSER_USE_CLOUD_HINTS": "false",
    "BROWSER_USE_CLOUD_SYNC": "false",
    "BROWSER_USE_DISABLE_EXTENSIONS": "true",
    "BROWSER_USE_VERSION_CHECK": "false",
    "SKIP_LLM_API_KEY_VERIFICATION": "true",
}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_LINE = 16 * 1024**2
_CHUNK = 64 * 1024
_CHECK_SECONDS = 60


class AgentEndedError(Exception):
    """The process ended or stopped answering. The message is a sentence for a person."""


def usable_python(python: str) -> str:
    """Check that a Python has browser-use and the package that checks schemas; its absolute path.

    Raises:
        ConfigurationError: It has not, or is none.
    """
    # Agents start in folders of their own. A link stays one: it leads into a virtual environment.
    # A name without a folder is looked for in PATH.
    if Path(python).name != python:
        python = str(Path(python).absolute())
    program = (
        "import sys; from importlib.util import find_spec; "
        "sys.exit(None in map(find_spec, ('browser_use', 'jsonschema')))"
    )
    try:
        found = subprocess.run(  # noqa: S603 - the operator's own interpreter
            [python, "-P", "-c", program], check=False, capture_output=True, timeout=_CHECK_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(f"{python} cannot be started: {error}") from error
    if found.returncode != 0:
        raise ConfigurationError(
            f"{python} has no browser-use and jsonschema, which the browser_use executor needs; "
            'pip install "browser-use-async[local-agent]", or name a Python that has it with '
            "--agent-python"
        )
    return python


def agent_environment(folder: Path) -> dict[str, str]:
    """Return the environment of an agent's process, with every path inside its folder."""
    homes = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "BROWSER_USE_CONFIG_DIR")
    return {
        **kept_environment(),
        **_SWITCHED_OFF,
        **dict.fromkeys(homes, str(folder)),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "PYTHONUSERBASE": site.getuserbase(),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class AgentProcess:
    """A running agent."""

    def __init__(self, process: Process, log: Callable[[str], None]) -> None:
        self._process = process
        self.pid = process.pid
        loop = asyncio.get_running_loop()
        self._logging = loop.create_task(
            _pass_on(process, log), name=f"browser-use: logs what agent process {process.pid} says"
        )

    @classmethod
    async def start(cls, python: str, folder: Path, log: Callable[[str], None]) -> Self:
        """Start an agent, which then waits for its order."""
        process = await asyncio.create_subprocess_exec(
            python,
            "-P",
            str(Path(worker.__path__[0], "__main__.py")),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=folder,
            env=agent_environment(folder),
            start_new_session=True,
        )
        return cls(process, log)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to the agent."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it has ended; `receive` reports that
            self._process.stdin.write(channel.pack(message))
            await self._process.stdin.drain()

    async def receive(self, seconds: float) -> Any:
        """Wait for the agent's next message."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                header = await self._process.stdout.readexactly(channel.HEADER_BYTES)
                size = int.from_bytes(header, "big")
                return json.loads(await self._process.stdout.readexactly(size))
        except TimeoutError:
            raise AgentEndedError(f"The agent was silent for {seconds:g} s.") from None
        except asyncio.IncompleteReadError:
            code = await self._process.wait()
            raise AgentEndedError(
                f"The agent's process ended by itself ({_exit_text(code)})."
            ) from None

    async def end(self) -> None:
        """End the process and all its children."""
        system.kill_group(self.pid)
        await asyncio.shield(asyncio.gather(self._process.wait(), self._logging))


async def _pass_on(process: Process, log: Callable[[str], None]) -> None:
    assert process.stderr is not None
    rest = b""
    while chunk := await process.stderr.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            text = _COLOURS.sub("", line.decode("utf-8", "replace")).strip()
            if text:
                log(text)
        if len(rest) > _LONGEST_LINE:
            rest = b""  # too long for a message


def _exit_text(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


_STEP_SECONDS = 180
"""Seconds for a step without the model's answer; the agent's own limit is shorter."""

_DECIDING = "Decide what to do next"
"""The activity of a task during a question to the model."""


@attrs.define
class Conversation:
    """Reads the messages of one agent, and makes steps of them."""

    agent: AgentProcess
    browser: AgentBrowser  # the browser that it uses
    control: Control  # awaited before each step
    mask: SecretRedactor  # removes secrets from what it reports
    answer_seconds: float  # limit for one answer of its model
    recording: RunRecording | None = None  # records its actions for a script
    _steps: int = attrs.field(default=0, init=False)
    _goal: str = attrs.field(default="", init=False)  # of the latest step

    async def next_item(self) -> Step | Finished | Failed:
        """Let the agent work until it reports a step or its end."""
        # A step is reported when the model has chosen its actions, before they run.
        self.control.doing(self._goal)
        while True:
            message: channel.Message = await self.agent.receive(self.answer_seconds + _STEP_SECONDS)
            if message["kind"] == "noted":
                if self.recording is not None:
                    _note(self.recording, message)
                continue
            if message["kind"] != "checkpoint":
                return self._item(message)
            await self.control.checkpoint()
            self.control.doing(_DECIDING)
            await self.agent.send({})

    def _item(self, message: channel.Message) -> Step | Finished | Failed:
        url, text = message.get("url", ""), message.get("text", "")
        picture = base64.b64decode(message.get("screenshot", "")) or None
        if message["kind"] == "step":
            evaluation = self._evaluation(message.get("evaluation", ""))
            step = Step(message.get("next_goal", ""), evaluation, url, picture)
            masked = self.mask.step(step)
            self._goal = masked.next_goal
            return masked
        if message["kind"] == "failed":
            return self.mask.failure(Failed(text, url, picture))
        files = dict(map(self._file, message.get("files", ())))
        return self.mask.result(Finished(text, files, message.get("cookies", ())))

    def _evaluation(self, text: str) -> str:
        """Return the evaluation of the previous step; the first step names the proxy instead."""
        self._steps += 1
        return " ".join(filter(None, (text, self.browser.proxy_note if self._steps == 1 else "")))

    def _file(self, made: channel.MadeFile) -> tuple[str, bytes]:
        content = Path(self.browser.folder, made["path"]).read_bytes()
        return made["name"], content if made["is_download"] else self.mask.content(content)


def _note(recording: RunRecording, message: channel.Message) -> None:
    """Record an action of the agent for a script; a failed action is left out."""
    page, element = message.get("page"), message.get("element")
    if message.get("error"):
        return
    if message.get("unnoted") or not page:
        recording.note_problem(f"a page could not be looked at: {message.get('unnoted', '')}")
        return
    try:
        before = snapshot_from(page)
    except BrowserError as error:
        recording.note_problem(f"a page could not be kept: {error}")
        return
    name, at = message.get("action", ""), message.get("at", 0.0)
    if name == "done":
        recording.end = before
        return
    described = None if not element else seen_element(element).description
    try:
        action = action_of_agent(name, message.get("params", {}), described)
    except UnplayableError as error:
        recording.note_problem(str(error))
        return
    if action is not None:
        recording.note_action(at, before, action, described)
