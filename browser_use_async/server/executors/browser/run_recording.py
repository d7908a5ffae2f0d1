"""Records the actions in a browser, so that a script can be made of them."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Any

import attrs
from playwright.async_api import BrowserContext, Dialog, Request, Response
from playwright.async_api import Error as PlaywrightError

from browser_use_async.server.executors.browser.elements import Element
from browser_use_async.server.executors.browser.launch import BrowserError, PageLimitError
from browser_use_async.server.executors.browser.page import TaskPage
from browser_use_async.server.executors.browser.page_description import (
    FOCUSED,
    described,
    element_at,
    snapshot_of,
)
from browser_use_async.server.executors.instructions.actions import (
    Action,
    Click,
    PressKey,
    Submit,
)
from browser_use_async.server.executors.scripts import recorder
from browser_use_async.server.executors.scripts.notation import MOST_CHARACTERS, write
from browser_use_async.server.executors.scripts.script import Description
from browser_use_async.server.records import Assignment, ScriptOutcome

_MOST_REQUESTS = 5000
_BODY_CHARACTERS = 2000
_MOST_CHARACTERS = 40_000_000  # of all pages of a run
# How long the last page is looked at again if it has not all of an answer: while requests run, and
# as long after them as a play waits for a page that redraws
_REQUEST_SECONDS = 5.0
_REDRAW_SECONDS = 2.0
_LOOK_SECONDS = 0.2
_ASKING = frozenset({"document", "xhr", "fetch"})
# The button with which a person sends the form at hand.
_SUBMITTING = """(() => {
  const forms = document.forms;
  const form = document.activeElement?.form || (forms.length ? forms[forms.length - 1] : null);
  return form?.querySelector('button:not([type]), [type="submit"], [type="image"]') || null;
})()"""


class RunRecording:
    """The notes of one run."""

    def __init__(
        self, context: BrowserContext, *, has_model: bool = False, tells: Collection[str] = ()
    ) -> None:
        self._context = context
        self._has_model = has_model  # whether a model answers, and no rule
        self._tells = tells  # the parts of pages that an answer in words has
        self._notes: list[recorder.Note] = []
        self._characters = 0  # of the pages in them
        self._requests: dict[Request, recorder.SeenRequest] = {}
        self._dialogs: list[recorder.SeenDialog] = []
        self.end: recorder.Snapshot | None = None  # the page on which the run ended
        context.on("request", self._request_begun)
        context.on("requestfinished", self._request_ended)
        context.on("requestfailed", self._request_ended)
        context.on("response", self._answered)
        context.on("dialog", self._dialog_opened)

    async def note(
        self, page: TaskPage, action: Action, element: Element | None
    ) -> tuple[Action, Element | None]:
        """Note the next action; returns the action and element that are to be used.

        A form is sent by its button, which a script can find and check.
        """
        if isinstance(action, Submit | PressKey):
            element = await element_at(page, _SUBMITTING if isinstance(action, Submit) else FOCUSED)
        seen = None if element is None else (await described(page, element.handle)).description
        if isinstance(action, Submit) and seen is not None:
            action = Click(seen.words)
        try:
            before = await snapshot_of(page)
        except PageLimitError as error:
            self.note_problem(f"a page could not be kept: {error}")
            return action, element
        self._add(recorder.Note(time.monotonic(), before, action, seen))
        return action, element

    def note_action(
        self, at: float, before: recorder.Snapshot, action: Action, element: Description | None
    ) -> None:
        """Record an action that was done elsewhere."""
        self._add(recorder.Note(at, before, action, element))

    def _add(self, note: recorder.Note) -> None:
        self._characters += len(json.dumps(note.before.tree))
        if self._characters <= _MOST_CHARACTERS:
            self._notes.append(note)
        else:
            self.note_problem("its pages have more in them than can be compared")

    def note_problem(self, problem: str) -> None:
        """Record an action that cannot be played."""
        nowhere = recorder.Snapshot("", ["body", {}, []])
        self._notes.append(recorder.Note(time.monotonic(), nowhere, problem=problem))

    async def note_end(self, page: TaskPage) -> None:
        """Record the page on which the run ends."""
        with contextlib.suppress(BrowserError):
            self.end = await snapshot_of(page)

    async def outcome(self, assignment: Assignment, output: str | None) -> ScriptOutcome:
        """The script of a successful run, or why there is none."""
        order, end = assignment.script, self.end
        assert order is not None
        if end is None:
            problem = "the page at its end could not be looked at"
        else:
            is_json = assignment.structured_output_json is not None
            run = recorder.Run(
                notes=self._notes,
                requests=[*self._requests.values()],
                end=end,
                answer=answer_of(output, is_json=is_json),
                schema=assignment.structured_output_json,
                tells=[*self._tells],
                is_page_text=not is_json and not self._has_model,
                inputs=dict(order.inputs),
                secrets=dict(assignment.secrets),
                dialogs=self._dialogs,
            )
            text, problem, left = await asyncio.to_thread(recorded_text, order.name, run)
            if left and self._has_model:
                async with aclosing(self._later(run)) as runs:
                    async for later in runs:
                        made = await asyncio.to_thread(recorded_text, order.name, later)
                        if made[2] < left:
                            text, problem, left = made
                        if not left:
                            break
            if text:
                return ScriptOutcome(order.name, text=text)
        return ScriptOutcome(order.name, problem=f"No script was recorded: {problem}.")

    async def _later(self, run: recorder.Run) -> AsyncGenerator[recorder.Run]:
        """The run with its last page as it is a moment later, each time that this has changed.

        A page may still draw what an agent knows already. What is recorded must not depend on how
        fast the page, a model and this machine are.
        """
        shown = [each for each in self._context.pages if each.url == run.end.url]
        now = asyncio.get_running_loop().time
        until = now() + _REQUEST_SECONDS + _REDRAW_SECONDS
        quiet_since, page = now(), TaskPage((shown or self._context.pages)[-1])
        while now() < until and now() - quiet_since < _REDRAW_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
            requests = [*self._requests.values()]
            if any(not each.has_ended for each in requests if each.kind in _ASKING):
                quiet_since = now()
            try:
                end = await snapshot_of(page)
            except BrowserError:
                return
            if end != run.end:
                run = attrs.evolve(run, end=end, requests=requests)
                yield run

    def _request_begun(self, request: Request) -> None:
        if len(self._requests) >= _MOST_REQUESTS:
            return
        try:
            body = "" if request.method in {"GET", "HEAD"} else request.post_data or ""
        except (PlaywrightError, UnicodeDecodeError):  # of bytes
            body = ""
        self._requests[request] = recorder.SeenRequest(
            time.monotonic(), request.method, request.url, request.resource_type,
            body[:_BODY_CHARACTERS], has_ended=False,
        )  # fmt: skip

    def _answered(self, response: Response) -> None:
        is_file = response.headers.get("content-disposition", "").startswith("attachment")
        if is_file and (seen := self._requests.get(response.request)) is not None:
            seen.is_file = True

    def _dialog_opened(self, dialog: Dialog) -> None:
        text = dialog.message[:_BODY_CHARACTERS]
        self._dialogs.append(recorder.SeenDialog(time.monotonic(), dialog.type, text))

    def _request_ended(self, request: Request) -> None:
        if (seen := self._requests.get(request)) is not None:
            seen.has_ended = True


def outcome_in_words(outcome: ScriptOutcome) -> str:
    """The result of a recording, as a sentence."""
    return outcome.problem or f"The script {outcome.name} is recorded."


def recorded_text(name: str, run: recorder.Run) -> tuple[str, str, int]:
    """The text of the script of a run, or the reason why there is none.

    The number is that of the fields that it does not read from its pages.
    """
    try:
        script = recorder.record(name, run)
    except recorder.NotRecordableError as error:
        return "", str(error), 0
    text = write(script)
    if len(text) > MOST_CHARACTERS:
        return "", f"it would have more than {MOST_CHARACTERS:,} characters", 0
    return text, "", len(script.unplaced)


def answer_of(output: str | None, *, is_json: bool) -> Any:
    """An answer as JSON; an answer in words is a text."""
    if not is_json or output is None:
        return output or ""
    try:
        return json.loads(output)
    except ValueError:
        return output
