"""Answers that follow a JSON schema: the agent is told what is wrong until one does."""

import json
import re
from importlib import import_module
from typing import Any

from browser_use_async.server.executors.agent.worker.library import Tools

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(?P<inner>.*)\n\s*```\s*", re.DOTALL)
_SHOWN_PROBLEMS = 5


class SchemaRefusedError(Exception):
    """A schema that cannot be followed. Its text is a sentence for a person."""


class AnswerSchema:
    """The schema of one task's answer.

    Raises:
        SchemaRefusedError: It is no JSON schema.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        validators = import_module("jsonschema.validators")
        try:
            schema = json.loads(text)
            kind = validators.validator_for(schema, validators.Draft202012Validator)
            kind.check_schema(schema)
        except (ValueError, import_module("jsonschema").SchemaError) as error:
            reason = str(error).partition("\n")[0]
            raise SchemaRefusedError(
                f"structured_output_json is no JSON schema: {reason}."
            ) from None
        # A registry of its own: references to other places are not fetched.
        self._validator = kind(schema, registry=import_module("referencing").Registry())

    @property
    def request(self) -> str:
        """What the task has to say besides."""
        return (
            "\n\nThe `text` of your final `done` must be JSON and nothing else, and follow this "
            f"JSON schema:\n{self.text}"
        )

    def check(self, answer: str) -> tuple[str, str]:
        """Hold an answer against the schema."""
        fenced = _FENCED.fullmatch(answer)
        try:
            value = json.loads(fenced["inner"] if fenced else answer)
        except ValueError as error:
            return "", f"it is not JSON ({error})"
        try:
            problems = [f"{one.json_path}: {one.message}" for one in self._problems(value)]
        except import_module("referencing.exceptions").Unresolvable as error:
            return "", f"the schema refers to what is not in it ({error})"
        return (json.dumps(value, ensure_ascii=False), "") if not problems else ("", _few(problems))

    def _problems(self, value: Any) -> list[Any]:
        return list(self._validator.iter_errors(value))


def require_schema(tools: Tools, schema: AnswerSchema) -> None:
    """Let the agent be done only with an answer that follows the schema."""
    result = import_module("browser_use").ActionResult

    @tools.action(
        "Complete the task with an answer in JSON that follows the schema in the task.",
        param_model=import_module("browser_use.tools.views").DoneAction,
    )
    async def done(parameters: Any) -> Any:
        answer, problem = schema.check(parameters.text)
        if problem and parameters.success:
            return result(error=f"The answer does not follow the schema: {problem}. Correct it.")
        return result(
            is_done=True,
            success=parameters.success,
            extracted_content=answer or parameters.text,
            long_term_memory="Task completed.",
        )


def _few(problems: list[str]) -> str:
    more = len(problems) - _SHOWN_PROBLEMS
    shown = "; ".join(problem[:200] for problem in problems[:_SHOWN_PROBLEMS])
    return f"{shown}; and {more} more" if more > 0 else shown
