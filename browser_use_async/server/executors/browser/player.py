"""Takes the steps of a script in a browser: finds, checks, acts, and waits for the effects.

A task in step lines is a script whose steps have no descriptions: their elements are found by the
words of the task.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

import attrs
from playwright.async_api import Dialog, ElementHandle, Frame, Request
from playwright.async_api import Error as PlaywrightError

from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.elements import Element
from browser_use_async.server.executors.browser.launch import CommandFailedError
from browser_use_async.server.executors.browser.locators import (
    ElementNotFoundError,
    Way,
    locate,
    matching,
    ways,
)
from browser_use_async.server.executors.browser.page import TaskPage
from browser_use_async.server.executors.browser.page_description import (
    described,
    element_of,
    is_frame,
    problem_with,
    snapshot_of,
)
from browser_use_async.server.executors.browser.run_recording import RunRecording
from browser_use_async.server.executors.browser.task_run import TaskRun
from browser_use_async.server.executors.instructions.actions import (
    Action,
    Click,
    OpenAddress,
    goal_of,
)
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.scripts.addresses import fits, origin_of, quoted_inputs
from browser_use_async.server.executors.scripts.recorder import SAFE, Snapshot
from browser_use_async.server.executors.scripts.script import (
    Description,
    Effect,
    Script,
    ScriptStep,
    fill_in,
)

_FIND_SECONDS = 3.0
_MISS_SECONDS = 0.6  # for a step that repeats, since it may be over
_LOOK_SECONDS = 0.15
_CAUSE_SECONDS = 5.0
_REDRAW_SECONDS = 2.0
_ASKED_CHARACTERS = 300
_ASKING = frozenset({"document", "xhr", "fetch"})
# Buttons that close a banner; "accept" is clicked only if there is no other one.
_HARMLESS = re.compile(
    r"only necessary|necessary only|reject|decline|no,? thanks|not now|close|dismiss|got it|^ok$",
    re.IGNORECASE,
)
_ACCEPT = re.compile(r"accept|agree|allow", re.IGNORECASE)
# Links beside one to the next page that lead elsewhere: back, or to a page by its number.
_BACK = re.compile(
    r"\b(back|first|newer|prev|previous|vorherige|zurück)\b|^\W*\d*\W*$", re.IGNORECASE
)
_COVER = """element => {
  const box = element.getBoundingClientRect();
  let over = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  if (!over || over === element || element.contains(over) || over.contains(element)) return null;
  if (over.closest('label')?.control === element) return null;
  for (let each = over; each && each !== document.body; each = each.parentElement)
    if (!each.contains(element)) over = each;
  return over;
}"""


class StepRefusedError(CannotContinueError):
    """The page is not in the state that the step needs. The text is a sentence for a person."""


class MisplacedError(StepRefusedError):
    """The page or the frame is another one than that of the step."""

    def __init__(self, step: ScriptStep, reason: str, wanted: str, found: Sequence[str]) -> None:
        super().__init__(_sentence(step, reason))
        # Whether it is on another site, and not another page of the same one
        self.is_elsewhere = origin_of(wanted) not in map(origin_of, found)


@attrs.define(eq=False)
class Played:
    """The results of a play so far."""

    steps: int = 0
    # Whether a step was begun that changes something, or a password was sent
    has_changed: bool = False
    needs_person: bool = False  # whether a person must take a refused step
    # Notes for the next step: elements found in another way, closed banners.
    said: list[str] = attrs.field(factory=list)


@attrs.frozen
class Located:
    """A step and its element."""

    step: ScriptStep
    element: Element | None


class ScriptPlayer:
    """Takes the steps of a script, each only on a page in the recorded state."""

    def __init__(
        self,
        context: TaskContext,
        task_run: TaskRun,
        steps: Script,
        inputs: dict[str, str],
        *,
        recording: RunRecording | None = None,
        guards: bool = True,
    ) -> None:
        self._context = context
        self._task_run = task_run
        self._script = steps
        self._inputs = inputs
        self._recording = recording  # notes what is done, for a script
        # Off for steps in the words of a task; and else only to show that they are needed
        self._guards = guards
        self.played = Played()
        self.is_taking = False  # whether a step has begun but not succeeded yet
        self._signs_in = False  # whether the latest step does
        self._begun: set[Request] = set()
        self._ended: list[str] = []
        self._confirms: tuple[str, ...] = ()  # the questions that the page may ask during the step
        self._asked = ""  # another question of the page
        self._goes_on = True  # whether the latest scrolling has shown more
        if guards:
            context.agrees = self._agrees
            task_run.runner.clicks_covered = False
        playwright = context.playwright_context
        playwright.on("request", self._request_begun)
        playwright.on("requestfinished", self._request_ended)
        playwright.on("requestfailed", self._request_ended)

    def step(self, number: int) -> ScriptStep:
        """A step with the inputs of this run, counted from 0."""
        step = self._script.steps[number]
        filled = fill_in(step, self._inputs)
        if isinstance(step.action, OpenAddress):
            return attrs.evolve(filled, action=fill_in(step.action, quoted_inputs(self._inputs)))
        return filled

    async def locate(self, number: int, *, is_again: bool = False) -> Located | None:
        """Find the element of a step; None if the step repeats and there is no more.

        Raises:
            StepRefusedError: The page is not as the step expects.
        """
        step, page = self.step(number), await self._context.current()
        if step.element is None:
            is_over = step.repeats and is_again and not self._goes_on
            if is_over or await self._is_needless(page, step.action):
                return None
        try:
            seconds = _MISS_SECONDS if step.repeats and is_again else _FIND_SECONDS
            return Located(step, await self._find(page, step, seconds))
        except StepRefusedError as refusal:
            is_lost = isinstance(refusal, MisplacedError) and not (is_again and step.leads_to)
            is_last = step.element is not None and step.repeats and not is_lost
            if not is_last or await self._looks_alike(page, step):
                raise
            return None

    async def take(self, located: Located) -> None:
        """Take a step, if its page has not changed since it was located.

        Raises:
            StepRefusedError: The page is not as the step expects, or did not do what it did.
        """
        step, element = located.step, located.element
        page = await self._context.current()
        self._begun.clear()
        self._ended.clear()
        await self._require_place(page, step)
        if element is None and (self._guards or self._recording is not None):
            element = await self._task_run.runner.element_of(step.action)  # by its words
        if element is not None:
            await self._require_place(page, step, element)
            await self._uncover(page, element, step)
            await self._require_place(page, step, element)
            if self._guards and step.element is not None:
                problem = problem_with(step, await described(page, element.handle))
                if problem:
                    raise _refused(step, f"the page has changed: {problem}")
        before = await self.snapshot() if step.redraws else None
        self.played.has_changed |= step.effect is Effect.CHANGES
        self._signs_in = step.effect is Effect.SIGNS_IN
        self.is_taking = True
        self._confirms, self._asked = step.confirms, ""
        action = step.action
        if self._recording is not None:
            action, element = await self._recording.note(page, action, element)
        await self._task_run.act(action, element)
        self.played.steps += 1
        if self._asked:
            raise _refused(step, f"the page asked “{self._asked}”, and was answered with Cancel")
        await self._wait_for_effects(step, before)
        self.is_taking = False

    def take_remarks(self) -> list[str]:
        """What there is to say of the latest step, once."""
        said, self.played.said = self.played.said, []
        return said

    async def snapshot(self) -> Snapshot:
        """The visible content of the page."""
        return await snapshot_of(await self._context.current())

    # --- places -----------------------------------------------------------------------------

    async def _require_place(
        self, page: TaskPage, step: ScriptStep, element: Element | None = None
    ) -> None:
        """Refuse a step that is not on its page, or an element that is not in its frame.

        Raises:
            MisplacedError: The page or the frame is another one.
        """
        if not self._guards:
            return
        _check_place(page, step, page.page.frames)
        if element is not None:
            frame = await page.run(element.handle.owner_frame(), "a question to the page")
            _check_place(page, step, [] if frame is None else [frame])

    # --- elements ---------------------------------------------------------------------------

    async def _is_needless(self, page: TaskPage, action: Action) -> bool:
        """Whether an action is an optional click, and the page has no matching link."""
        if not isinstance(action, Click) or action.needed:
            return False
        try:
            await locate(page, "clickables", action.phrase, patience=False)
        except ElementNotFoundError:
            return True
        return False

    async def _find(self, page: TaskPage, step: ScriptStep, seconds: float) -> Element | None:
        """Wait until the page is the one of a step and has its element, if it is described."""
        now = asyncio.get_running_loop().time
        deadline = now() + seconds
        while True:
            try:
                await self._require_place(page, step)
                return None if step.element is None else await self._look(page, step, step.element)
            except StepRefusedError:
                if now() >= deadline:
                    raise
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self, page: TaskPage, step: ScriptStep, element: Description) -> Element:
        reason, has_several = "", False
        for place, way in enumerate(ways(element)):
            if has_several and not way.has_words and self._guards:
                continue
            handles = await matching(page, way, element.frame)
            if len(handles) != 1 and (self._guards or not handles):
                has_several = has_several or len(handles) > 1
                count = f"{len(handles)} elements" if handles else "nothing"
                reason = reason or f"{count} found by {way.by}"
                continue
            seen = await described(page, handles[0])
            problem = problem_with(step, seen) if self._guards else ""
            if not problem:
                if place:
                    self.played.said.append(
                        f"Drifting: {goal_of(step.action)} was found by {way.by}."
                    )
                return element_of(handles[0], seen.description)
            reason = problem
        raise _refused(step, reason or "there is no way to find it")

    async def _looks_alike(self, page: TaskPage, step: ScriptStep) -> bool:
        """Whether the element of a repetition may still exist under another name."""
        was = step.element
        assert was is not None
        kin = "a[href]" if was.href else was.tag or "button"
        way = Way("its kind", lambda frame: frame.locator(kin))
        for handle in await matching(page, way, was.frame):
            seen = (await described(page, handle)).description
            has_place = bool(was.href) or (seen.heading, seen.form) == (was.heading, was.form)
            is_alike = (seen.role, _path(seen.href)) == (was.role, _path(was.href))
            if is_alike and has_place and seen.item == was.item and not _BACK.search(seen.name):
                return True
        return False

    async def _uncover(self, page: TaskPage, element: Element, step: ScriptStep) -> None:
        """Close what covers an element with its own button; it is never clicked through."""
        if not self._guards or element.type in {"checkbox", "radio", "file"}:
            return
        await page.run(element.handle.scroll_into_view_if_needed(timeout=2000), "scrolling")
        handles = [element.handle]
        while frame := await page.run(handles[-1].owner_frame(), "a question to the page"):
            if frame.parent_frame is None:
                break
            handles.append(await page.run(frame.frame_element(), "a frame"))
        for each in reversed(handles):  # what covers a frame covers everything in it
            await self._uncover_in_frame(page, each, step)

    async def _uncover_in_frame(
        self, page: TaskPage, handle: ElementHandle, step: ScriptStep
    ) -> None:
        for _ in range(3):
            finding = handle.evaluate_handle(_COVER)
            cover = (await page.run(finding, "a question to the page")).as_element()
            if cover is None:
                return
            button = await _closing_button(page, cover)
            if button is None:
                raise _refused(step, "something lies over it, and has no button that closes it")
            words, closing = button
            await page.run(closing.click(timeout=2000), "closing what lies over an element")
            self.played.said.append(f"Closed what lay over the page by “{words}”.")
            await page.wait_for_rest()
        raise _refused(step, "something lies over it")

    # --- effects ----------------------------------------------------------------------------

    async def _wait_for_effects(self, step: ScriptStep, before: Snapshot | None) -> None:
        """Wait for the recorded effects of the step."""
        if not self._guards:
            self._goes_on = False
            return
        if step.leads_to:
            await self._until(lambda: self._leads_to(step.leads_to), _CAUSE_SECONDS)
            url = (await self._context.current()).page.url
            if not fits(url, step.leads_to):
                raise _refused(step, f"it led to {url} and not to {step.leads_to}")
        wanted = set(step.causes)
        await self._until(lambda: self._have_ended(wanted), _CAUSE_SECONDS)
        if before is not None:
            await self._until(lambda: self._differs(before), _REDRAW_SECONDS)
            self._goes_on = step.repeats and await self._differs(before)

    async def _until(self, is_so: Callable[[], Awaitable[bool]], seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not await is_so():
            if asyncio.get_running_loop().time() >= deadline:
                return
            await asyncio.sleep(_LOOK_SECONDS / 3)

    async def _leads_to(self, pattern: str) -> bool:
        return fits((await self._context.current()).page.url, pattern)

    async def _have_ended(self, wanted: set[str]) -> bool:
        return all(any(_is_cause(each, ended) for ended in self._ended) for each in wanted)

    async def _differs(self, before: Snapshot) -> bool:
        return (await self.snapshot()).tree != before.tree

    def _agrees(self, dialog: Dialog) -> bool:
        """Whether to answer OK: to what asks nothing, and to what was confirmed before."""
        if dialog.type in {"alert", "beforeunload"} or dialog.message in self._confirms:
            return True
        self._asked = dialog.message[:_ASKED_CHARACTERS]
        return False

    def _request_begun(self, request: Request) -> None:
        if request.resource_type in _ASKING:
            self._begun.add(request)
            self.played.has_changed |= self._signs_in and request.method not in SAFE

    def _request_ended(self, request: Request) -> None:
        if request in self._begun:  # not one that an earlier step has begun
            self._ended.append(f"{request.method} {request.url}")


def _is_cause(cause: str, ended: str) -> bool:
    method, _, pattern = cause.partition(" ")
    said, _, url = ended.partition(" ")
    return method == said and fits(url, pattern)


def _refused(step: ScriptStep, reason: str) -> StepRefusedError:
    return StepRefusedError(_sentence(step, reason))


def _sentence(step: ScriptStep, reason: str) -> str:
    return f"{goal_of(step.action)}: {reason}."


def _check_place(page: TaskPage, step: ScriptStep, frames: Sequence[Frame]) -> None:
    """Compare the page of a step, and the frames in which its element may be, with its addresses.

    The browser knows where it is. A page could say anything.
    """
    url, wanted = page.page.url, "" if step.element is None else step.element.frame
    if step.page and not fits(url, step.page):
        raise MisplacedError(step, f"the page is {url} and not {step.page}", step.page, [url])
    if not any(is_frame(each, wanted) for each in frames):
        inner = [each.url for each in frames if each.parent_frame is not None]
        shown = ", ".join(each.partition("?")[0] for each in inner) or "none"
        reason = f"its frame is not {wanted or 'the page itself'}; the page has: {shown}"
        raise MisplacedError(step, reason, wanted, inner)


def _path(address: str) -> str:
    return re.sub(r"\d+", "*", address.partition("?")[0])


async def _closing_button(page: TaskPage, cover: ElementHandle) -> tuple[str, ElementHandle] | None:
    """Find the button that closes a banner and agrees to the least."""
    buttons = await page.run(cover.query_selector_all("button, [role=button], a"), "a question")
    named: list[tuple[str, ElementHandle]] = []
    for button in buttons:
        try:
            named.append(((await page.run(button.inner_text(), "a question")).strip(), button))
        except (PlaywrightError, CommandFailedError):
            continue
    harmless = [each for each in named if _HARMLESS.search(each[0])]
    if harmless:
        return harmless[0]
    return named[0] if len(named) == 1 and _ACCEPT.search(named[0][0]) else None
