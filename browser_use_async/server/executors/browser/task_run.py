"""The run of one task in its browser context: its steps with their pictures and texts."""

import re

import attrs

from browser_use_async.server.executors.browser.action_runner import ActionRunner
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.elements import Element
from browser_use_async.server.executors.browser.launch import BrowserError
from browser_use_async.server.executors.browser.page import MOST_URL_CHARACTERS
from browser_use_async.server.executors.instructions import actions
from browser_use_async.server.executors.protocol import CannotContinueError, StepLimiter
from browser_use_async.server.html.page import Page, shorten
from browser_use_async.server.html.visit import open_file
from browser_use_async.server.records import Assignment, Step

_TITLE_CHARACTERS = 300
_PICTURE_NAME = re.compile(r"\w[\w .-]*")
_NAME_BYTES = 255  # that file systems accept


@attrs.define(eq=False)
class TaskRun:
    """Carries out the actions of one task, and makes a step of each."""

    _name: str
    _assignment: Assignment
    _context: TaskContext
    _limiter: StepLimiter
    _proxy_note: str
    runner: ActionRunner
    _document: Page | None = None  # the open file or download, if it is no page of the browser
    answering: list[Page] = attrs.field(factory=list)  # the pages of the answer
    files: dict[str, bytes] = attrs.field(factory=dict)  # the output files so far

    async def take_downloads(self) -> None:
        """Keep downloads that no action waits for, such as those of a script."""
        await self._context.downloads.finish()
        self.files.update(self._context.downloads.files)

    async def begin_step(self, goal: str = "") -> str:
        """Wait while the task is paused, count a step, and return the previous evaluation."""
        await self._limiter.begin(goal)
        if self._limiter.steps == 1:
            return f"None - this is the first step. {self._proxy_note}".strip()
        return " ".join([f"Success - “{await self._title()}” is open.", *await self._remarks()])

    async def step(self, goal: str, evaluation: str) -> Step:
        """Make the step of the latest action, with a screenshot of the page."""
        if self._document is not None:
            return Step(goal, evaluation, self._document.url[:MOST_URL_CHARACTERS])
        page = await self._context.current()
        return Step(goal, evaluation, page.document.url, await self._look())

    async def last_screenshot(self) -> bytes | None:
        """Take a screenshot for a task that fails, if the browser still answers."""
        try:
            return await self._look() if self._document is None else None
        except BrowserError:
            return None

    async def url(self) -> str:
        """Return the address of the current page, or an empty text."""
        if self._document is not None:
            return self._document.url[:MOST_URL_CHARACTERS]
        try:
            address = (await self._context.current()).document.url
        except BrowserError:
            return ""
        return "" if address == "about:blank" else address

    async def _look(self) -> bytes | None:
        """Return a screenshot, or None if the server keeps none."""
        if not self._assignment.takes_screenshots:
            return None
        if self._assignment.highlight_elements:
            return await self.runner.outlined_screenshot()
        return await self.runner.screenshot()

    # --- actions --------------------------------------------------------------------------

    async def act(self, action: actions.Action, element: Element | None = None) -> None:
        """Carry out an action."""
        if isinstance(action, actions.OpenFile):
            self._document = await open_file(action.name, self._assignment.files[action.name])
            return
        if not isinstance(action, actions.TakePicture):
            self._document = await self.runner.perform(action, element)
            self.files.update(self._context.downloads.files)
            return
        # The inputs of a script are in the name only now.
        if not _PICTURE_NAME.fullmatch(action.name) or len(action.name.encode()) > _NAME_BYTES:
            raise CannotContinueError(
                f"{shorten(action.name, 100)} cannot be written: the name of a file has letters, "
                f"digits, spaces, dots, hyphens and underscores, {_NAME_BYTES} bytes at most."
            )
        self.files[action.name] = await self.runner.screenshot()

    async def read(self) -> None:
        """Keep the page at hand as a part of the answer."""
        page = self._document or await self.runner.read()
        if (page.url, page.text) not in [(one.url, one.text) for one in self.answering]:
            self.answering.append(page)

    # --- words ----------------------------------------------------------------------------

    async def _title(self) -> str:
        if self._document is not None:
            return (self._document.title or self._document.url)[:_TITLE_CHARACTERS]
        title = str(await self._context.ask(lambda page: page.ask("title")))
        return (title or (await self._context.current()).document.url)[:_TITLE_CHARACTERS]

    async def _remarks(self) -> list[str]:
        """Return sentences about dialogs, refusals and problems since the last step."""
        page = await self._context.current()
        said = [f"The page said: “{text}”." for text in page.dialogs]
        page.dialogs.clear()
        if page.chooser is not None:
            said.append("The page asks for a file; only a step that uploads one gives it.")
        refusals = self._context.gateway.notes.take_refusals()
        refused = [f"Refused: {each}." for each in refusals if not each.is_advertising]
        blocked = [each.destination.host for each in refusals if each.is_advertising]
        if blocked:
            refused.append(f"Blocked as advertising: {', '.join(dict.fromkeys(blocked))}.")
        problems = self._context.downloads.take_problems()
        return [*said, *dict.fromkeys(refused), *(f"{each}." for each in problems)]

    def goal(self, goal: str) -> str:
        """The goal of a step of a plan."""
        # The first step names the executor, so that its rules are not mistaken for a model.
        if self._limiter.steps == 1:
            return f"{self._name}: {goal[0].lower()}{goal[1:]}"
        return goal
