"""Executor that carries out plans and scripts in a browser context, with a step for each action."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from functools import partial

import attrs

from browser_use_async.server.executors.agent.model import Model
from browser_use_async.server.executors.browser.action_runner import ActionRunner
from browser_use_async.server.executors.browser.browser_folder import BrowserProgram
from browser_use_async.server.executors.browser.browser_pool import BrowserPool, browsers_that_fit
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.launch import BrowserError, BrowserNotStartedError
from browser_use_async.server.executors.browser.live_view import LiveView
from browser_use_async.server.executors.browser.locate import require_browser
from browser_use_async.server.executors.browser.recorder import Recorder
from browser_use_async.server.executors.browser.step_tracer import StepTracer
from browser_use_async.server.executors.browser.task_run import SHOWN_CHARACTERS, TaskRun
from browser_use_async.server.executors.instructions.actions import (
    Fill,
    OpenAddress,
    Plan,
    PlannedAction,
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
from browser_use_async.server.executors.scripts.check import read_script
from browser_use_async.server.executors.scripts.hands import HandsView
from browser_use_async.server.executors.scripts.healer import ModelHealer
from browser_use_async.server.executors.scripts.notation import ScriptRefusedError
from browser_use_async.server.executors.scripts.performance import play
from browser_use_async.server.executors.scripts.run_notes import RunRecording, outcome_in_words
from browser_use_async.server.executors.settings import ChromiumSettings
from browser_use_async.server.executors.view import View
from browser_use_async.server.html.page import shorten
from browser_use_async.server.html.visit import PageNotOpenedError
from browser_use_async.server.one_time_codes import SeedRefusedError, typed_text
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from browser_use_async.server.web_addresses import find_addresses

_TRACE_NAME = "trace.zip"
_SHOW = "Show how it is done: take control of the browser, do the task once, and then resume it"
_ANSWER = "Compose the answer"

Performance = Callable[[TaskRun, TaskContext], AsyncGenerator[Step | Finished | Failed, None]]


class ChromiumExecutor(Executor):
    """Carries tasks out in a real browser, by fixed rules and without a language model."""

    name = "rule-based Chromium"
    reports_start = True  # a task waits for one of few browsers
    plays_scripts = True

    def __init__(
        self,
        settings: ChromiumSettings | None = None,
        model: Model | None = None,
        *,
        guards: bool = True,
    ) -> None:
        settings = settings or ChromiumSettings()
        self._model = model  # mends scripts
        self._guards = guards  # of scripts; off only to show that they are needed
        self._egress = settings.egress()
        self._trace = settings.trace
        trace = settings.trace != "off"
        program = BrowserProgram.of(require_browser(settings.browser), sandbox=settings.sandbox)
        capacity = settings.max_browsers or browsers_that_fit()
        self.pool = BrowserPool(
            program, capacity, trace=trace, megabytes=settings.browser_memory_mb
        )
        self.capacity = capacity  # how many tasks have a browser at once
        self._recorder = Recorder()
        self._views: dict[str, HandsView] = {}

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        try:
            perform = await self._performance(assignment)
        except (CannotContinueError, ScriptRefusedError) as error:
            yield Failed(str(error))
            return
        try:
            async with aclosing(self._browse(assignment, control, perform)) as items:
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

    async def _performance(self, assignment: Assignment) -> Performance:
        """Choose the work in the browser: to play a script, or to follow the text of the task."""
        order = assignment.script
        if order is not None and order.text:
            healer = None if self._model is None else ModelHealer(self._model, assignment)
            script = await read_script(order.text)
            return partial(play, assignment, script, healer=healer, guards=self._guards)
        try:
            plan = await understood(assignment, in_browser=True)
        except CannotContinueError:
            named = find_addresses(assignment.task)
            if order is None or not order.is_attended or not named:
                raise
            opening = Plan((PlannedAction(OpenAddress(named[0].url)),))
            return partial(_perform, assignment, opening, by_hand=True)
        _check_seeds(assignment, plan)
        return partial(_perform, assignment, plan)

    async def _browse(
        self, assignment: Assignment, control: Control, perform: Performance
    ) -> AsyncGenerator[Step | Finished | Failed, None]:
        policy = self._egress.policy(assignment)
        upstream, proxy_note = self._egress.upstream(assignment)
        async with AsyncExitStack() as stack:
            room = self.pool.context(assignment, policy, upstream)
            context = await stack.enter_async_context(room)
            view = LiveView(context.playwright_context, assignment.viewport)
            stack.push_async_callback(view.aclose)
            hands = self._views[assignment.task_id] = HandsView(view, context)
            control.started()
            stack.callback(self._views.pop, assignment.task_id)
            recording = None
            if assignment.takes_recording:
                recording = self._recorder.record(view.screencast, context.folder)
                stack.push_async_callback(recording.abandon)
            limiter = StepLimiter(assignment, control)
            runner = ActionRunner(context, assignment, control)
            task_run = TaskRun(self.name, assignment, context, limiter, proxy_note, runner, hands)
            tracer = StepTracer(context.playwright_context, assignment.secrets)
            async with aclosing(perform(task_run, context)) as items:
                async for item in items:
                    if isinstance(item, Step):
                        yield attrs.evolve(item, trace=tracer.take())
                        continue
                    recordings = await recording.finish() if recording is not None else {}
                    ended = await self._with_trace(item, context)
                    began = recording.began if recording is not None else None
                    if isinstance(ended, Failed):
                        ended = attrs.evolve(ended, trace=tracer.take())
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
    assignment: Assignment,
    plan: Plan,
    task_run: TaskRun,
    context: TaskContext,
    *,
    by_hand: bool = False,
) -> AsyncGenerator[Step | Finished | Failed, None]:
    """Carry out a plan, and record a script if the task asks for one.

    With `by_hand` a person continues on the live page, and the last page has the answer.
    """
    if assignment.script is not None:
        task_run.recording = RunRecording(context.playwright_context)
    recording, hands = task_run.recording, task_run.hands
    try:
        for action in plan.actions:
            step = await task_run.perform(action)
            if step is not None:
                yield step
        if by_hand:
            hands.recording = recording
            asked = await task_run.step(_SHOW, await task_run.begin_step(_SHOW))
            yield attrs.evolve(asked, asks_for="demonstration")
            evaluation = await task_run.begin_step(_ANSWER)  # once it is resumed
            await hands.finish()
            await task_run.take_downloads()
            task_run.answering = [await task_run.runner.read()]
        else:
            await task_run.take_downloads()
            evaluation = await task_run.begin_step(_ANSWER)
        finished = await answer(task_run.answering, plan, assignment.structured_output_json)
        outcome = None
        if recording is not None:
            await recording.note_end(await context.current())
            outcome = await recording.outcome(assignment, finished.output)
            evaluation = f"{evaluation} {outcome_in_words(outcome)}"
        shown = shorten(finished.output or "", SHOWN_CHARACTERS)
        yield await task_run.step(_ANSWER, evaluation, shown)
        # Downloads stay unchanged; secrets are masked in the files that are written here.
        mask = SecretRedactor(assignment.secrets)
        written = {name: mask.content(content) for name, content in finished.files.items()}
        files = {**task_run.files, **written}
        cookies = await context.cookies()
        yield attrs.evolve(finished, files=files, cookies=cookies, script=outcome)
    except PageNotOpenedError as error:
        yield Failed(error.reason, error.url, await task_run.last_screenshot())
    except CannotContinueError as error:
        yield Failed(str(error), await task_run.url(), await task_run.last_screenshot())
