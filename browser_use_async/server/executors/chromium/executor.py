"""The executor itself: a browser, a plan, a journey, an answer."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing

import attrs

from browser_use_async.server.executors.chromium.connection import DevToolsError
from browser_use_async.server.executors.chromium.context import TaskBrowser
from browser_use_async.server.executors.chromium.deeds import BrowserAction, BrowserPlan, Fill
from browser_use_async.server.executors.chromium.elements import (
    ElementNotFoundError,
    NotFillableError,
)
from browser_use_async.server.executors.chromium.finding import require_browser
from browser_use_async.server.executors.chromium.journey import BrowserJourney
from browser_use_async.server.executors.chromium.live import LiveView
from browser_use_async.server.executors.chromium.memory import browsers_that_fit
from browser_use_async.server.executors.chromium.plan import read_browser_plan
from browser_use_async.server.executors.chromium.pool import BrowserPool
from browser_use_async.server.executors.chromium.process import BrowserNotStartedError
from browser_use_async.server.executors.chromium.recording import FilmMaker, Recording
from browser_use_async.server.executors.chromium.settings import ChromiumSettings
from browser_use_async.server.executors.pace import DeadEndError
from browser_use_async.server.executors.protocol import (
    Assignment,
    Control,
    Failed,
    Finished,
    Step,
)
from browser_use_async.server.executors.reader.answer import NoAnswerError, answer
from browser_use_async.server.executors.reader.output_file import NothingToExportError
from browser_use_async.server.executors.reader.plan import PlanRefusedError
from browser_use_async.server.executors.reader.schema import Schema, SchemaRefusedError
from browser_use_async.server.executors.viewing import View
from browser_use_async.server.html.page import shorten
from browser_use_async.server.html.visit import PageNotOpenedError
from browser_use_async.server.worker import WorkRefusedError, in_worker

_UNDERSTANDING = (PlanRefusedError, SchemaRefusedError)
_SHOWN_CHARACTERS = 800


class ChromiumExecutor:
    """Carries tasks out in a real browser, by fixed rules and without a language model.

    It opens the pages that a task names, does what its instructions say one by one, and answers
    from what is to be read then. It fails with a reason where its rules end.

    Args:
        settings: What the operator decides about the browser.

    Raises:
        ConfigurationError: There is no browser, or a setting cannot be used.
    """

    name = "rule-based Chromium"
    reports_start = True  # a task waits for one of few browsers

    def __init__(self, settings: ChromiumSettings | None = None) -> None:
        settings = settings or ChromiumSettings()
        self._egress = settings.egress()
        self._pool = BrowserPool(
            require_browser(settings.browser), settings.max_browsers or browsers_that_fit()
        )
        self._films = FilmMaker()
        self._browsers: dict[str, TaskBrowser] = {}

    @property
    def pool(self) -> BrowserPool:
        """The shared browser."""
        return self._pool

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task.

        Args:
            assignment: The task.
            control: Awaited before each step.

        Yields:
            A step for each thing that is done and one for the answer, then `Finished`; or
            `Failed` with the reason.
        """
        try:
            plan = await _understood(assignment)
        except _UNDERSTANDING as error:
            yield Failed(str(error))
            return
        try:
            async with aclosing(self._browse(assignment, control, plan)) as items:
                async for item in items:
                    yield item
        except BrowserNotStartedError as error:
            yield Failed(f"The browser did not start: {error}.")
        except DevToolsError as error:
            yield Failed(f"The browser gave up: {error}.")

    def view(self, task_id: str) -> View | None:
        """The browser of a task, or None before it has one and after it has ended.

        Args:
            task_id: The task.
        """
        browser = self._browsers.get(task_id)
        return LiveView(browser.screencast) if browser is not None else None

    async def aclose(self) -> None:
        """End the browser."""
        await self._pool.aclose()

    async def _browse(
        self, assignment: Assignment, control: Control, plan: BrowserPlan
    ) -> AsyncGenerator[Step | Finished | Failed, None]:
        rules = self._egress.policy(assignment)
        upstream, way_out = self._egress.upstream(assignment)
        async with AsyncExitStack() as stack:
            browser = await stack.enter_async_context(self._pool.place(assignment, rules, upstream))
            self._browsers[assignment.task_id] = browser
            control.started()
            stack.callback(self._browsers.pop, assignment.task_id)
            film = await self._film(assignment, browser)
            if film is not None:
                stack.push_async_callback(film.abandon)
            journey = BrowserJourney(self.name, assignment, browser, control, way_out)
            async with aclosing(_travel(journey, browser, assignment, plan)) as items:
                async for item in items:
                    if isinstance(item, Step):
                        yield item
                        continue
                    recordings = await film.finish() if film is not None else {}
                    yield attrs.evolve(item, recordings=recordings)

    async def _film(self, assignment: Assignment, browser: TaskBrowser) -> Recording | None:
        if not assignment.takes_recording:
            return None
        return await self._films.record(browser.screencast, assignment.viewport, browser.folder)


async def _understood(assignment: Assignment) -> BrowserPlan:
    """The plan of a task, made in a worker, as is everything that comes of the text of others."""
    files, schema = list(assignment.files), assignment.structured_output_json
    # A plan needs the names of secrets only. Their values stay in this process.
    names = dict.fromkeys(assignment.secrets, "")
    try:
        plan = await in_worker(read_task, assignment.task, files, names, schema)
    except WorkRefusedError as error:
        raise PlanRefusedError(f"Understanding the task {error}.") from error
    actions = [_with_secret(action, assignment.secrets) for action in plan.actions]
    return attrs.evolve(plan, actions=tuple(actions))


def _with_secret(action: BrowserAction, secrets: Mapping[str, str]) -> BrowserAction:
    if isinstance(action.deed, Fill) and action.deed.secret:
        value = secrets[action.deed.secret]
        return attrs.evolve(action, deed=attrs.evolve(action.deed, value=value))
    return action


def read_task(
    task: str,
    files: Sequence[str],
    secrets: Mapping[str, str],
    structured_output_json: str | None,
) -> BrowserPlan:
    """The plan of a task.

    Raises:
        PlanRefusedError: Something in the text is not understood.
        SchemaRefusedError: The schema of its answer cannot be followed.
    """
    if structured_output_json is not None:
        Schema(structured_output_json)
    return read_browser_plan(task, files, secrets, structured=structured_output_json is not None)


async def _travel(
    journey: BrowserJourney, browser: TaskBrowser, assignment: Assignment, plan: BrowserPlan
) -> AsyncGenerator[Step | Finished | Failed, None]:
    try:
        for action in plan.actions:
            step = await journey.take(action)
            if step is not None:
                yield step
        await journey.take_downloads()
        evaluation = await journey.begin_step()
        schema = assignment.structured_output_json
        finished = await answer(journey.answering, plan, schema)
        shown = shorten(finished.output or "", _SHOWN_CHARACTERS)
        yield await journey.step("Compose the answer", evaluation, shown)
        files = {**journey.files, **finished.files}
        yield attrs.evolve(finished, files=files, cookies=await browser.cookies())
    except PageNotOpenedError as error:
        yield Failed(error.reason, error.url, await journey.last_picture())
    except (
        DeadEndError,
        ElementNotFoundError,
        NoAnswerError,
        NotFillableError,
        NothingToExportError,
    ) as error:
        yield Failed(str(error), await journey.url(), await journey.last_picture())
