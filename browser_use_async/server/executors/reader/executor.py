"""The executor itself: the plan of a task, the pages that it opens, the answer."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import attrs

from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.executors.protocol import (
    Assignment,
    Control,
    Failed,
    Finished,
    Step,
)
from browser_use_async.server.executors.reader.answer import NoAnswerError, answer
from browser_use_async.server.executors.reader.output_file import NothingToExportError
from browser_use_async.server.executors.reader.plan import (
    Action,
    FollowLink,
    OpenAddress,
    OpenFile,
    Plan,
    PlanRefusedError,
    read_task,
)
from browser_use_async.server.executors.reader.schema import SchemaRefusedError
from browser_use_async.server.executors.step_limiter import CannotContinueError, StepLimiter
from browser_use_async.server.html.page import Page, shorten
from browser_use_async.server.html.visit import PageNotOpenedError, open_file, open_page
from browser_use_async.server.html.words import choose_link
from browser_use_async.server.http_client import HttpClient
from browser_use_async.server.worker import WorkRefusedError, in_worker

_SHOWN_LINES = 12
_SHOWN_CHARACTERS = 800
_NAMED_LINKS = 12
_REASONS = (
    CannotContinueError,
    NoAnswerError,
    NothingToExportError,
    PlanRefusedError,
    SchemaRefusedError,
)


class TaskRun:
    """The pages of one task."""

    def __init__(
        self, name: str, assignment: Assignment, client: HttpClient, control: Control
    ) -> None:
        self._name = name
        self._assignment = assignment
        self._client = client
        self._limiter = StepLimiter(assignment, control)
        self._page: Page | None = None
        self._is_public = False  # whether that page came from a public host
        self._cookies: dict[tuple[str, str, str], Mapping[str, Any]] = {}
        self.answering: list[Page] = []
        """The pages that are part of the answer."""

    @property
    def url(self) -> str:
        """The address of the page at hand, empty before the first one."""
        return self._page.url if self._page is not None else ""

    @property
    def cookies(self) -> list[Mapping[str, Any]]:
        """What servers set on the way, the latest of each name, domain and path."""
        return list(self._cookies.values())

    async def perform(self, action: Action) -> Step | None:
        """Open what an action names.

        Raises:
            CannotContinueError: There is no such link, or no step left.
            PageNotOpenedError: The page or file cannot be opened or read.
        """
        target, step = await self._target(action.what), None
        if target is not None:
            evaluation = await self.begin_step(self._goal(action.what, target))
            followed = isinstance(action.what, FollowLink)
            self._page = await self._opened(target, from_public=followed and self._is_public)
            step = Step(
                next_goal=self._goal(action.what, target),
                evaluation_previous_goal=evaluation,
                url=self.url,
                text=_first_lines(self._page),
            )
        if action.answers and self._page is not None and self._page.url not in self._answer_urls():
            self.answering.append(self._page)
        return step

    async def begin_step(self, goal: str) -> str:
        """Wait while the task is paused, and count a step.

        Raises:
            CannotContinueError: No step is left.
        """
        await self._limiter.begin(goal)
        if self._page is None:
            return "None - this is the first step."
        return f"Success - “{self._page.title or self._page.url}” is open."

    def _answer_urls(self) -> list[str]:
        return [page.url for page in self.answering]

    async def _target(
        self, what: OpenAddress | OpenFile | FollowLink
    ) -> OpenAddress | OpenFile | None:
        if not isinstance(what, FollowLink):
            return what
        links = self._page.links if self._page is not None else ()
        try:
            link = await in_worker(choose_link, links, what.phrase)
        except WorkRefusedError as error:
            raise CannotContinueError(f"Comparing the links of {self.url} {error}.") from error
        if link is not None:
            return OpenAddress(link.url)
        if not what.needed:
            return None
        names = ", ".join(list(dict.fromkeys(one.text for one in links if one.text))[:_NAMED_LINKS])
        raise CannotContinueError(
            f"{self.url} has no link “{what.phrase}”. Its links: {names or 'none'}."
        )

    async def _opened(self, target: OpenAddress | OpenFile, *, from_public: bool) -> Page:
        if isinstance(target, OpenFile):
            self._is_public = True  # its links are no more the request's own than those of a page
            return await open_file(target.name, self._assignment.files[target.name])
        visit = await open_page(self._client, target.url, from_public=from_public)
        self._is_public = visit.is_public
        for cookie in visit.cookies:
            self._cookies[cookie["name"], cookie["domain"], cookie["path"]] = cookie
        return visit.page

    def _goal(
        self, what: OpenAddress | OpenFile | FollowLink, target: OpenAddress | OpenFile
    ) -> str:
        if isinstance(what, FollowLink):
            return f"Follow the link “{what.phrase}”"
        named = target.url if isinstance(target, OpenAddress) else f"the file {target.name}"
        # The first step says who is at work, so that nobody takes the rules for a language model.
        return f"{self._name}: open {named}" if self._limiter.steps == 1 else f"Open {named}"


def _first_lines(page: Page) -> str:
    lines = [page.title, *(line for line in page.text.splitlines() if line)]
    return shorten("\n".join(lines[:_SHOWN_LINES]).strip(), _SHOWN_CHARACTERS)


class ReaderExecutor:
    """Opens the pages that a task names, follows the links it names, and answers from them.

    It works by fixed rules and says so. It does not use forms, does not run scripts, and fails
    with a reason where its rules end. By default it goes to no address of this machine or of a
    private network but those of this machine that a task itself names with their ports.
    """

    name = "rule-based reader"

    def __init__(self, egress: Egress | None = None) -> None:
        self._egress = egress or Egress(allow_named_addresses=True)

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        client = HttpClient(self._egress.policy(assignment))
        run = TaskRun(self.name, assignment, client, control)
        try:
            plan = await _understood(assignment)
            for action in plan.actions:
                step = await run.perform(action)
                if step is not None:
                    yield step
            evaluation = await run.begin_step("Compose the answer")
            schema = assignment.structured_output_json
            finished = await answer(run.answering, plan, schema)
            shown = shorten(finished.output or "", _SHOWN_CHARACTERS)
            yield Step("Compose the answer", evaluation, run.url, text=shown)
            yield attrs.evolve(finished, cookies=run.cookies)
        except PageNotOpenedError as error:
            yield Failed(error.reason, error.url)
        except _REASONS as error:
            yield Failed(str(error), run.url)

    async def aclose(self) -> None:
        """Nothing is shared between tasks."""


async def _understood(assignment: Assignment) -> Plan:
    """The plan of a task, made in a worker, as is everything that comes of the text of others."""
    names = list(assignment.files)
    try:
        return await in_worker(read_task, assignment.task, names, assignment.structured_output_json)
    except WorkRefusedError as error:
        raise PlanRefusedError(f"Understanding the task {error}.") from error
