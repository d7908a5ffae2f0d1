"""The answer of a played script, from the pages that it has seen."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from browser_use_async.server.executors.answers.by_model import ModelReader
from browser_use_async.server.executors.answers.by_name import (
    ValueNotFoundError,
    put_field,
    read,
)
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.scripts.recorder import Snapshot, echo_problem
from browser_use_async.server.executors.scripts.script import END, Script
from browser_use_async.server.html.page_tree import PageNode
from browser_use_async.server.records import Assignment

_MOST_CHARACTERS = 20_000_000  # of all pages that are kept


@attrs.define(eq=False)
class ScriptAnswer:
    """The pages of one run that are part of its answer, and the reading of them."""

    _script: Script
    _assignment: Assignment
    _model: ModelReader | None = None  # reads what has no name on the pages
    _guards: bool = True  # off only to show that they are needed
    _seen: dict[str, list[Snapshot]] = attrs.field(init=False, factory=dict)
    _characters: int = attrs.field(init=False, default=0)  # of the pages
    questions: int = attrs.field(init=False, default=0)  # how often the model was asked

    @property
    def is_text_of_page(self) -> bool:
        """Whether the answer is a part of the last page, as it is."""
        return not self._script.shown and not self._script.unplaced

    def require_model(self) -> None:
        """Refuse a script that asks a model where there is none.

        Raises:
            CannotContinueError: So it is.
        """
        if self._script.unplaced and self._model is None:
            fields = ", ".join(self._script.unplaced)
            raise CannotContinueError(f"Its answer needs a model for: {fields}")

    def keep(self, name: str, page: Snapshot) -> None:
        """Keep a page under its name in the script, if the answer is read from it.

        Raises:
            CannotContinueError: There is more than can be read.
        """
        if name in self._script.shown:
            self._seen.setdefault(name, []).append(page)
            self._characters += len(json.dumps(page.tree))
            if self._characters > _MOST_CHARACTERS:
                raise CannotContinueError("Its pages have more in them than can be read together.")

    async def read(self, last: Snapshot) -> str:
        """The answer, once the run has reached its last page.

        Raises:
            ValueNotFoundError: The pages do not have it.
            NoModelError: The model did not answer.
        """
        self._seen[END] = [last]
        answer: Any = {}
        if self._script.shown:
            answer = await asyncio.to_thread(self._by_name)
        if self._script.unplaced:
            said = await self._by_model()
            answer = _with_fields(answer, said, self._script.unplaced) if answer else said
        return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)

    def _by_name(self) -> Any:
        order = self._assignment.script
        inputs = {} if order is None else dict(order.inputs)
        roots = [*self._roots()]
        if any(root.is_cut for root in roots):
            raise ValueNotFoundError("the page has more in it than can be read")
        answer = read(
            self._assignment.structured_output_json or "{}",
            roots,
            self._script.spelling,
            but=self._script.unplaced,
            inputs=[*inputs.values()],
        )
        if self._guards and (problem := echo_problem(self._script, answer, inputs)):
            raise ValueNotFoundError(problem)
        return answer

    def _roots(self) -> Iterator[PageNode]:
        """The trees of the pages in the answer, each once.

        The page at which a repetition ends is also the one before the next step.
        """
        before: list[Any] = []
        for name, pages in self._seen.items():
            for page in pages:
                if name in self._script.shown and page.tree not in before:
                    yield PageNode.of(page.tree)
            before = [pages[-1].tree]

    async def _by_model(self) -> Any:
        assert self._model is not None
        self.questions += 1
        pages = (page for pages in self._seen.values() for page in pages)
        return await self._model.answer({page.url: " ".join(_texts(page.tree)) for page in pages})


def _with_fields(answer: Any, said: Any, fields: Sequence[str]) -> Any:
    """An answer with some fields of another one."""
    for field in fields:
        value = said
        for name in field.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        put_field(answer, field, value)
    return answer


def _texts(tree: list[Any]) -> Iterator[str]:
    _tag, _attributes, content = tree
    for inside in content:
        if isinstance(inside, str):
            yield inside
        elif not inside[0].startswith("@"):
            yield from _texts(inside)
