"""The published documents of the hosted API, and the check of a call and its answer."""

import json
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

_FOLDER = Path(__file__).parents[2] / "openapi"
_FORMATS = FormatChecker(())


@_FORMATS.checks("uuid", ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or bool(uuid.UUID(value))


class Contract:
    """One version of the hosted API.

    Args:
        version: Such as `v4`.
    """

    def __init__(self, version: str) -> None:
        document = json.loads((_FOLDER / f"hosted_{version}.json").read_text())
        self._operations = document["operations"]
        self._components = document["components"]

    def call_problems(self, operation: str, query: dict[str, str], body: Any) -> list[str]:
        """The mistakes of a call; names that the document does not list are mistakes, too."""
        known = self._operations[operation]
        problems = [f"query {name} is unknown" for name in query if name not in known["query"]]
        for name, schema in known["query"].items():
            # A number may be one, or a text such as a cursor.
            if name in query and self._problems(schema, query[name]):
                problems += self._problems(schema, _typed(query[name]))
        schema = known["body"]
        if schema is None:
            return problems + (["a body is not due"] if body is not None else [])
        names = self._components["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
        problems += [f"{name} is unknown" for name in body or () if name not in names]
        return problems + self._problems(schema, body)

    def answer_problems(self, operation: str, status: int, body: Any) -> list[str]:
        """The mistakes of an answer that is no error."""
        answers = self._operations[operation]["answers"]
        if str(status) not in answers:
            return [f"{status} is not an answer of {operation}"]
        return self._problems(answers[str(status)], body)

    def _problems(self, schema: Any, value: Any) -> list[str]:
        whole = {**schema, "components": self._components}
        errors = _validator(json.dumps(whole)).iter_errors(value)
        return [f"{each.json_path}: {each.message}" for each in errors]


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema), format_checker=_FORMATS)


def _typed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
