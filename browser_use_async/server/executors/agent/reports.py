"""What an agent reports, as items of a task."""

import base64
from pathlib import Path

import attrs

from browser_use_async.server.executors.agent.agent_browser import AgentBrowser
from browser_use_async.server.executors.agent.process import AgentProcess
from browser_use_async.server.executors.agent.worker.messages import MadeFile, Message
from browser_use_async.server.executors.protocol import Control, Failed, Finished, Step
from browser_use_async.server.jobs.redaction import SecretRedactor

_STEP_SECONDS = 180
"""How long a step may take beside the model's answer; the agent's own limit is shorter."""
_DECIDING = "Decide what to do next"
"""What an agent does while its model is asked."""


@attrs.define
class Conversation:
    """The conversation with one agent."""

    agent: AgentProcess
    browser: AgentBrowser  # where it works
    control: Control  # awaited before each step
    mask: SecretRedactor  # keeps secrets out of what it reports
    answer_seconds: float  # how long one answer of its model may take
    _steps: int = attrs.field(default=0, init=False)
    _goal: str = attrs.field(default="", init=False)  # of the latest step

    async def next_item(self) -> Step | Finished | Failed:
        """Let the agent work until it has something to tell.

        Raises:
            AgentEndedError: It ended, or was silent for too long.
        """
        # A step is told as soon as the model has decided on it; its actions follow.
        self.control.doing(self._goal)
        while True:
            message: Message = await self.agent.receive(self.answer_seconds + _STEP_SECONDS)
            if message["kind"] != "checkpoint":
                return self._item(message)
            await self.control.checkpoint()
            self.control.doing(_DECIDING)
            await self.agent.send({})

    def _item(self, message: Message) -> Step | Finished | Failed:
        url, text = message.get("url", ""), message.get("text", "")
        picture = base64.b64decode(message.get("screenshot", "")) or None
        if message["kind"] == "step":
            evaluation = self._evaluation(message.get("evaluation", ""))
            step = Step(message.get("next_goal", ""), evaluation, url, picture, text)
            masked = self.mask.step(step)
            self._goal = masked.next_goal
            return masked
        if message["kind"] == "failed":
            return self.mask.failure(Failed(text, url, picture))
        files = dict(map(self._file, message.get("files", ())))
        return self.mask.result(Finished(text, files, message.get("cookies", ())))

    def _evaluation(self, text: str) -> str:
        """How the step before went; the first one says how the browser is connected instead."""
        self._steps += 1
        return " ".join(filter(None, (text, self.browser.proxy_note if self._steps == 1 else "")))

    def _file(self, made: MadeFile) -> tuple[str, bytes]:
        content = Path(self.browser.folder, made["path"]).read_bytes()
        return made["name"], content if made["is_download"] else self.mask.content(content)
