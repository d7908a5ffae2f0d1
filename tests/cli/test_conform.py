"""`conform` against the bundled server, as it is and with faults that it has to find."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.api.endpoint_table import ENDPOINTS
from browser_use_async.cli.commands.conform import Outcome, run_checks
from browser_use_async.cli.conform.probe import Settings
from browser_use_async.server import Fault, LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.static_site import StaticSite, example_site_directory
from tests.cli.running import run

SLOW = Scenario(steps=("Wait",), step_seconds=0, hangs=True)
QUICK = Scenario(steps=("Open it", "Read it"), step_seconds=0, output="x", files={"a b.txt": b"x"})


@asynccontextmanager
async def _server(**options: Any) -> AsyncIterator[tuple[LocalServer, Settings]]:
    options.setdefault("executor", ScriptedExecutor({"Wait": SLOW}, default=QUICK))
    async with StaticSite(example_site_directory()) as site:
        options = {"search": [site.url], "balance_cents": 10**6, **options}
        async with LocalServer(webhook_retry_delay=0.01, **options) as server:
            yield (
                server,
                Settings(
                    base_url=server.base_url,
                    api_key=server.api_key,
                    task=f"Open {site.url} and tell me its title",
                    slow_task=f"Open {site.url}. Wait 30 seconds. Tell me the title",
                    website=site.url,
                    task_seconds=5.0,
                ),
            )


def _deviating(outcomes: list[Outcome]) -> dict[str, str]:
    return {each.check.statement: each.reason for each in outcomes if each.verdict == "deviates"}


@pytest.mark.parametrize("stored", [False, True], ids=["memory", "SQLite"])
async def test_the_bundled_server(stored: bool, tmp_path: Path):
    """Every check holds, and every call of the API is among their requests."""
    database = tmp_path / "server.db" if stored else ":memory:"
    async with _server(database=database) as (server, settings):
        outcomes = await run_checks(settings)

    assert _deviating(outcomes) == {}
    assert [each for each in outcomes if each.verdict != "ok"] == []
    assert {row.name for row in ENDPOINTS} <= server.requests.keys()


async def test_a_server_without_a_browser(tmp_path: Path):
    """The reader ends every task at once: what needs a task that runs is skipped, not failed."""
    async with _server(executor="reader") as (_, settings):
        outcomes = await run_checks(settings)

    assert _deviating(outcomes) == {}
    assert {each.check.section for each in outcomes if each.verdict == "skipped"} == {
        "Life of a task"
    }


def _answers(operation: str, value: Any, status: int = 200) -> Fault:
    body = json.dumps(value)
    headers = {"Content-Type": "application/json"}
    return Fault("status", operation, status=status, body=body, headers=headers, when="after")


FAULTS = {
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


@pytest.mark.parametrize("statement", FAULTS)
async def test_a_fault_is_found(statement: str):
    """By the check whose statement it breaks, with the request and the answer that show it."""
    async with _server(faults=[FAULTS[statement]]) as (server, settings):
        outcomes = await run_checks(settings)

        assert sum(server.faults_fired.values()) > 0
    (found,) = (each for each in outcomes if each.check.statement == statement)
    assert found.verdict == "deviates", outcomes
    assert found.reason
    assert found.request.split()[0] in {"GET", "POST", "PUT", "DELETE"}
    assert settings.api_key not in repr(outcomes)


async def test_the_command(tmp_path: Path):
    """A table for people on stderr, JSON for programs on stdout, 0 or 1 for both."""
    async with _server() as (server, settings):
        words = [
            *("conform", server.url, "--api-key", server.api_key, "--website", settings.website),
            *("--task-timeout", "5"),
        ]
        good = await run(*words)
        server.set_faults([FAULTS["me answers true to the key"]])
        bad = await run(*words, "--json")

    report = json.loads(good.stdout)
    assert (good.code, report["ok"]) == (0, True)
    assert re.search(r"all +35 of 35", good.stderr)
    assert (bad.code, json.loads(bad.stdout)["ok"]) == (1, False)
    checks = json.loads(bad.stdout)["checks"]
    shown = {each["statement"]: each["answer"] for each in checks if "answer" in each}
    assert shown["me answers true to the key"] == '200 {"authenticated": true}'
    assert bad.stderr == ""


async def test_what_is_refused():
    """A server of another machine without consent, no key, and an address without a server."""
    foreign = await run("conform", "https://tasks.example", "--api-key", "bu_key")
    nobody = await run("conform", "http://127.0.0.1:9", "--api-key", "bu_key")
    no_key = await run("conform", "http://127.0.0.1:9")

    assert (foreign.code, "pass --yes" in foreign.stderr) == (2, True)
    assert (nobody.code, "nothing answers at 127.0.0.1:9" in nobody.stderr) == (2, True)
    assert (no_key.code, "no API key" in no_key.stderr) == (2, True)
