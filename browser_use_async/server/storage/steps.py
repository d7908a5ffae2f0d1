"""The steps of tasks, each with its number, by which it is stored and charged once."""

import uuid
from datetime import datetime
from decimal import Decimal

from browser_use_async.prices import step_cents
from browser_use_async.server.executors.protocol import Step
from browser_use_async.server.pictures import Drawing
from browser_use_async.server.storage.account import charge
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import Files
from browser_use_async.server.storage.records import TaskRecord
from browser_use_async.server.storage.task_files import drawing_text, screenshot_key
from browser_use_async.server.storage.values import from_text, to_moment, to_text
from browser_use_async.types import TaskStep

_INSERT = (
    "INSERT INTO steps (task_id, number, id, evaluation_previous_goal, next_goal, url, drawing, "
    "taken_at) VALUES (:task_id, :number, :id, :evaluation, :goal, :url, :drawing, :now) "
    "ON CONFLICT (task_id, number) DO NOTHING RETURNING number"
)
_OF_TASK = (
    "SELECT id, number, evaluation_previous_goal, next_goal, url FROM steps "
    "WHERE task_id = :id ORDER BY number"
)


async def read_steps(database: Database, task_id: str) -> list[TaskStep]:
    """The steps of a task, in their order."""
    return [
        TaskStep(step_id, number, from_text(evaluation), from_text(goal), from_text(url))
        for step_id, number, evaluation, goal, url in await database.rows(_OF_TASK, id=task_id)
    ]


async def step_moments(database: Database, task_id: str) -> list[str | None]:
    """When each step of a task was reported, in their order; None where nobody noted it."""
    found = await database.rows(
        "SELECT taken_at FROM steps WHERE task_id = :id ORDER BY number", id=task_id
    )
    return [each[0] for each in found]


def cents_of_step(record: TaskRecord, number: int) -> Decimal | None:
    """What a step costs in US cents; None where another service tells the cost of all."""
    if record.remote is not None:
        return None
    return step_cents(record.llm_model) if number <= record.max_agent_steps else Decimal(0)


async def insert_step(
    at: Database, record: TaskRecord, number: int, step: Step, now: datetime
) -> None:
    """Store a step with its picture and charge it, in a transaction; only the first time.

    The step that says that no more may be taken is free, and so are those of another service,
    which tells itself what a task costs.
    """
    picture = step.screenshot if record.takes_screenshots else None
    drawing = None
    if record.takes_screenshots and picture is None:
        headline = step.next_goal or step.evaluation_previous_goal
        drawn = Drawing(number, headline, step.url, step.text, record.viewport)
        drawing = drawing_text(drawn)
    inserted = await at.rows(
        _INSERT,
        task_id=record.id,
        number=number,
        id=str(uuid.uuid4()),
        evaluation=to_text(step.evaluation_previous_goal),
        goal=to_text(step.next_goal),
        url=to_text(step.url),
        drawing=drawing,
        now=to_moment(now),
    )
    if not inserted:
        return
    if picture is not None:
        await Files(at).put(screenshot_key(record.id, number), picture)
    cents = cents_of_step(record, number)
    if cents:
        await charge(at, record.owner, cents)
