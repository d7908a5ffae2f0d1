"""A bundled server for the statements, and the faults that they have to find."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from browser_use_async.server import Fault, LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from tests.proofs.conformance.statements.probe import Settings

SLOW = Scenario(steps=("Wait",), step_seconds=0, hangs=True)
QUICK = Scenario(steps=("Open it", "Read it"), step_seconds=0, output="x", files={"a b.txt": b"x"})


@asynccontextmanager
async def conforming_server(**options: Any) -> AsyncIterator[tuple[LocalServer, Settings]]:
    """A server whose tasks suit the checks, and the settings for them."""
    options.setdefault("executor", ScriptedExecutor({"Wait": SLOW}, default=QUICK))
    async with StaticSite(example_site_directory()) as site:
        options = {"search": [site.url], "balance_cents": 10**6, **options}
        async with LocalServer(webhook_retry_pauses=[0.01] * 5, **options) as server:
            yield (
                server,
                Settings(
                    base_url=server.base_url,
                    api_key=server.api_key,
                    website=site.url,
                    task_seconds=5.0,
                ),
            )


def _answers(operation: str, value: Any, status: int = 200) -> Fault:
    body = json.dumps(value)
    headers = {"Content-Type": "application/json"}
    return Fault("status", operation, status=status, body=body, headers=headers, when="after")


FAULTS = {
    "a repeat with its key creates nothing, and is answered as before": _answers(
        "run_task", {"id": "00000000-0000-4000-8000-000000000000"}
    ),
    "another request with the same key is refused: 422 with the first id and the fields": _answers(
        "run_task", {"id": "00000000-0000-4000-8000-000000000000"}
    ),
    "me answers true to the key": _answers("me", {"authenticated": True}),
    "the balance is a number of cents, as text": _answers("check_balance", {"balance": 5000}),
    "the status call answers a bare text": _answers("get_task_status", {"status": "finished"}),
    "a task is listed as soon as it is created": Fault("list_lag", seconds=3600),
    "media and screenshots are lists of links, or null": Fault(
        "content_type", "get_task_media", content_type="text/html"
    ),
    "an output file has a link, and an unknown one is 404": Fault(
        "truncate", "get_task_output_file", at_byte=5
    ),
    "a schedule is created, read, changed in part and deleted": _answers(
        "update_scheduled_task", {}
    ),
    "a profile is created with defaults, changed in part and deleted": _answers(
        "create_browser_profile", {"profile_id": "x"}
    ),
    "a file is uploaded by a link, and a task can include it": Fault(
        "status", "upload", status=403
    ),
    "search-url answers with the passages of one website": Fault("reset", "search_url"),
    "a stop is final: the task is stopped, and cannot be resumed": Fault(
        "status", "stop_task", status=500
    ),
    "a running task is paused, and continues when it is resumed": _answers("pause_task", {}, 202),
    "ping needs no key": _answers("ping", {"detail": "Not authenticated"}, 403),
    "the newest task comes first, and the figures of a page agree": Fault(
        "garbage", "list_tasks", body="no HTTP"
    ),
}
"""Faults, by the statement that each breaks."""
