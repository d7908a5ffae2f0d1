"""How the tasks of an owner went: by day, and by the reason why they failed."""

import asyncio
import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.prices import TASK_START_CENTS, step_cents, task_cents
from browser_use_async.server.http.responses import Json
from browser_use_async.server.http.routes import admin_operation
from browser_use_async.server.keys.api_key import Scope
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage import Database
from browser_use_async.server.storage.rows import beginning, from_text, to_moment
from browser_use_async.types import FieldKind, FieldRule
from browser_use_async.types.base import ruled

MOST_TASKS = 20_000
"""The latest tasks that are looked at; earlier ones are left out, and the answer says so."""

AT_ONCE = 1000
"""Tasks in one statement: others are answered between two of them."""

_MOST_DAYS = 90
_MOST_REASONS = 12
_REASON_CHARACTERS = 200
_DAY = 86_400_000  # milliseconds
_FARTHEST = 14 * 60  # minutes that clocks are before or behind UTC

_STEPS = "(SELECT COUNT(*) FROM steps WHERE steps.task_id = tasks.id)"
_PAID = f"CASE WHEN {_STEPS} < max_agent_steps THEN {_STEPS} ELSE max_agent_steps END"
_LAST_JUDGEMENT = (
    "(SELECT evaluation_previous_goal FROM steps WHERE steps.task_id = tasks.id "
    "ORDER BY number DESC LIMIT 1)"
)
_SOME = "owner = :owner AND position BETWEEN :first AND :last AND created_at >= :since"
# Two tasks failed for the same reason if only addresses, quotations and numbers differ, but for the
# status with which a page answered.
_PARTICULAR = re.compile(
    r"https?://[^\s,;]+|“[^”]*”|\"[^\"]*\"|'[^']*'|\b[0-9a-f]{8}-[0-9a-f-]{27}\b"
    r"|(?<!answered )(?<!\d)\d+(?:[.,]\d+)*"
)


@attrs.frozen
class SummaryQuery:
    """Which days are summed up, by the clock of a person.

    Attributes:
        days: How many days, today included.
        utc_offset: How many minutes the clock is before UTC.
    """

    days: int = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, maximum=_MOST_DAYS, default=14),
        default=14,
    )
    utc_offset: int = ruled(
        FieldRule(
            FieldKind.INTEGER, nullable=False, minimum=-_FARTHEST, maximum=_FARTHEST, default=0
        ),
        default=0,
    )


@attrs.define
class Sums:
    """What some tasks came to."""

    tasks: int = 0
    statuses: dict[str, int] = attrs.field(factory=dict)
    cents: Decimal = Decimal(0)
    milliseconds: int = 0  # of those that have ended, from their creation on
    example: str = ""  # the id of the latest one, if they failed for one reason
    words: str = ""  # why it failed, with its page
    texts: set[str] = attrs.field(factory=set)  # of all of them

    def add(self, status: str, tasks: int, cents: Decimal, milliseconds: int | None) -> None:
        """Add tasks of one status."""
        self.tasks += tasks
        self.statuses[status] = self.statuses.get(status, 0) + tasks
        self.cents += cents
        self.milliseconds += milliseconds or 0

    def as_json(self) -> dict[str, Any]:
        """The sums as the page reads them."""
        return {
            "tasks": self.tasks,
            "statuses": self.statuses,
            "cost_cents": f"{self.cents.normalize():f}",
            "seconds": self.milliseconds / 1000,
        }


@attrs.define
class Summary:
    """The tasks since a moment."""

    is_whole: bool = True  # whether no earlier task of these days was left out
    days: dict[int, Sums] = attrs.field(factory=dict)  # by the number of the day since 1970
    reasons: dict[str, Sums] = attrs.field(factory=dict)


@admin_operation("admin_summary", "GET /admin/summary", Scope.READ, query=SummaryQuery)
async def show_summary(server: RunningServer, query: SummaryQuery) -> Json:
    """Sums up tasks, failures, cost and time by day, and by the reason of failures."""
    shift = timedelta(minutes=query.utc_offset)
    today = (server.settings.now() + shift).date()
    first = today - timedelta(days=query.days - 1)
    since = datetime.fromisoformat(f"{first}T00:00:00+00:00") - shift
    found = await sum_up(server.stores.database, server.owner, since, query.utc_offset)
    reasons, others = largest_reasons(found.reasons)
    return Json(
        days=[
            {"day": str(day), **found.days.get(_number(day), Sums()).as_json()}
            for day in (first + timedelta(days=number) for number in range(query.days))
        ],
        reasons=reasons,
        other_reasons=others,
        latest_only=None if found.is_whole else MOST_TASKS,
    )


async def sum_up(at: Database, owner: str, since: datetime, utc_offset: int) -> Summary:
    """Sum up the tasks of an owner since a moment, newest first and a thousand at a time."""
    found = Summary()
    statement = "SELECT tasks FROM accounts WHERE owner = :owner"
    newest = int(await at.value(statement, owner=owner) or 0)
    values: dict[str, Any] = {"owner": owner, "since": to_moment(since)}
    for last in range(newest, max(0, newest - MOST_TASKS), -AT_ONCE):
        values |= {"first": last - AT_ONCE + 1, "last": last}
        if not await _add_days(at, found, utc_offset, values):
            return found
        await _add_reasons(at, found, values)
        await asyncio.sleep(0)
    found.is_whole = newest <= MOST_TASKS
    return found


async def _add_days(at: Database, found: Summary, utc_offset: int, values: dict[str, Any]) -> bool:
    """Add some tasks to their days; whether there was one."""
    created, ended = (at.milliseconds.format(each) for each in ("created_at", "finished_at"))
    day = f"({created} + {utc_offset * 60_000}) / {_DAY}"
    rows = await at.rows(
        "SELECT day, status, llm_model, COUNT(*), SUM(paid), SUM(took) FROM (SELECT "
        f"{day} AS day, status, llm_model, {_PAID} AS paid, {ended} - {created} AS took "
        f"FROM tasks WHERE {_SOME}) AS lines GROUP BY day, status, llm_model",
        **values,
    )
    for number, status, model, tasks, paid, took in rows:
        cents = tasks * TASK_START_CENTS + int(paid) * step_cents(model)
        sums = found.days.setdefault(int(number), Sums())
        sums.add(status, int(tasks), cents, None if took is None else int(took))
    return bool(rows)


async def _add_reasons(at: Database, found: Summary, values: dict[str, Any]) -> None:
    """Add those that failed to their reasons."""
    created, ended = (at.milliseconds.format(each) for each in ("created_at", "finished_at"))
    rows = await at.rows(
        f"SELECT id, {beginning(_LAST_JUDGEMENT, _REASON_CHARACTERS)}, llm_model, "
        f"max_agent_steps, {_STEPS}, {ended} - {created} FROM tasks "
        f"WHERE {_SOME} AND status = 'failed' ORDER BY position DESC",
        **values,
    )
    for task_id, stored, model, most, steps, took in rows:
        cents = task_cents(steps, model, most)
        add_reason(found.reasons, from_text(stored or ""), task_id, cents, took)


def add_reason(
    reasons: dict[str, Sums], text: str, task_id: str, cents: Decimal, milliseconds: int | None
) -> None:
    """Add a failed task to its reason; the latest one comes first."""
    words = " ".join(text[:_REASON_CHARACTERS].split())
    sums = reasons.setdefault(reason_of(words), Sums(example=task_id, words=words))
    sums.add("failed", 1, cents, milliseconds)
    sums.texts.add(words)


def largest_reasons(reasons: dict[str, Sums]) -> tuple[list[dict[str, Any]], int]:
    """The most frequent reasons in the words of their latest tasks, and how many tasks had others.

    `alike` is how many other texts differ from these words only by addresses and numbers.
    """
    ordered = sorted(reasons.items(), key=lambda each: -each[1].tasks)
    shown = [
        {
            "reason": sums.words or reason,
            "alike": len(sums.texts) - 1,
            "task_id": sums.example,
            **sums.as_json(),
        }
        for reason, sums in ordered[:_MOST_REASONS]
    ]
    return shown, sum(sums.tasks for _, sums in ordered[_MOST_REASONS:])


def reason_of(text: str) -> str:
    """Why tasks failed, without what differs from one task to the next."""
    return " ".join(_PARTICULAR.sub("…", text).split()) or "No reason is known"


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days
