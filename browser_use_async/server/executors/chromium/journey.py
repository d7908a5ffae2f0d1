"""What one task does in its browser, deed by deed."""

from urllib.parse import quote

from browser_use_async.server.executors.chromium.acting import Actor
from browser_use_async.server.executors.chromium.connection import DevToolsError
from browser_use_async.server.executors.chromium.context import TaskBrowser
from browser_use_async.server.executors.chromium.deeds import (
    BrowserAction,
    Deed,
    Extract,
    TakePicture,
    goal_of,
)
from browser_use_async.server.executors.pace import Pace
from browser_use_async.server.executors.protocol import Assignment, Control, Step
from browser_use_async.server.executors.reader.plan import FollowLink, OpenFile
from browser_use_async.server.html.document import (
    UnreadableDocumentError,
    read_document,
    type_of_file,
)
from browser_use_async.server.html.page import Page, shorten
from browser_use_async.server.html.visit import PageNotOpenedError

_SHOWN_CHARACTERS = 800


class BrowserJourney:
    """The way of one task through its browser.

    Args:
        name: What the executor calls itself in the first step.
        assignment: The task.
        browser: Its browser.
        control: Awaited before each step.
        way_out: How its connections leave this machine, as a sentence; empty if as usual.

    Attributes:
        answering: The pages that are part of the answer.
        files: The output files so far.
    """

    def __init__(
        self,
        name: str,
        assignment: Assignment,
        browser: TaskBrowser,
        control: Control,
        way_out: str,
    ) -> None:
        self._name = name
        self._assignment = assignment
        self._browser = browser
        self._actor = Actor(browser, control)
        self._hands = self._actor.hands()
        self._pace = Pace(assignment, control)
        self._way_out = way_out
        self._document: Page | None = None
        """A file or a download that was opened, and is no page of the browser."""
        self.answering: list[Page] = []
        self.files: dict[str, bytes] = {}

    async def take(self, action: BrowserAction) -> Step | None:
        """Do one thing.

        Args:
            action: The thing.

        Returns:
            The step, or None when the words that might have named a link name none.

        Raises:
            DeadEndError: It cannot be done, or no step is left.
            ElementNotFoundError: There is no such thing on the page.
            NotFillableError: A field does not take a value.
            PageNotOpenedError: A page cannot be opened or read.
            DevToolsError: The page or the browser is gone or hangs.
        """
        deed, step = action.deed, None
        if not await self._is_idle(deed):
            evaluation = await self.begin_step()
            await self._do(deed)
            self.files.update(self._browser.downloads.files)
            step = await self.step(self._goal(deed), evaluation)
        if action.answers or isinstance(deed, Extract):
            await self._read()
        return step

    async def take_downloads(self) -> None:
        """Keep what has been downloaded without anybody waiting for it, such as by a script."""
        await self._browser.downloads.finish()
        self.files.update(self._browser.downloads.files)

    async def begin_step(self) -> str:
        """Wait while the task is paused, and count a step.

        Returns:
            How the step before went.

        Raises:
            DeadEndError: No step is left.
            DevToolsError: The page is gone or hangs.
        """
        await self._pace.begin()
        if self._pace.steps == 1:
            return f"None - this is the first step. {self._way_out}".strip()
        return " ".join([f"Success - “{await self._title()}” is open.", *await self._remarks()])

    async def step(self, goal: str, evaluation: str, text: str = "") -> Step:
        """A step that has just been taken, with a picture of the page.

        Args:
            goal: What it set out to do.
            evaluation: How the step before went.
            text: What to show of it; by default the beginning of the page.

        Raises:
            DevToolsError: The page is gone or hangs.
        """
        document = self._document
        if document is not None:
            shown = text or f"{document.title}\n{document.text}"
            return Step(goal, evaluation, document.url, text=shorten(shown, _SHOWN_CHARACTERS))
        tab = await self._browser.current()
        shown = text or str(await tab.ask("text"))
        picture = await self.picture()
        return Step(goal, evaluation, tab.document.url, picture, shorten(shown, _SHOWN_CHARACTERS))

    async def picture(self) -> bytes | None:
        """A picture of the page, or None if the server keeps none.

        Raises:
            DevToolsError: The page is gone or hangs.
        """
        if not self._assignment.takes_screenshots:
            return None
        outlined = self._assignment.highlight_elements
        return await self._actor.picture(outlined=outlined)

    async def last_picture(self) -> bytes | None:
        """A picture for a task that fails, if there still is something to be seen."""
        try:
            return await self.picture() if self._document is None else None
        except DevToolsError:
            return None

    async def url(self) -> str:
        """The address of the page at hand; empty when there is none."""
        if self._document is not None:
            return self._document.url
        try:
            address = (await self._browser.current()).document.url
        except DevToolsError:
            return ""
        return "" if address == "about:blank" else address

    # --- the deeds ------------------------------------------------------------------------

    async def _is_idle(self, deed: Deed) -> bool:
        """Whether a deed is one that is left out: a link that the task perhaps does not mean."""
        if not isinstance(deed, FollowLink) or deed.needed:
            return False
        return not await self._actor.has(deed.phrase)

    async def _do(self, deed: Deed) -> None:
        if isinstance(deed, OpenFile):
            self._document = await self._opened_file(deed.name)
        elif isinstance(deed, TakePicture):
            self.files[deed.name] = await self._actor.picture(outlined=False)
        elif not isinstance(deed, Extract):
            self._document = await self._hands[type(deed)](deed)

    async def _opened_file(self, name: str) -> Page:
        url = f"file:///{quote(name)}"
        try:
            return await read_document(url, type_of_file(name), self._assignment.files[name])
        except UnreadableDocumentError as error:
            raise PageNotOpenedError(f"The file {name} cannot be read: {error}.", url) from error

    async def _read(self) -> None:
        page = self._document or await self._actor.read()
        if (page.url, page.text) not in [(one.url, one.text) for one in self.answering]:
            self.answering.append(page)

    # --- words ----------------------------------------------------------------------------

    async def _title(self) -> str:
        if self._document is not None:
            return self._document.title or self._document.url
        tab = await self._browser.current()
        return str(await tab.ask("title")) or tab.document.url

    async def _remarks(self) -> list[str]:
        """What happened beside what was asked for since the last step."""
        tab = await self._browser.current()
        said = [f"The page said: “{text}”." for text in tab.dialogs]
        tab.dialogs.clear()
        refusals = self._browser.gateway.take_refusals()
        refused = [f"Refused: {each}." for each in refusals if not each.is_advertising]
        blocked = [each.destination.host for each in refusals if each.is_advertising]
        if blocked:
            refused.append(f"Blocked as advertising: {', '.join(dict.fromkeys(blocked))}.")
        problems, self._browser.downloads.problems = self._browser.downloads.problems, []
        return [*said, *dict.fromkeys(refused), *(f"{each}." for each in problems)]

    def _goal(self, deed: Deed) -> str:
        goal = goal_of(deed)
        # The first step says who is at work, so that nobody takes the rules for a language model.
        if self._pace.steps == 1:
            return f"{self._name}: {goal[0].lower()}{goal[1:]}"
        return goal
