"""The executor itself: a browser, an agent in a process of its own, and what they report."""

import base64
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import attrs

from browser_use_async.server.executors.agent.endpoint import ModelEndpoint, NoModelError
from browser_use_async.server.executors.agent.orders import make_order
from browser_use_async.server.executors.agent.place import Place, open_place
from browser_use_async.server.executors.agent.process import (
    AgentEndedError,
    AgentProcess,
    check_python,
)
from browser_use_async.server.executors.agent.worker.order import MadeFile, Message
from browser_use_async.server.executors.chromium.finding import require_browser
from browser_use_async.server.executors.chromium.folders import clean_up_after_the_dead
from browser_use_async.server.executors.chromium.gateway import Upstream
from browser_use_async.server.executors.chromium.process import BrowserNotStartedError
from browser_use_async.server.executors.protocol import (
    Assignment,
    Control,
    Failed,
    Finished,
    Step,
)
from browser_use_async.server.outbound import Outbound
from browser_use_async.server.running.masking import SecretMask

__all__ = ["BrowserUseExecutor"]

_logger = logging.getLogger(__name__)

_STEP_SECONDS = 180
"""How long a step may take beside the model's answer; the agent's own limit is shorter."""

_LONGEST_LOG_LINE = 2000


class BrowserUseExecutor:
    """Has the open-source browser-use agent carry out tasks, with a language model of yours.

    Each task has a browser and a process of its own. The agent's telemetry, cloud, look-ups and
    extensions are off; its model, and the pages that it opens, are all that it speaks to.

    Args:
        llm_base_url: An OpenAI-compatible endpoint; by default that in `OPENAI_BASE_URL`.
        llm_model: The model for every task. Without it a task's own `llm_model` is used where the
            endpoint knows it, and the endpoint's only model where it has but one.
        llm_key: The endpoint's key; by default that in `OPENAI_API_KEY`.
        llm_timeout: Seconds that the model may take for one answer.
        llm_sees_pictures: Whether the model is shown screenshots; False for one that reads only.
        agent_python: The Python that has browser-use; by default the one that runs this.
        browser: The Chromium to start; by default it is looked for.
        private_addresses: Whether pages of this machine and of private networks may be opened, or
            the `http://host:port` of those that may.
        proxies: The operator's proxies, `http://host:port`, by country code.

    Raises:
        ConfigurationError: There is no endpoint, no browser-use or no browser.
    """

    name = "browser-use agent"

    def __init__(
        self,
        *,
        llm_base_url: str | None = None,
        llm_model: str | None = None,
        llm_key: str | None = None,
        llm_timeout: int = 90,
        llm_sees_pictures: bool = True,
        agent_python: str | os.PathLike[str] | None = None,
        browser: str | os.PathLike[str] | None = None,
        private_addresses: bool | Sequence[str] = False,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        self._endpoint = ModelEndpoint.checked(
            base_url=llm_base_url,
            key=llm_key,
            model=llm_model,
            answer_seconds=llm_timeout,
            sees_pictures=llm_sees_pictures,
        )
        self._python = os.fspath(agent_python or sys.executable)
        check_python(self._python)
        self._browser = require_browser(browser)
        self._private = private_addresses
        self._proxies = {code: Upstream.of(url) for code, url in (proxies or {}).items()}
        self._outbound = Outbound()
        clean_up_after_the_dead()

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task.

        Args:
            assignment: The task.
            control: Awaited before each step.

        Yields:
            A step as soon as the model has decided on it, then `Finished`; or `Failed` with the
            reason.
        """
        mask = SecretMask({**assignment.secrets, "": self._endpoint.key})
        try:
            model = await self._endpoint.model_for(assignment.llm_model, self._outbound)
            async with open_place(
                assignment, self._browser, self._private, self._upstream(assignment)
            ) as place:
                order = make_order(
                    assignment, self._endpoint, model, place.browser_url, place.folder
                )
                log = _Log(assignment.task_id, mask)
                async with await AgentProcess.start(self._python, place.folder, log) as agent:
                    await agent.send(order)
                    conversation = _Conversation(agent, place, control, mask, self._patience)
                    item = await conversation.next_item()
                    while isinstance(item, Step):
                        yield item
                        item = await conversation.next_item()
            yield item
        except NoModelError as error:
            yield Failed(mask.text(str(error)))
        except AgentEndedError as error:
            yield Failed(str(error))
        except BrowserNotStartedError as error:
            yield Failed(f"The browser could not be started: {error}.")

    async def aclose(self) -> None:
        """Close the connections to the model's endpoint."""
        await self._outbound.aclose()

    @property
    def _patience(self) -> int:
        return self._endpoint.answer_seconds + _STEP_SECONDS

    def _upstream(self, assignment: Assignment) -> Upstream | None:
        if not assignment.use_proxy:
            return None
        return self._proxies.get(assignment.proxy_country_code)


@attrs.frozen
class _Log:
    task_id: str
    mask: SecretMask

    def __call__(self, line: str) -> None:
        text = self.mask.text(line)[:_LONGEST_LOG_LINE]
        _logger.debug("the agent of task %s: %s", self.task_id, text)


@attrs.frozen
class _Conversation:
    """What an agent reports, as items of a task."""

    agent: AgentProcess
    place: Place
    control: Control
    mask: SecretMask
    patience: float

    async def next_item(self) -> Step | Finished | Failed:
        while True:
            message: Message = await self.agent.receive(self.patience)
            if message["kind"] != "checkpoint":
                return self._item(message)
            await self.control.checkpoint()
            await self.agent.send({})

    def _item(self, message: Message) -> Step | Finished | Failed:
        url, text = message.get("url", ""), message.get("text", "")
        picture = base64.b64decode(message.get("screenshot", "")) or None
        if message["kind"] == "step":
            goal, evaluation = message.get("next_goal", ""), message.get("evaluation", "")
            return self.mask.step(Step(goal, evaluation, url, picture, text))
        if message["kind"] == "failed":
            return self.mask.failure(Failed(text, url, picture))
        files = dict(map(self._file, message.get("files", ())))
        return self.mask.result(Finished(text, files, message.get("cookies", ())))

    def _file(self, made: MadeFile) -> tuple[str, bytes]:
        content = Path(self.place.folder, made["path"]).read_bytes()
        return made["name"], content if made["is_download"] else self.mask.content(content)
