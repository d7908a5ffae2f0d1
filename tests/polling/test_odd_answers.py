"""Waits with answers that are odd in places where that must not cost a task."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from browser_use_async import TaskStatus
from tests.support.fake_api import Call, Fault
from tests.support.fake_task import lives

pytestmark = pytest.mark.looptime

SHAPES = (
    "2025-11-01T10:48:01.533595Z",
    "2025-11-01T10:48:01Z",
    "2025-11-01T10:48:01.533Z",
    "2025-11-01T10:48:01.533595",
    "2025-11-01 10:48:01",
    "2025-11-01T10:48:01.533595+00:00",
    "2025-11-01T12:48:01.533595+02:00",
    "2025-11-01T10:48:01.533595+00:00Z",
)
GARBAGE = (
    "yesterday",
    "",
    "9" * 5000,
    "0001-01-01T00:00:00+14:00",
    1761994081,
    {"at": 1},
    [],
    True,
)


@pytest.mark.long
async def test_no_timestamp_ends_a_wait(api, session):
    """Eight formats become aware datetimes; garbage stays raw; every wait gets its task."""
    aware = raw = 0

    for written in (*SHAPES, *GARBAGE):
        task = api.add(lives(5.0))
        api.fault = _with_times(task.id, written)

        ended = await session.wait(task.id)

        assert ended.status is TaskStatus.FINISHED
        if ended.created_at is None:
            raw += ended.extra == {"created_at": written, "finished_at": written}
        else:
            aware += ended.created_at.utcoffset() is not None

    assert (aware, raw) == (len(SHAPES), len(GARBAGE))


def _with_times(task_id: str, written: Any) -> Callable[[Call], Fault | None]:
    """Answer get-task with a finished task with these times."""
    body = {"id": task_id, "task": "x", "status": "finished", "output": "Done.", "steps": []}
    fault = Fault(
        status=200, body=json.dumps({**body, "created_at": written, "finished_at": written})
    )
    return lambda call: fault if call.route == "get" else None
