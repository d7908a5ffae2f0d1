"""A task that a person shows once on its live page, where no agent and no step lines do it."""

from collections.abc import AsyncGenerator

import attrs

from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.task_run import SHOWN_CHARACTERS, TaskRun
from browser_use_async.server.executors.instructions.actions import (
    OpenAddress,
    Plan,
    PlannedAction,
)
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.reader.answer import answer
from browser_use_async.server.executors.scripts.run_notes import (
    RunRecording,
    outcome_in_words,
)
from browser_use_async.server.html.page import shorten
from browser_use_async.server.html.visit import PageNotOpenedError
from browser_use_async.server.records import Assignment, Failed, Finished, Step

_GOAL = "Show how it is done: take control of the browser, do the task once, and then resume it"


async def demonstrate(
    assignment: Assignment, address: str, task_run: TaskRun, context: TaskContext
) -> AsyncGenerator[Step | Finished | Failed, None]:
    """Open the page, let a person do the task, and keep a script of it."""
    recording = task_run.recording = RunRecording(context.playwright_context)
    try:
        opened = await task_run.perform(PlannedAction(OpenAddress(address)))
        assert opened is not None
        yield opened
        hands = task_run.hands
        hands.recording = recording
        evaluation = await task_run.begin_step(_GOAL)
        asked = await task_run.step(_GOAL, evaluation)
        yield attrs.evolve(asked, asks_for="demonstration")
        evaluation = await task_run.begin_step("Read the answer")  # once it is resumed
        await hands.finish()
        await task_run.take_downloads()
        pages = [await task_run.runner.read()]
        finished = await answer(pages, Plan(()), assignment.structured_output_json)
        await recording.note_end(await context.current())
        outcome = await recording.outcome(assignment, finished.output)
        shown = shorten(finished.output or "", SHOWN_CHARACTERS)
        said = f"{evaluation} {outcome_in_words(outcome)}"
        yield await task_run.step("Read the answer", said, shown)
        files = {**task_run.files, **finished.files}
        cookies = await context.cookies()
        yield attrs.evolve(finished, files=files, cookies=cookies, script=outcome)
    except PageNotOpenedError as error:
        yield Failed(error.reason, error.url, await task_run.last_screenshot())
    except CannotContinueError as error:
        yield Failed(str(error), await task_run.url(), await task_run.last_screenshot())
