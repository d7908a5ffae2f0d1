"""The executor itself: a browser context, the actions of a plan with a step for each, an answer."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

import attrs

from browser_use_async.server.executors.browser.action_runner import ActionRunner
from browser_use_async.server.executors.browser.browser_folder import BrowserProgram
from browser_use_async.server.executors.browser.browser_pool import BrowserPool, browsers_that_fit
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.launch import BrowserError, BrowserNotStartedError
from browser_use_async.server.executors.browser.live_view import LiveView
from browser_use_async.server.executors.browser.locate import require_browser
from browser_use_async.server.executors.browser.page import MOST_URL_CHARACTERS
from browser_use_async.server.executors.browser.recorder import Recorder
from browser_use_async.server.executors.browser.remote import RemoteBrowsers
from browser_use_async.server.executors.instructions.actions import (
    Action,
    Click,
    Fill,
    OpenFile,
    Plan,
    PlannedAction,
    TakePicture,
    goal_of,
)
from browser_use_async.server.executors.instructions.plan import understood
from browser_use_async.server.executors.protocol import (
    CannotContinueError,
    Control,
    Executor,
    StepLimiter,
)
from browser_use_async.server.executors.reader.answer import answer
from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.executors.settings import BrowserEndpoint, ChromiumSettings
from browser_use_async.server.executors.view import View
from browser_use_async.server.html.page import Page, shorten
from browser_use_async.server.html.visit import PageNotOpenedError, open_file
from browser_use_async.server.one_time_codes import SeedRefusedError, typed_text
from browser_use_async.server.records import Assignment, Failed, Finished, Step

_SHOWN_CHARACTERS = 800
_TITLE_CHARACTERS = 300

_TRACE_NAME = "trace.zip"


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
        self._runner = ActionRunner(context, assignment, control)
        self._limiter = StepLimiter(assignment, control)
        self._proxy_note = proxy_note
        # A file or a download that was opened, and is no page of the browser.
        self._document: Page | None = None
        self.answering: list[Page] = []  # what is part of the answer
        self.files: dict[str, bytes] = {}  # the output files so far

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
            return Step(goal, evaluation, url, text=shorten(shown, _SHOWN_CHARACTERS))
        page = await self._context.current()
        shown, picture = await self._look()
        text = shorten(text or shown, _SHOWN_CHARACTERS)
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
            return await self._runner.text(), None
        return await self._runner.look(outlined=self._assignment.highlight_elements)

    # --- actions --------------------------------------------------------------------------

    async def _is_needless(self, action: Action) -> bool:
        """Whether an action is left out: a link that the task perhaps does not mean."""
        if not isinstance(action, Click) or action.needed:
            return False
        return not await self._runner.has(action.phrase)

    async def _perform(self, action: Action) -> None:
        if isinstance(action, OpenFile):
            self._document = await open_file(action.name, self._assignment.files[action.name])
        elif isinstance(action, TakePicture):
            self.files[action.name] = await self._runner.screenshot()
        else:
            self._document = await self._runner.perform(action)

    async def _read(self) -> None:
        page = self._document or await self._runner.read()
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


class ChromiumExecutor(Executor):
    """Carries tasks out in a real browser, by fixed rules and without a language model."""

    name = "rule-based Chromium"
    reports_start = True  # a task waits for one of few browsers

    def __init__(self, settings: ChromiumSettings | None = None) -> None:
        settings = settings or ChromiumSettings()
        self._egress = settings.egress()
        self._trace = settings.trace
        trace = settings.trace != "off"
        self._endpoint = BrowserEndpoint.find(settings)
        if self._endpoint is not None:
            capacity = settings.max_browsers or 1
            self.pool: BrowserPool | RemoteBrowsers = RemoteBrowsers(
                self._endpoint, capacity, trace=trace
            )
        else:
            program = BrowserProgram.of(require_browser(settings.browser), sandbox=settings.sandbox)
            capacity = settings.max_browsers or browsers_that_fit()
            self.pool = BrowserPool(
                program, capacity, trace=trace, megabytes=settings.browser_memory_mb
            )
        self.capacity = capacity  # how many tasks have a browser at once
        self._recorder = Recorder()
        self._views: dict[str, LiveView] = {}

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        try:
            plan = await understood(assignment, in_browser=True)
            _check_seeds(assignment, plan)
        except CannotContinueError as error:
            yield Failed(str(error))
            return
        try:
            async with aclosing(self._browse(assignment, control, plan)) as items:
                async for item in items:
                    yield item
        except BrowserNotStartedError as error:
            yield Failed(f"The browser did not start: {error}.")
        except BrowserError as error:
            yield Failed(f"The browser gave up: {error}.")

    def view(self, task_id: str) -> View | None:
        """The browser of a task, or None before it has one and after it has ended."""
        return self._views.get(task_id)

    async def aclose(self) -> None:
        """End the browser."""
        await self.pool.aclose()

    async def _browse(
        self, assignment: Assignment, control: Control, plan: Plan
    ) -> AsyncGenerator[Step | Finished | Failed, None]:
        policy = self._egress.policy(assignment)
        if self._endpoint is not None:
            upstream, proxy_note = None, self._endpoint.note(assignment)
        else:
            upstream, proxy_note = self._egress.upstream(assignment)
        async with AsyncExitStack() as stack:
            room = self.pool.context(assignment, policy, upstream)
            context = await stack.enter_async_context(room)
            view = LiveView(context.playwright_context, assignment.viewport)
            stack.push_async_callback(view.aclose)
            self._views[assignment.task_id] = view
            control.started()
            stack.callback(self._views.pop, assignment.task_id)
            recording = None
            if assignment.takes_recording:
                recording = self._recorder.record(view.screencast, context.folder)
                stack.push_async_callback(recording.abandon)
            task_run = TaskRun(self.name, assignment, context, control, proxy_note)
            async with aclosing(_perform(task_run, context, assignment, plan)) as items:
                async for item in items:
                    if isinstance(item, Step):
                        yield item
                        continue
                    recordings = await recording.finish() if recording is not None else {}
                    ended = await self._with_trace(item, context)
                    began = recording.began if recording is not None else None
                    yield attrs.evolve(ended, recordings=recordings, recorded_from=began)

    async def _with_trace(self, item: Finished | Failed, context: TaskContext) -> Finished | Failed:
        wanted = self._trace == "always" or (self._trace == "failure" and isinstance(item, Failed))
        trace = await context.trace() if wanted else None
        if trace is None:
            return item
        return attrs.evolve(item, files={**item.files, _TRACE_NAME: trace})


def _check_seeds(assignment: Assignment, plan: Plan) -> None:
    """Refuse one-time codes that cannot be made, before anything is done."""
    fills = (each.action for each in plan.actions if isinstance(each.action, Fill))
    try:
        for secret in (each.secret for each in fills if each.secret):
            typed_text(secret, assignment.secrets[secret])
    except SeedRefusedError as error:
        raise CannotContinueError(str(error)) from None


async def _perform(
    task_run: TaskRun, context: TaskContext, assignment: Assignment, plan: Plan
) -> AsyncGenerator[Step | Finished | Failed, None]:
    try:
        for action in plan.actions:
            step = await task_run.perform(action)
            if step is not None:
                yield step
        await task_run.take_downloads()
        evaluation = await task_run.begin_step("Compose the answer")
        schema = assignment.structured_output_json
        finished = await answer(task_run.answering, plan, schema)
        shown = shorten(finished.output or "", _SHOWN_CHARACTERS)
        yield await task_run.step("Compose the answer", evaluation, shown)
        # Downloads stay unchanged; secrets are masked in the files that are written here.
        mask = SecretRedactor(assignment.secrets)
        written = {name: mask.content(content) for name, content in finished.files.items()}
        files = {**task_run.files, **written}
        yield attrs.evolve(finished, files=files, cookies=await context.cookies())
    except PageNotOpenedError as error:
        yield Failed(error.reason, error.url, await task_run.last_screenshot())
    except CannotContinueError as error:
        yield Failed(str(error), await task_run.url(), await task_run.last_screenshot())
