"""Where the fields of run-task appear, as their rules say."""

import attrs
import pytest

from browser_use_async.server.storage.records import LISTED
from browser_use_async.types import (
    CreateScheduledTaskRequest,
    Place,
    RunTaskRequest,
    ScheduledTask,
    Task,
    TaskSummary,
    UpdateScheduledTaskRequest,
    rules_of,
)

RULES = rules_of(RunTaskRequest)
MODELS = {
    Place.TASK: Task,
    Place.ROW: TaskSummary,
    Place.CREATE: CreateScheduledTaskRequest,
    Place.SCHEDULE: ScheduledTask,
    Place.UPDATE: UpdateScheduledTaskRequest,
}


def _said(place: Place) -> set[str]:
    return {name for name, rule in RULES.items() if place in rule.places}


@pytest.mark.parametrize("place", Place)
def test_a_class_has_the_fields_whose_rules_say_so(place):
    """A field is inherited by nothing in silence: its rule names the schedules, too."""
    names = {field.name for field in attrs.fields(MODELS[place])}

    assert names & RULES.keys() == _said(place)


async def test_answers_have_the_fields_whose_rules_say_so(caller):
    """With their values: the task, its row in the list, the schedule, and its update."""
    task = {"task": "Look", "metadata": {"order": "1"}}
    task_id = await caller.create(**task)
    whole, (row,) = await caller.task(task_id), (await caller.get("/tasks")).json["tasks"]
    fields = {"use_proxy": False, "highlight_elements": False, "llm_model": "o3"}
    new = {**task, **fields, "schedule_type": "interval", "interval_minutes": 60}
    created = (await caller.post("/scheduled-task", json=new)).json["id"]
    schedule = (await caller.get(f"/scheduled-task/{created}")).json
    update = await caller.put(f"/scheduled-task/{created}", json={"use_proxy": True})

    for place, answer in ((Place.TASK, whole), (Place.ROW, row), (Place.SCHEDULE, schedule)):
        assert _said(place) <= answer.keys()
        assert {name: answer[name] for name in task} == task
    assert {name: schedule[name] for name in fields} == fields
    assert schedule["save_browser_data"] is False
    assert update.json == {**schedule, "use_proxy": True, "updated_at": update.json["updated_at"]}


def test_a_field_of_rows_has_a_column():
    """The rows of the list are made from stored texts."""
    assert _said(Place.ROW) <= set(LISTED)
