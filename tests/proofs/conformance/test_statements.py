"""The statements on the bundled server, and on servers with faults that they have to find."""

import asyncio
import json
import os
import re
import sys

import aiohttp
import pytest

from browser_use_async.api.endpoint_table import ENDPOINTS
from browser_use_async.server import Fault
from tests.proofs.conformance.broken_servers import FAULTS, conforming_server
from tests.proofs.conformance.statements.report import Outcome, run_checks

JSON = {"Content-Type": "application/json"}


def _deviating(outcomes: list[Outcome]) -> dict[str, str]:
    return {each.check.statement: each.reason for each in outcomes if each.verdict == "deviates"}


@pytest.mark.long
@pytest.mark.parametrize("stored", [False, True], ids=["memory", "SQLite"])
async def test_the_bundled_server_conforms(stored, tmp_path):
    """Every check passes, and every call of the API is among their requests."""
    database = tmp_path / "server.db" if stored else ":memory:"
    async with conforming_server(database=database) as (server, settings):
        outcomes = await run_checks(settings)

    assert _deviating(outcomes) == {}
    assert [each for each in outcomes if each.verdict != "ok"] == []
    assert {row.name for row in ENDPOINTS} <= server.requests.keys()


@pytest.mark.long
async def test_a_server_without_a_browser(tmp_path):
    """The reader may end a task at once: checks that need a running one are skipped, not failed."""
    async with conforming_server(executor="plain") as (_, settings):
        outcomes = await run_checks(settings)

    assert _deviating(outcomes) == {}
    skipped = {each.check.section for each in outcomes if each.verdict == "skipped"}
    assert skipped <= {"Life of a task"}


@pytest.mark.long
@pytest.mark.parametrize("statement", FAULTS)
async def test_a_fault_is_found(statement):
    """By the check whose statement it breaks, with the request and the answer that show it."""
    async with conforming_server(faults=[FAULTS[statement]]) as (server, settings):
        outcomes = await run_checks(settings)

        assert sum(server.faults_fired.values()) > 0
    (found,) = (each for each in outcomes if each.check.statement == statement)
    assert found.verdict == "deviates", outcomes
    assert found.reason
    assert found.request.split()[0] in {"GET", "POST", "PUT", "DELETE"}
    assert settings.api_key not in repr(outcomes)


async def test_nothing_is_left_behind():
    """A check that finds a deviation deletes and stops what it has created, too."""
    wrong_lists = [each for each in FAULTS.values() if "list_tasks" in (each.operations or ())]
    wrong_update = FAULTS["a schedule is created, read, changed in part and deleted"]
    async with conforming_server(faults=[*wrong_lists, wrong_update]) as (server, settings):
        await run_checks(settings)

        assert [task.id for task in server.store.tasks if not task.status.is_terminal] == []
        server.set_faults([])
        headers = {"Authorization": f"Bearer {server.api_key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.get(server.base_url + "/scheduled-tasks") as answer,
        ):
            assert (await answer.json())["tasks"] == []


@pytest.mark.long
async def test_the_command():
    """A table for people or JSON for programs; 0 or 1 for both."""
    async with conforming_server() as (server, settings):
        words = [server.url, "--website", settings.website, "--task-timeout", "5"]
        good = await _command(*words, key=server.api_key)
        server.set_faults([FAULTS["me answers true to the key"]])
        bad = await _command(*words, "--json", key=server.api_key)

    assert good[0] == 0
    assert re.search(r"all +40 of 40", good[1])
    report = json.loads(bad[1])
    shown = {each["statement"]: each["answer"] for each in report["checks"] if "answer" in each}
    assert (bad[0], report["ok"]) == (1, False)
    assert shown["me answers true to the key"] == '200 {"authenticated": true}'


async def _command(*words: str, key: str = "") -> tuple[int | None, str, str]:
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.proofs.conformance.statements", *words),
        env={**os.environ, "BROWSER_USE_API_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await running.communicate()
    return running.returncode, out.decode(), err.decode()


@pytest.mark.long
async def test_no_link_is_shown():
    """What follows the host is cut off, with a scheme or without, and with escaped slashes."""
    links = (
        *("https://h.example/live/tok-1?x", "//h.example/live/tok-2", "wss://h.example/tok-3"),
        *(r"https:\/\/h.example\/live\/tok-4", r"\/\/h.example\/live\/tok-5"),
    )
    body = f'{{"authenticated": "{" ".join(links)}"}}'
    fault = Fault("status", "me", status=200, body=body, headers=JSON, when="after")
    async with conforming_server(faults=[fault]) as (server, settings):
        outcomes = await run_checks(settings)

        assert sum(server.faults_fired.values()) > 0
    (found,) = (each for each in outcomes if each.check.statement == "me answers true to the key")
    assert "tok-" not in repr(outcomes)
    assert found.answer.count("h.example") == len(links)


async def test_what_is_refused():
    """A server of another machine without consent, no key, and an address without a server."""
    foreign = await _command("https://tasks.example", key="bu_key")
    silent = await _command("http://127.0.0.1:9", key="bu_key")
    no_key = await _command("http://127.0.0.1:9")

    assert (foreign[0], "pass --yes" in foreign[2]) == (2, True)
    assert (silent[0], "nothing answers at 127.0.0.1:9" in silent[2]) == (2, True)
    assert (no_key[0], "no API key" in no_key[2]) == (2, True)
