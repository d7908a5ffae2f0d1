"""Actions of a person on the live page of a task, noted for a script."""

from collections.abc import AsyncIterator

from playwright.async_api import ElementHandle
from playwright.async_api import Error as PlaywrightError

from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.elements import Element
from browser_use_async.server.executors.browser.launch import BrowserError
from browser_use_async.server.executors.browser.page import TaskPage
from browser_use_async.server.executors.instructions import actions
from browser_use_async.server.executors.scripts.page_description import (
    FOCUSED,
    described,
    element_at,
    element_of,
    handle_at,
)
from browser_use_async.server.executors.scripts.run_notes import RunRecording
from browser_use_async.server.executors.view import (
    Frame,
    Input,
    KeyInput,
    PointerInput,
    View,
)

# A key that does something by itself, and types no character.
_DOING = frozenset({"Enter", "Escape", "PageDown", "PageUp"})
_LEAVING = frozenset({"Tab", "Shift", "Control", "Alt", "Meta", "ArrowLeft", "ArrowRight"})
_AT = """([x, y]) => {
  let found = document.elementFromPoint(x, y);
  while (found?.shadowRoot) {
    const inside = found.shadowRoot.elementFromPoint(x, y);
    if (!inside || inside === found) break;
    found = inside;
  }
  const ACTING = 'a[href], button, summary, label, input, textarea, select, [role=button]';
  const meant = found?.closest(ACTING) || found;
  return meant === document.body || meant === document.documentElement ? null : meant;
}"""
_STATE = """element => [
  element.tagName === 'IFRAME', element.type || '', Boolean(element.checked),
  element.tagName === 'SELECT'
    ? element.selectedOptions[0]?.text || '' : element.value ?? element.innerText ?? '',
]"""


class HandsView(View):
    """The browser of a task as a person sees and uses it, and what is noted of that."""

    def __init__(self, view: View, context: TaskContext) -> None:
        self._view = view
        self._context = context
        self.recording: RunRecording | None = None  # set while a person shows how it is done
        self._typed: Element | None = None  # the field into which is being typed

    def frames(self) -> AsyncIterator[Frame]:
        """The newest frame at once, then newer ones."""
        return self._view.frames()

    async def put(self, event: Input) -> None:
        """Note what a person does, and do it in the browser."""
        if self.recording is not None:
            try:
                await self._note(self.recording, event)
            except (BrowserError, PlaywrightError) as error:
                self.recording.note_problem(f"what a person did could not be noted: {error}")
        await self._view.put(event)

    async def finish(self) -> None:
        """Note what was typed last, and nothing more from now on."""
        recording, self.recording = self.recording, None
        if recording is not None:
            await self._leave_field(recording)

    async def _note(self, recording: RunRecording, event: Input) -> None:
        page = await self._context.current()
        if isinstance(event, PointerInput):
            if event.kind == "down" and event.button == "left":
                await self._leave_field(recording)
                await self._note_click(recording, page, event)
        elif isinstance(event, KeyInput) and event.kind == "up":
            return
        elif isinstance(event, KeyInput) and event.key in _DOING:
            await self._leave_field(recording)
            await recording.note(page, actions.PressKey(event.key), None)
        elif isinstance(event, KeyInput) and event.key in _LEAVING:
            if event.key == "Tab":
                await self._leave_field(recording)
        elif self._typed is None and (field := await element_at(page, FOCUSED)) is not None:
            self._typed = field
            # The page as it was before the first character; what it became stands in the field.
            await recording.note(page, actions.Fill(field.name), field)

    async def _note_click(
        self, recording: RunRecording, page: TaskPage, event: PointerInput
    ) -> None:
        handle = await handle_at(page, _AT, [event.x, event.y])
        if handle is None:
            return
        is_frame, kind, is_checked, _ = await _state(page, handle)
        if is_frame:
            recording.note_problem("a person clicked into a frame of another document")
            return
        if kind in {"text", "search", "email", "url", "tel", "password", "number"}:
            return  # to have the keyboard there; what is typed is noted
        element = element_of(handle, (await described(page, handle)).description)
        action: actions.Action = actions.Click(element.name)
        if kind in {"checkbox", "radio"}:
            action = actions.Tick(element.name, on=not is_checked or kind == "radio")
        await recording.note(page, action, element)

    async def _leave_field(self, recording: RunRecording) -> None:
        """Note what a field has come to, once a person is done with it."""
        field, self._typed = self._typed, None
        if field is None:
            return
        page = await self._context.current()
        *_, value = await _state(page, field.handle)
        recording.replace_last(actions.Fill(field.name, value))


async def _state(page: TaskPage, handle: ElementHandle) -> tuple[bool, str, bool, str]:
    is_frame, kind, is_checked, value = await page.run(handle.evaluate(_STATE), "a question")
    return bool(is_frame), str(kind), bool(is_checked), str(value)
