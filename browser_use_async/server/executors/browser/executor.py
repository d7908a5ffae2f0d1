"""Executor that carries out plans and scripts in a browser context, with a step for each action."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from functools import partial

import attrs

from browser_use_async.server.executors.answers.by_model import ModelReader
from browser_use_async.server.executors.browser.action_runner import ActionRunner
from browser_use_async.server.executors.browser.browser_folder import BrowserProgram
from browser_use_async.server.executors.browser.browser_pool import BrowserPool, browsers_that_fit
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.launch import BrowserError, BrowserNotStartedError
from browser_use_async.server.executors.browser.live_view import LiveView
from browser_use_async.server.executors.browser.locate import require_browser
from browser_use_async.server.executors.browser.memory_watch import MEMORY_MB
from browser_use_async.server.executors.browser.performance import Performance, planned
from browser_use_async.server.executors.browser.recorder import Recorder
from browser_use_async.server.executors.browser.step_tracer import StepTracer
from browser_use_async.server.executors.browser.task_run import TaskRun
from browser_use_async.server.executors.instructions.actions import (
    Fill,
    Plan,
)
from browser_use_async.server.executors.instructions.plan import read_plan_of
from browser_use_async.server.executors.model import Model
from browser_use_async.server.executors.protocol import (
    CannotContinueError,
    Control,
    Executor,
    StepLimiter,
)
from browser_use_async.server.executors.scripts.notation import ScriptRefusedError, parse
from browser_use_async.server.executors.settings import ChromiumSettings
from browser_use_async.server.executors.view import View
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from browser_use_async.server.secrets.one_time_codes import SeedRefusedError, typed_text

_TRACE_NAME = "trace.zip"

Work = Callable[..., Performance]  # given the run and the context of the task


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
        megabytes: int = MEMORY_MB,  # of a browser with one task
    ) -> None:
        settings = settings or ChromiumSettings()
        self._model = model  # reads what has no name on the pages of a script
        self._guards = guards  # of scripts; off only to show that they are needed
        self._egress = settings.egress()
        self._trace = settings.trace
        trace = settings.trace != "off"
        program = BrowserProgram.of(require_browser(settings.browser), sandbox=settings.sandbox)
        capacity = settings.max_browsers or browsers_that_fit()
        self.pool = BrowserPool(program, capacity, trace=trace, megabytes=megabytes)
        self.capacity = capacity  # how many tasks have a browser at once
        self._recorder = Recorder()
        self._views: dict[str, View] = {}

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        try:
            work = await self._work(assignment)
        except CannotContinueError as error:
            yield Failed(str(error))
            return
        except ScriptRefusedError as error:
            order, said = assignment.script, str(error).removesuffix(".")
            assert order is not None
            yield Failed(
                f"Version {order.version} of the script {order.name} cannot be read: {said}. "
                "Correct it; or delete the script, and the next task records it again."
            )
            return
        try:
            async with aclosing(self._browse(assignment, control, work)) as items:
                async for item in items:
                    yield item
        except BrowserNotStartedError as error:
            yield Failed(f"The browser did not start: {error}.")
        except BrowserError as error:
            yield Failed(f"The browser gave up: {error}.")

    @property
    def open_browsers(self) -> int:
        """How many browsers are open."""
        return self.pool.count

    def view(self, task_id: str) -> View | None:
        """The browser of a task, or None before it has one and after it has ended."""
        return self._views.get(task_id)

    async def aclose(self) -> None:
        """End the browser."""
        await self.pool.aclose()

    async def _work(self, assignment: Assignment) -> Work:
        """Choose the work in the browser: a script, or the steps in the text of the task."""
        order = assignment.script
        if order is None or not order.text:
            plan = read_plan_of(assignment, in_browser=True)
            _check_seeds(assignment, plan)
            return partial(Performance, assignment, script=planned(plan), plan=plan)
        model = None if self._model is None else ModelReader(self._model, assignment)
        script = parse(order.text)
        return partial(Performance, assignment, script=script, model=model, guards=self._guards)

    async def _browse(
        self, assignment: Assignment, control: Control, work: Work
    ) -> AsyncGenerator[Step | Finished | Failed, None]:
        policy = self._egress.policy(assignment)
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
            limiter = StepLimiter(assignment, control)
            runner = ActionRunner(context, assignment, control)
            task_run = TaskRun(self.name, assignment, context, limiter, proxy_note, runner)
            tracer = StepTracer(context.playwright_context, assignment.secrets)
            performance = work(task_run=task_run, context=context)
            async with aclosing(performance.items()) as items:
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
