"""Executor that takes the steps of a task without a browser: it opens, follows links and reads.

Every other step needs a browser.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable

import attrs

from browser_use_async.server.egress.http_client import HttpClient
from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.executors.answers.composition import compose
from browser_use_async.server.executors.instructions import actions
from browser_use_async.server.executors.instructions.plan import read_plan_of
from browser_use_async.server.executors.protocol import (
    CannotContinueError,
    Control,
    Executor,
    StepLimiter,
)
from browser_use_async.server.html.page import Page
from browser_use_async.server.html.visit import Cookies, PageNotOpenedError, open_file, open_page
from browser_use_async.server.html.words import links_named
from browser_use_async.server.records import Assignment, Failed, Finished, Step

_NAMED_LINKS = 12


@attrs.define(eq=False)
class TaskRun:
    """The pages of one task."""

    _name: str
    _assignment: Assignment
    _client: HttpClient
    _limiter: StepLimiter
    _page: Page | None = None
    _is_public: bool = False  # whether that page came from a public host
    cookies: Cookies = attrs.field(init=False)
    answering: list[Page] = attrs.field(factory=list)  # the pages that are part of the answer

    def __attrs_post_init__(self) -> None:
        self.cookies = Cookies(self._assignment.cookies)

    @property
    def url(self) -> str:
        """The address of the page at hand, empty before the first one."""
        return self._page.url if self._page is not None else ""

    async def perform(self, planned: actions.PlannedAction) -> Step | None:
        """Open what an action names."""
        action, step = planned.action, None
        target = await self._target(action)
        if target is not None:
            evaluation = await self.begin_step(self._goal(action, target))
            followed = isinstance(action, actions.Click)
            self._page = await self._opened(target, from_public=followed and self._is_public)
            step = Step(
                next_goal=self._goal(action, target),
                evaluation_previous_goal=evaluation,
                url=self.url,
            )
        known = {page.url for page in self.answering}
        if planned.answers and self._page is not None and self._page.url not in known:
            self.answering.append(self._page)
        return step

    async def begin_step(self, goal: str) -> str:
        """Wait while the task is paused, and count a step."""
        await self._limiter.begin(goal)
        if self._page is None:
            return "None - this is the first step."
        return f"Success - “{self._page.title or self._page.url}” is open."

    async def _target(self, action: actions.Action) -> actions.Target | None:
        if isinstance(action, actions.Target):
            return action
        assert isinstance(action, actions.Click)  # no other is in a plan without a browser
        links = self._page.links if self._page is not None else ()
        named = await asyncio.to_thread(links_named, links, action.phrase)
        if len(named) == 1:
            return actions.OpenAddress(named[0].url)
        if named:
            raise CannotContinueError(
                f"{self.url} has {len(named)} links called “{action.phrase}”: "
                f"{_names(f'{each.text or each.hint} ({each.url})' for each in named)}. "
                "Name one by more of its words, or open its address."
            )
        if not action.needed:
            return None
        raise CannotContinueError(
            f"{self.url} has no link “{action.phrase}”. "
            f"Its links: {_names(each.text for each in links)}."
        )

    async def _opened(self, target: actions.Target, *, from_public: bool) -> Page:
        if isinstance(target, actions.OpenFile):
            self._is_public = True  # its links are no more the request's own than those of a page
            return await open_file(target.name, self._assignment.files[target.name])
        visit = await open_page(
            self._client, target.url, from_public=from_public, cookies=self.cookies
        )
        self._is_public = visit.is_public
        return visit.page

    def _goal(self, action: actions.Action, target: actions.Target) -> str:
        if isinstance(action, actions.Click):
            return f"Follow the link “{action.phrase}”"
        named = target.url if isinstance(target, actions.OpenAddress) else f"the file {target.name}"
        # The first step names the executor, so that rules are not taken for a language model.
        return f"{self._name}: open {named}" if self._limiter.steps == 1 else f"Open {named}"


def _names(names: Iterable[str]) -> str:
    return ", ".join([*dict.fromkeys(filter(None, names))][:_NAMED_LINKS]) or "none"


class PlainExecutor(Executor):
    """Opens the pages that a task names, follows the links it names, and answers from them."""

    name = "steps without a browser"

    def __init__(self, egress: Egress | None = None) -> None:
        self._egress = egress or Egress(allow_named_addresses=True)

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        client = HttpClient(self._egress.policy(assignment))
        run = TaskRun(self.name, assignment, client, StepLimiter(assignment, control))
        try:
            plan = read_plan_of(assignment, in_browser=False)
            for planned in plan.actions:
                step = await run.perform(planned)
                if step is not None:
                    yield step
            evaluation = await run.begin_step("Compose the answer")
            schema = assignment.structured_output_json
            finished = await compose(run.answering, plan, schema)
            yield Step("Compose the answer", evaluation, run.url)
            yield attrs.evolve(finished, cookies=run.cookies.all())
        except PageNotOpenedError as error:
            yield Failed(error.reason, error.url)
        except CannotContinueError as error:
            yield Failed(str(error), run.url)

    async def aclose(self) -> None:
        """Nothing is shared between tasks."""
