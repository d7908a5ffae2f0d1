"""Answers by the operator's model, for what has no name on the pages: one question only."""

from collections.abc import Mapping
from typing import Any

from browser_use_async.server.executors.model import Model, NoModelError
from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.records import Assignment

_MOST_TEXT = 60_000  # characters of pages in one question
_ANSWER = (
    "You read web pages. You are given a task and the texts of the pages to which it led. Answer "
    "the task with JSON and nothing else, by what the pages say and by nothing else."
)


class ModelReader:
    """Asks the model for one task."""

    def __init__(self, model: Model, assignment: Assignment) -> None:
        self._model = model
        self._assignment = assignment
        self._mask = SecretRedactor(assignment.secrets)

    async def answer(self, texts: Mapping[str, str]) -> Any:
        """The answer from the texts of pages, by address."""
        schema = self._assignment.structured_output_json
        shape = f"the JSON schema {schema}" if schema else 'the shape {"answer": "…"}'
        pages = "\n\n".join(f"Page {url}:\n{text}" for url, text in texts.items())
        question = f"Task: {self._assignment.task}\nThe answer has {shape}\n\n{pages[-_MOST_TEXT:]}"
        wanted = self._assignment.llm_model
        said = (await self._model.ask(wanted, _ANSWER, self._mask.text(question))).as_json()
        if schema:
            return said
        if not isinstance(said, dict):
            raise NoModelError("The model did not answer with an object.")
        return str(said.get("answer", ""))
