"""Responses in pydantic models and FastAPI routes."""

import json
import subprocess
import sys
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, TypeAdapter, ValidationError

from browser_use_async import (
    Balance,
    BrowserProfile,
    ParsedTask,
    ScheduledTask,
    Task,
    TaskPage,
    errors,
)
from tests.types.test_responses import RESPONSES
from tests.types.test_serialization import TASK, Row

EACH = pytest.mark.parametrize(
    "response", RESPONSES, ids=[type(each).__name__ for each in RESPONSES]
)


class Report(BaseModel):
    """A user's model."""

    title: str
    task: Task
    others: list[Task] = []


def test_a_task_in_a_model():
    """It is accepted unchanged, written as JSON without what grants access, and read back."""
    report = Report(title="Weekly", task=TASK)

    assert report.task is TASK
    assert report.model_dump()["task"] is TASK
    written = json.loads(report.model_dump_json())
    assert written["task"] == TASK.to_dict() == report.model_dump(mode="json")["task"]
    again = Report.model_validate_json(json.dumps(written))
    assert again.task == Task.from_dict(TASK.to_dict())
    whole = report.model_dump_json(context={"include_secrets": True})
    assert Report.model_validate_json(whole) == report


def test_what_is_no_task_is_named_with_its_place():
    """Pydantic names the place in the model, and the SDK the place in the task."""
    with pytest.raises(ValidationError) as caught:
        Report.model_validate({"title": "x", "task": {"id": "t-1"}, "others": [5]})

    (first, second) = caught.value.errors()
    assert first["loc"] == ("task",)
    assert "$.task: a required field is missing" in first["msg"]
    assert second["loc"] == ("others", 0)


@EACH
def test_every_response_is_a_type_of_pydantic(response):
    """Each class is read and written, and has a JSON schema with its fields."""
    adapter: TypeAdapter[Any] = TypeAdapter(type(response))

    assert adapter.validate_json(response.to_json(include_secrets=True)) == response
    assert json.loads(adapter.dump_json(response)) == response.to_dict()
    for mode in ("validation", "serialization"):
        schema = adapter.json_schema(mode=mode)  # type: ignore[arg-type]
        assert schema["title"] == type(response).__name__
        assert response.to_dict(include_secrets=True).keys() <= schema["properties"].keys()


def test_a_parsed_task_parses_in_pydantic():
    """Its output is parsed into the type of the annotation."""
    adapter = TypeAdapter(ParsedTask[Row])
    finished = {**TASK.to_dict(), "status": "finished", "output": '{"name": "a"}'}

    assert adapter.validate_python(finished).parsed == {"name": "a"}
    with pytest.raises(ValidationError, match="does not fit Row"):
        adapter.validate_python({**finished, "output": "[]"})
    with pytest.raises(errors.TaskFailedError):
        print(adapter.validate_python({**finished, "status": "failed"}).parsed)


async def _get(application: FastAPI, path: str) -> Any:
    """The JSON of a route, as an ASGI server requests it."""
    sent: list[Any] = []
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    assert sent[0]["status"] == 200
    return json.loads(b"".join(each.get("body", b"") for each in sent[1:]))


async def test_a_route_returns_a_task():
    """The OpenAPI document has one schema `Task` with its fields, and the response has them."""
    application = FastAPI()

    @application.get("/task")
    def task() -> Task:
        return TASK

    @application.get("/page")
    def page() -> TaskPage:
        return TaskPage([], 1, 1, 10, 0)

    assert await _get(application, "/task") == TASK.to_dict()
    assert (await _get(application, "/page"))["limit"] == 10
    document = await _get(application, "/openapi.json")
    answers = document["paths"]["/task"]["get"]["responses"]["200"]
    schemas = document["components"]["schemas"]
    named = "#/components/schemas/"
    assert answers["content"]["application/json"]["schema"] == {"$ref": f"{named}Task"}
    assert {"id", "status", "steps", "live_url"} <= schemas["Task"]["properties"].keys()
    assert schemas["Task"]["properties"]["steps"]["items"] == {"$ref": f"{named}TaskStep"}
    assert schemas["TaskStep"]["properties"]["step"] == {"type": "integer"}
    assert schemas["TaskPage"]["properties"]["tasks"]["items"] == {"$ref": f"{named}TaskSummary"}


def test_a_parsed_task_is_named_with_its_type():
    """Two of them in one document are two schemas, each parsed into its own type."""

    class Both(BaseModel):
        row: ParsedTask[Row]
        rows: ParsedTask[list[Row]]
        again: ParsedTask[list[Row]]

    schemas = Both.model_json_schema()["$defs"].keys()
    assert {"ParsedTask_Row_", "ParsedTask_list_Row__", "TaskStep"} <= schemas
    assert len([each for each in schemas if each.startswith("ParsedTask")]) == 2
    done = {"id": "t", "task": "x", "status": "finished", "created_at": None}
    one, many = ({**done, "output": each} for each in ('{"name": "a"}', '[{"name": "a"}]'))
    read = Both.model_validate({"row": one, "rows": many, "again": many})
    assert [read.rows.parsed, read.again.parsed] == [[read.row.parsed]] * 2


def test_jsonable_encoder():
    """Alone and within other objects."""
    assert jsonable_encoder(TASK) == TASK.to_dict()
    assert jsonable_encoder({"tasks": [TASK]}) == {"tasks": [TASK.to_dict()]}
    assert jsonable_encoder(Report(title="x", task=TASK))["task"] == TASK.to_dict()


def test_json_schemas_name_what_is_required():
    """As in the API."""
    schema = TypeAdapter(ScheduledTask).json_schema()

    assert schema["required"] == ["id", "task", "schedule_type"]
    assert schema["properties"]["next_run_at"] == {
        "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]
    }
    assert TypeAdapter(Balance).json_schema()["required"] == ["balance"]
    assert TypeAdapter(BrowserProfile).json_schema()["properties"]["persist"] == {"type": "boolean"}


def test_without_pydantic_nothing_is_missed():
    """Writing and reading JSON does not import it."""
    program = (
        "import sys; from browser_use_async import Task; "
        "task = Task.from_dict({'id': 't', 'task': 'x', 'status': 'running', "
        "'created_at': None}); task.to_json(); task._repr_html_(); "
        "print(*(name for name in sys.modules if name.startswith('pydantic')))"
    )

    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == ""
