"""`--limit-by` and `--per-key` of `batch run` and `batch enqueue`."""

import json

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.batch.test_key_limits import most_of_each

from .running import environment, run
from .test_batch_queue import run as run_queue

LIMITS = ("--template", "{page}", "--limit-by", "site", "--per-key", "1")


@pytest.fixture
def pages(tmp_path):
    """A file with three pages of two sites each, and a page without a site."""
    file = tmp_path / "pages.csv"
    rows = [f"{site}/{number},{site}" for site in "ab" for number in range(3)]
    file.write_text("\n".join(["page,site", *rows, "alone,"]))
    return str(file)


def brief_server() -> LocalServer:
    """A server whose tasks take a moment."""
    return LocalServer(executor=ScriptedExecutor(default=Scenario(step_seconds=0.05)))


@pytest.mark.long
async def test_rows_of_one_site_run_one_after_another(pages):
    """`batch run` keeps the limit; a row without a value has no limit."""
    async with brief_server() as server:
        done = await run("batch", "run", pages, *LIMITS, env=environment(server))

        assert done.code == 0, done.stderr
        assert most_of_each(server) == {"a": 1, "b": 1, "alone": 1}


async def test_the_status_shows_the_limit(pages, tmp_path):
    """`batch status` names the column and the number, and each name stands apart from its value."""
    ledger = str(tmp_path / "run.db")
    schema = ("--schema", '{"type": "string"}')
    async with brief_server() as server:
        given = ("batch", "run", pages, *LIMITS, *schema, "--ledger", ledger)
        await run(*given, env=environment(server))
    text = await run("batch", "status", ledger, "--plain")
    found = await run("batch", "status", ledger)

    lines = [line.split(maxsplit=1) for line in text.stdout.splitlines()]
    shown = {line[0]: line[1] for line in lines if len(line) == 2}
    assert (shown["limit_by"], shown["per_key"]) == ("site", "1")
    assert json.loads(shown["structured_output_json"]) == {"type": "string"}
    assert shown["key_prefix"] == f"{shown['id']}/"
    assert (found.json["per_key"], found.json["labels"]["limit_by"]) == (1, "site")


@pytest.mark.long
async def test_processes_keep_the_limit_of_the_rows(postgres, pages):
    """`batch enqueue` records the limit for `batch work`."""
    queue = f"{postgres}#limited"
    async with brief_server() as server:
        target = ("--base-url", server.base_url, "--api-key", server.api_key)
        enqueued = await run_queue("enqueue", pages, *LIMITS, "--on", queue)
        worked = await run_queue("work", queue, *target)

        assert enqueued[0] == worked[0] == 0, (enqueued, worked)
        assert most_of_each(server) == {"a": 1, "b": 1, "alone": 1}


@pytest.mark.long
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (("--limit-by", "site"), "give both or neither"),
        (("--per-key", "2"), "give both or neither"),
        (("--limit-by", "host", "--per-key", "2"), "has no 'host', the --limit-by column"),
        (("--limit-by", "site", "--per-key", "0"), "--per-key"),
    ],
)
async def test_limits_that_make_no_sense_are_refused(pages, given, problem):
    """They are refused before anything is sent, and the error says what to do."""
    words = (
        "batch",
        "run",
        pages,
        "--template",
        "{page}",
        *given,
        "--api-key",
        "a-key-of-no-account",
    )

    done = await run(*words)

    assert done.code == 2
    assert problem in " ".join(done.stderr.split())
