"""Asks a model about a page that is not in the state that a script needs: one question only."""

from collections.abc import Mapping
from typing import Any

from playwright.async_api import ElementHandle

from browser_use_async.server.executors.agent.model import Model, NoModelError
from browser_use_async.server.executors.browser.elements import SELECTORS, Element, Kind
from browser_use_async.server.executors.browser.launch import CommandFailedError, NoAnswerError
from browser_use_async.server.executors.browser.page import FRAME_SECONDS, TaskPage
from browser_use_async.server.executors.instructions.actions import Fill, Tick, Upload, goal_of
from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.executors.scripts.page_description import (
    described,
    element_of,
    frames_of,
)
from browser_use_async.server.executors.scripts.script import Description, ScriptStep
from browser_use_async.server.records import Assignment

_MOST_ELEMENTS = 150
_MOST_TEXT = 60_000  # characters of pages in one question
_WHICH = (
    "A script plays recorded steps on a web page. The element of one step is not there as it was. "
    "You are given that element as it was, and a numbered list of the elements of the page now. "
    'Answer with JSON and nothing else: {"number": N}, where N is the one that the step means now, '
    'or {"number": 0} if none of them is. Do not guess: another thing of the same kind is not it.'
)
_ANSWER = (
    "You read web pages. You are given a task and the texts of the pages to which it led. Answer "
    "the task with JSON and nothing else, by what the pages say and by nothing else."
)


class ModelHealer:
    """Asks the operator's model for one task."""

    def __init__(self, model: Model, assignment: Assignment) -> None:
        self._model = model
        self._assignment = assignment
        self._mask = SecretRedactor(assignment.secrets)
        self.tokens = 0

    async def element(self, page: TaskPage, step: ScriptStep) -> Element | None:
        """The current element of a step, or None if there is none."""
        assert step.element is not None
        kind: Kind = "fields" if isinstance(step.action, Fill | Tick | Upload) else "clickables"
        found = await _elements(page, step.element, kind)
        if not found:
            return None
        listed = "\n".join(
            f"{number}. {_in_words(seen)}" for number, (_, seen) in enumerate(found, 1)
        )
        question = (
            f"The step: {goal_of(step.action)}\nIts element was: {_in_words(step.element)}\n"
            f"The page now is {page.page.url} and has:\n{listed}"
        )
        number = (await self._ask(_WHICH, question)).get("number")
        if not isinstance(number, int) or not 1 <= number <= len(found):
            return None
        return element_of(*found[number - 1])

    async def answer(self, texts: Mapping[str, str]) -> Any:
        """The answer from the texts of pages, by address."""
        schema = self._assignment.structured_output_json
        shape = f"the JSON schema {schema}" if schema else 'the shape {"answer": "…"}'
        pages = "\n\n".join(f"Page {url}:\n{text}" for url, text in texts.items())
        question = f"Task: {self._assignment.task}\nThe answer has {shape}\n\n{pages[-_MOST_TEXT:]}"
        said = await self._ask(_ANSWER, question, is_object=bool(not schema))
        return said if schema else str(said.get("answer", ""))

    async def _ask(self, instruction: str, question: str, *, is_object: bool = True) -> Any:
        wanted = self._assignment.llm_model
        answer = await self._model.ask(wanted, instruction, self._mask.text(question))
        self.tokens += answer.prompt_tokens + answer.answer_tokens
        said = answer.as_json()
        if is_object and not isinstance(said, dict):
            raise NoModelError("The model did not answer with an object.")
        return said


async def _elements(
    page: TaskPage, element: Description, kind: Kind
) -> list[tuple[ElementHandle, Description]]:
    found: list[tuple[ElementHandle, Description]] = []
    async for frame in frames_of(page, element):
        locator = frame.locator(SELECTORS[kind]).filter(visible=True)
        try:
            handles = await page.run(locator.element_handles(), "a question", FRAME_SECONDS)
            for handle in handles[: _MOST_ELEMENTS - len(found)]:
                seen = await described(page, handle)
                found.append((handle, seen.description))
        except (CommandFailedError, NoAnswerError):
            continue  # the page has navigated
    return found


def _in_words(element: Description) -> str:
    """An element as a person would describe it."""
    said = f"{element.role or element.tag} “{element.name}”"
    places = (
        ("of", element.item),
        ("under", element.heading),
        ("in", element.form),
        ("labelled", element.label if element.label != element.name else ""),
    )
    return said + "".join(f" {word} “{text}”" for word, text in places if text)
