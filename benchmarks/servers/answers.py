"""The answers of each service, as far as its client needs them: one small table per service."""

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

__all__ = ["APIS", "Api", "Made"]


@attrs.frozen
class Made:
    """The result of one creating POST.

    Attributes:
        id: Its id.
        body: The body of the POST.
        at: When.
    """

    body: dict[str, Any]
    id: str = attrs.field(factory=lambda: str(uuid.uuid4()))
    at: str = attrs.field(factory=lambda: datetime.now(UTC).isoformat())


@attrs.frozen
class Api:
    """The part of a service that a benchmark needs.

    Attributes:
        creates: The path of the creating POST.
        created: The answer to that POST.
        reads: By pattern of the path, the answer to a GET; the pattern's group is an id.
    """

    creates: str
    created: Callable[[Made], object]
    reads: Mapping[str, Callable[[list[Made], str], object]] = attrs.field(factory=dict)

    def read(self, path: str, made: list[Made]) -> object:
        """The answer to a GET, or None for an unknown path."""
        for pattern, answer in self.reads.items():
            if match := re.fullmatch(pattern, path):
                return answer(made, match.group(1) if match.groups() else "")
        return None


def _apify(made: Made) -> object:
    run = {
        "id": made.id,
        "actId": "actor",
        "userId": "user",
        "startedAt": made.at,
        "status": "READY",
        "meta": {"origin": "API"},
        "stats": {},
        "options": {
            "build": "latest",
            "timeoutSecs": 300,
            "memoryMbytes": 1024,
            "diskMbytes": 2048,
        },
        "buildId": "build",
        "defaultKeyValueStoreId": "store",
        "defaultDatasetId": "dataset",
        "defaultRequestQueueId": "queue",
    }
    return {"data": run}


def _v1_row(made: Made) -> dict[str, Any]:
    return {
        "id": made.id,
        "task": made.body["task"],
        "status": "running",
        "created_at": made.at,
        "live_url": None,
        "output": None,
        "finished_at": None,
    }


def _v1_list(made: list[Made], _id: str) -> object:
    # As documented: rows have no metadata, so that finding a task needs a get as well.
    rows = [_v1_row(one) for one in reversed(made)]
    return {"tasks": rows, "total_pages": 1, "page": 1, "limit": 100, "total_count": len(rows)}


def _v1_get(made: list[Made], task_id: str) -> object:
    for one in made:
        if one.id == task_id:
            return {**_v1_row(one), "steps": [], "metadata": one.body.get("metadata") or {}}
    return None


APIS: Mapping[str, Api] = {
    "apify": Api("/v2/actors/actor/runs", _apify),
    "browser_use_async": Api(
        "/api/v1/run-task",
        lambda made: {"id": made.id},
        {"/api/v1/tasks": _v1_list, "/api/v1/task/([^/]+)": _v1_get},
    ),
    "browser_use_sdk": Api(
        "/api/v2/tasks", lambda made: {"id": made.id, "sessionId": str(uuid.uuid4())}
    ),
}
