"""The run of one task in its browser context: its steps, their pictures and words."""

from browser_use_async.server.executors.browser.action_runner import ActionRunner
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.launch import BrowserError
from browser_use_async.server.executors.browser.page import MOST_URL_CHARACTERS
from browser_use_async.server.executors.instructions.actions import (
    Action,
    Click,
    OpenFile,
    PlannedAction,
    TakePicture,
    goal_of,
)
from browser_use_async.server.executors.protocol import Control, StepLimiter
from browser_use_async.server.executors.scripts.hands import HandsView
from browser_use_async.server.executors.scripts.run_notes import RunRecording
from browser_use_async.server.html.page import Page, shorten
from browser_use_async.server.html.visit import open_file
from browser_use_async.server.records import Assignment, Step

SHOWN_CHARACTERS = 800
_TITLE_CHARACTERS = 300


class TaskRun:
    """The run of one task in its context."""

    def __init__(
        self,
        name: str,
        assignment: Assignment,
        context: TaskContext,
        control: Control,
        proxy_note: str,
    ) -> None:
        self._name = name
        self._assignment = assignment
        self._context = context
        self.runner = ActionRunner(context, assignment, control)
        self._limiter = StepLimiter(assignment, control)
        self._proxy_note = proxy_note
        # A file or a download that was opened, and is no page of the browser.
        self._document: Page | None = None
        self.answering: list[Page] = []  # what is part of the answer
        self.files: dict[str, bytes] = {}  # the output files so far
        self.recording: RunRecording | None = None  # notes what is done, for a script
        self.hands: HandsView | None = None  # what a person does on the live page

    async def perform(self, planned: PlannedAction) -> Step | None:
        """Carry out one action; None when the words that might name a link name none."""
        action, step = planned.action, None
        if not await self._is_needless(action):
            evaluation = await self.begin_step(goal_of(action))
            await self._perform(action)
            self.files.update(self._context.downloads.files)
            step = await self.step(self._goal(action), evaluation)
        if planned.answers:
            await self._read()
        return step

    async def take_downloads(self) -> None:
        """Keep the downloads that no action waits for, such as those of a script."""
        await self._context.downloads.finish()
        self.files.update(self._context.downloads.files)

    async def begin_step(self, goal: str = "") -> str:
        """Wait while the task is paused, and count a step; how the one before went."""
        await self._limiter.begin(goal)
        if self._limiter.steps == 1:
            return f"None - this is the first step. {self._proxy_note}".strip()
        return " ".join([f"Success - “{await self._title()}” is open.", *await self._remarks()])

    async def step(self, goal: str, evaluation: str, text: str = "") -> Step:
        """A step that has just been taken, with a picture of the page."""
        document = self._document
        if document is not None:
            shown = text or f"{document.title[:_TITLE_CHARACTERS]}\n{document.text}"
            url = document.url[:MOST_URL_CHARACTERS]
            return Step(goal, evaluation, url, text=shorten(shown, SHOWN_CHARACTERS))
        page = await self._context.current()
        shown, picture = await self._look()
        text = shorten(text or shown, SHOWN_CHARACTERS)
        return Step(goal, evaluation, page.document.url, picture, text)

    async def last_screenshot(self) -> bytes | None:
        """A picture for a task that fails, if there still is something to be seen."""
        try:
            return (await self._look())[1] if self._document is None else None
        except BrowserError:
            return None

    async def url(self) -> str:
        """The address of the page at hand; empty when there is none."""
        if self._document is not None:
            return self._document.url[:MOST_URL_CHARACTERS]
        try:
            address = (await self._context.current()).document.url
        except BrowserError:
            return ""
        return "" if address == "about:blank" else address

    async def _look(self) -> tuple[str, bytes | None]:
        """The page's text, and a picture unless the server keeps none."""
        if not self._assignment.takes_screenshots:
            return await self.runner.text(), None
        return await self.runner.look(outlined=self._assignment.highlight_elements)

    # --- actions --------------------------------------------------------------------------

    async def _is_needless(self, action: Action) -> bool:
        """Whether an action is left out: a link that the task perhaps does not mean."""
        if not isinstance(action, Click) or action.needed:
            return False
        return not await self.runner.has(action.phrase)

    async def _perform(self, action: Action) -> None:
        if isinstance(action, OpenFile):
            if self.recording is not None:
                self.recording.note_problem("a file of the task was read, and no page")
            self._document = await open_file(action.name, self._assignment.files[action.name])
        elif isinstance(action, TakePicture):
            self.files[action.name] = await self.runner.screenshot()
        elif self.recording is None:
            self._document = await self.runner.perform(action)
        else:
            page = await self._context.current()
            element = await self.runner.element_of(action)
            noted = await self.recording.note(page, action, element)
            self._document = await self.runner.perform(*noted)

    async def _read(self) -> None:
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
        """What happened beside what was asked for since the last step."""
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

    def _goal(self, action: Action) -> str:
        goal = goal_of(action)
        # The first step names the executor, so that rules are not taken for a language model.
        if self._limiter.steps == 1:
            return f"{self._name}: {goal[0].lower()}{goal[1:]}"
        return goal
