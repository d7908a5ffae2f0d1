import csv
import json
import re
import shlex
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from browser_use_async import BrowserUseSession
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.cli import main
from browser_use_async.cli.batch.settings import resume_command
from browser_use_async.prices import format_cents
from browser_use_async.server import LocalServer
from tests.support.ledgers import item, write_ledger
from tests.support.patience import until
from tests.support.wire import bound_socket

from .running import Result, environment, run, run_on_terminal, running

TEMPLATE = "Find {company}'s head office"


def companies(folder: Path, *names: str) -> str:
    """A CSV file of companies, with keys."""
    path = folder / "in.csv"
    rows = "".join(f"k{number},{name}\n" for number, name in enumerate(names))
    path.write_text(f"key,company\n{rows}")
    return str(path)


def words(folder: Path, source: str, *more: str) -> tuple[str, ...]:
    """The command line of a batch that writes its results and its ledger to a folder."""
    files = ("-o", str(folder / "out.jsonl"), "--ledger", str(folder / "run.db"))
    return ("batch", "run", source, "--template", TEMPLATE, *files, *more)


def results(folder: Path) -> list[dict[str, Any]]:
    """The lines of the results."""
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def keys_of(lines: list[dict[str, Any]]) -> list[str]:
    """The keys of the items in the results, each as often as it is there."""
    return sorted(each["key"] for each in lines)


def resume_words(result: Result) -> list[str]:
    """The command to continue that a run has printed."""
    match = re.search(r"to go on: browser-use-async (.*)", result.stderr)
    assert match is not None, result.stderr
    return shlex.split(match[1])


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_batch(server, tmp_path):
    """Each row is a task and a line of results; a failed one is reported and makes exit code 1."""
    source = companies(tmp_path, "Acme", "Fail & Co", "Other")
    result = await run(*words(tmp_path, source), env=environment(server))
    lines = {each["key"]: each for each in results(tmp_path)}

    assert result.code == 1
    assert {record.task for record in server.store.tasks} == {
        f"Find {name}'s head office" for name in ("Acme", "Fail & Co", "Other")
    }
    assert keys_of(list(lines.values())) == ["k0", "k1", "k2"]
    assert (lines["k0"]["state"], lines["k0"]["output"], lines["k0"]["line"]) == (
        "done",
        "Done.",
        2,
    )
    assert lines["k1"]["error"]["type"] == "TaskFailedError"
    assert lines["k1"]["task"] == "Find Fail & Co's head office"
    assert (result.json["done"], result.json["failed"], result.json["left"]) == (2, 1, 0)
    assert result.json["cost_cents"] == sum(each["cost_cents"] for each in lines.values())
    assert "3 tasks of at most $1.89 each, 10 at once" in result.stderr
    assert "failed      k1  task" in result.stderr
    assert "The page is on fire" in result.stderr
    cost = format_cents(Decimal(str(result.json["cost_cents"])))
    assert f"2 done, 1 failed; {cost}" in result.stderr


@pytest.mark.long
async def test_without_files(server, tmp_path):
    """Results go to stdout, and a note names what is missing."""
    path = tmp_path / "in.jsonl"
    path.write_text('{"task": "Go"}\n{"task": "Go"}\n{"task": "Look"}\n')
    result = await run("batch", "run", str(path), env=environment(server))

    assert result.code == 0
    assert sorted(each["task"] for each in result.json_lines) == ["Go", "Go", "Look"]
    assert sorted(each["line"] for each in result.json_lines) == [1, 2, 3]
    assert "without --ledger this batch cannot be resumed" in result.stderr
    assert "2 done, 1 repeated in the input" in result.stderr
    assert server.tasks_created == 2


@pytest.mark.torture
async def test_fields_and_schema(server, recorder, tmp_path):
    """Options become fields of each task, and with a schema the output is parsed, too."""
    source = companies(tmp_path, "Acme")
    more = ("--schema", '{"type": "object"}', "--llm-model", "o3", "--secret", "pin=MY_PIN")
    more += ("--allowed-domain", "a.example")
    env = environment(server, MY_PIN="canary-of-a-pin")
    result = await run(*words(tmp_path, source, *more), env=env)
    status = await run("batch", "status", str(tmp_path / "run.db"), env=environment())

    assert result.code == 0
    assert recorder.assignments[0].llm_model == "o3"
    assert recorder.assignments[0].secrets == {"pin": "canary-of-a-pin"}
    assert results(tmp_path)[0]["parsed"] == {}  # the scripted answer follows the schema
    assert status.json["labels"] == {
        "allowed_domains": "a.example",
        "input": "in.csv",
        "items": "1",
        "llm_model": "o3",
        "secrets": "pin",
        "structured_output_json": '{"type": "object"}',
        "template": TEMPLATE,
    }
    assert b"canary-of-a-pin" not in (tmp_path / "run.db").read_bytes()


@pytest.mark.torture
async def test_resume(server, tmp_path):
    """A finished batch that is resumed sends nothing, and writes the file of results anew."""
    source = companies(tmp_path, "Acme", "Other")
    env = environment(server)
    (tmp_path / "run.db").touch()  # as after a crash at the very beginning
    first = await run(*words(tmp_path, source, "--resume"), env=env)
    refused = await run(*words(tmp_path, source), env=env)
    (tmp_path / "out.jsonl").write_text("")
    companies(tmp_path, "Acme", "Other", "More")
    again = await run(*words(tmp_path, source, "--resume"), env=env)

    assert (first.code, refused.code, again.code) == (0, 2, 0)
    assert "run.db is there already; --resume goes on" in refused.stderr
    assert keys_of(results(tmp_path)) == ["k0", "k1", "k2"]
    assert server.tasks_created == 3
    assert again.json["done"] == 3


@pytest.mark.long
async def test_a_ledger_in_use(server, tmp_path):
    """The error does not say that the batch has done nothing."""
    source = companies(tmp_path, "Acme", "Other")
    rows = [("k0", "Find Acme's head office"), ("k1", "Find Other's head office")]
    options: dict[str, Any] = {"ledger": tmp_path / "run.db", "labels": {"template": TEMPLATE}}
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        async for _ in session.run_many(rows, concurrency=1, **options):
            refused = await run(*words(tmp_path, source, "--resume"), env=environment(server))
            assert refused.code == 2
            announced, error = refused.stderr.splitlines()
            assert announced.startswith("2 tasks")
            assert "is using the ledger" in error
            assert "left" not in refused.stderr
            assert "spent" not in refused.stderr


@pytest.mark.torture
async def test_interrupted_once(server, recorder, tmp_path):
    """Ctrl-C lets running tasks end, begins nothing more, and prints how to continue."""
    source = companies(tmp_path, *(f"Held {number}" for number in range(6)))
    env = environment(server)
    async with running(*words(tmp_path, source, "--concurrency", "2"), env=env) as command:
        await until(lambda: server.tasks_created >= 2)
        command.send(signal.SIGINT)
        await command.says("no more tasks are created; waiting for the 2 under way")
        recorder.released.set()
        result = await command.ends()
    created = server.tasks_created
    again = await run(*resume_words(result), env=env)

    assert result.code == 130
    assert created == 2
    assert (result.json["done"], result.json["left"]) == (2, 4)
    assert result.json["stopped_by"] == "drained"
    assert again.code == 0
    assert keys_of(results(tmp_path)) == [f"k{number}" for number in range(6)]
    assert server.tasks_created == 6


@pytest.mark.torture
async def test_interrupted_twice(server, recorder, tmp_path):
    """A second Ctrl-C leaves running tasks; the printed command finds them and pays nothing."""
    source = companies(tmp_path, *(f"Held {number}" for number in range(4)))
    env = environment(server)
    async with running(*words(tmp_path, source, "--concurrency", "2"), env=env) as command:
        await until(lambda: server.tasks_created >= 2)
        command.send(signal.SIGINT)
        await command.says("no more tasks are created")
        command.send(signal.SIGINT)
        result = await command.ends()
    statuses = {str(record.status) for record in server.store.tasks}
    recorder.released.set()
    again = await run(*resume_words(result), env=env)

    assert result.code == 130
    assert result.stdout == ""
    assert statuses == {"running"}
    assert "left running: 2 tasks that may cost up to $3.77" in result.stderr
    assert again.code == 0
    assert keys_of(results(tmp_path)) == ["k0", "k1", "k2", "k3"]
    assert server.tasks_created == 4


@pytest.mark.torture
async def test_interrupted_without_a_ledger(server, tmp_path):
    """Tasks that no later run could find are stopped, and the file has the results so far."""
    source = companies(tmp_path, "Acme", "Hang")
    given = ("batch", "run", source, "--template", TEMPLATE, "--concurrency", "1")
    output = ("-o", str(tmp_path / "out.jsonl"))
    async with running(*given, *output, env=environment(server)) as command:
        await until(lambda: server.tasks_created >= 2)
        command.send(signal.SIGINT)
        await command.says("Press Ctrl-C again to leave them: they are stopped")
        command.send(signal.SIGINT)
        result = await command.ends()

    assert result.code == 130
    assert "to go on" not in result.stderr
    assert "without --ledger this batch cannot be resumed" in result.stderr
    assert {str(record.status) for record in server.store.tasks} == {"finished", "stopped"}
    assert keys_of(results(tmp_path)) == ["k0"]


@pytest.mark.long
@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
async def test_a_file_without_a_ledger(server, recorder, tmp_path, name):
    """It has a result for each row, in the order of the input, of which the first ends last."""
    source = companies(tmp_path, "Held", "Acme", "Other", "Acme")
    given = ("batch", "run", source, "--template", TEMPLATE, "-o", str(tmp_path / name))
    async with running(*given, env=environment(server)) as command:
        await until(lambda: server.tasks_created == 4)
        await until(lambda: sum(task.status.is_terminal for task in server.store.tasks) == 3)
        recorder.released.set()
        result = await command.ends()

    text = (tmp_path / name).read_text()
    rows = [*csv.DictReader(text.splitlines())] if name == "out.csv" else results(tmp_path)
    assert result.code == 0, result.stderr
    assert result.json["done"] == 4
    assert [row["key"] for row in rows] == ["k0", "k1", "k2", "k3"]
    assert {row["output"] for row in rows} == {"Done."}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.csv", name]


@pytest.mark.long
async def test_a_file_that_cannot_be_written_without_a_ledger(server, recorder, tmp_path):
    """What was paid for is printed."""
    source, folder = companies(tmp_path, "Held"), tmp_path / "results"
    folder.mkdir()
    given = ("batch", "run", source, "--template", TEMPLATE, "-o", str(folder / "out.csv"))
    async with running(*given, env=environment(server)) as command:
        await until(lambda: server.tasks_created == 1)
        folder.rmdir()
        recorder.released.set()
        result = await command.ends()

    assert result.code == 2
    assert "out.csv cannot be written: No such file or directory; the results are on std" in (
        result.stderr
    )
    assert [each["key"] for each in result.json_lines if "key" in each] == ["k0"]


@pytest.mark.torture
async def test_killed(server, recorder, tmp_path):
    """After kill -9 no file is half; the ledger gives the results, and the next run all of them."""
    names = ["Acme", "Other", "More", *(f"Held {number}" for number in range(5))]
    source = companies(tmp_path, *names)
    env = environment(server)
    async with running(*words(tmp_path, source, "--concurrency", "3"), env=env) as command:
        await until(lambda: server.tasks_created >= 6)
        command.send(signal.SIGKILL)
        result = await command.ends()
    had_file = (tmp_path / "out.jsonl").exists()
    so_far = await run("batch", "results", str(tmp_path / "run.db"))
    recorder.released.set()
    again = await run(*words(tmp_path, source, "--resume"), env=env)

    assert result.code == -signal.SIGKILL
    assert not had_file
    assert keys_of(so_far.json_lines) == ["k0", "k1", "k2"]
    assert again.code == 0
    assert keys_of(results(tmp_path)) == [f"k{number}" for number in range(8)]
    assert server.tasks_created == 8


@pytest.mark.long
async def test_another_ledger_joins(server, tmp_path):
    """With the same prefix, and only then: another ledger pays nothing, and all outputs say so."""
    source, env = companies(tmp_path, "Acme", "Fail & Co"), environment(server)
    prefixed = ("--key-prefix", "offices/")

    async def lines(name: str, *more: str) -> tuple[Result, list[dict[str, Any]]]:
        folder = tmp_path / name
        folder.mkdir()
        ended = await run(*words(folder, source, *more), env=env)
        return ended, sorted(results(folder), key=lambda line: line["key"])

    said_first, first = await lines("first", *prefixed)
    said, second = await lines("second", *prefixed)
    said_other, other = await lines("other")
    ledger = str(tmp_path / "second" / "run.db")
    status = await run("batch", "status", ledger, env=env)
    shown = await run("batch", "status", ledger, "--plain", env=env)
    again = await run(*words(tmp_path / "second", source, "--resume"), env=env)
    elsewhere = ("--resume", "--key-prefix", "shops/")
    refused = await run(*words(tmp_path / "second", source, *elsewhere), env=env)

    assert [line["task_id"] for line in second] == [line["task_id"] for line in first]
    assert [line["output"] for line in second] == [line["output"] for line in first]
    assert [(line["joined"], line["cost_cents"]) for line in second] == [(True, 0.0)] * 2
    assert not any(line["joined"] for line in (*first, *other))
    assert len(server.store.tasks) == 4
    joined = "2 of 2 items joined tasks of an earlier run; 1 of these tasks failed"
    assert said.stderr.splitlines()[0].endswith("of earlier runs with the key prefix 'offices/'")
    assert f"{joined}; --resume --retry-failed runs the failed ones anew" in said.stderr
    assert (said.json["joined"], said.json["joined_failed"]) == (2, 1)
    assert again.stderr.count(joined) == 2  # at first, and in the summary
    assert "earlier run" not in said_first.stderr.split("\n", 1)[1] + said_other.stderr
    assert (status.json["key_prefix"], status.json["cost_cents"]) == ("offices/", 0.0)
    assert (status.json["joined"], status.json["joined_failed"]) == (2, 1)
    assert re.search(rf"^joined +{joined}$", shown.stdout, re.MULTILINE)
    assert refused.code == 2
    assert "with key_prefix 'offices/', and now it is 'shops/'" in refused.stderr


@pytest.mark.long
async def test_conflicts_of_keys_are_one_group(server, tmp_path):
    """Rows that an earlier run has sent with other texts have one reason, with the way out."""
    source = companies(tmp_path, "Acme", "Other", "Third's")
    env, prefixed = environment(server), ("--key-prefix", "offices/")
    (tmp_path / "second").mkdir()
    await run(*words(tmp_path, source, *prefixed), env=env)

    changed = [each.replace("Find", "Seek") for each in words(tmp_path / "second", source)]
    result = await run(*changed, *prefixed, env=env)
    status = await run("batch", "status", str(tmp_path / "second" / "run.db"), env=env)
    anew = await run(*changed[:-1], str(tmp_path / "third.db"), "--resume", env=env)

    for found in (result, status):
        (reason,) = found.json["failures"]
        assert (reason["state"], reason["count"]) == ("dead letter", 3)
        assert reason["reason"].startswith("its key names the task, which was created with another")
        assert "Give the batch another key_prefix (--key-prefix)" in reason["reason"]
    assert anew.json["done"] == 3
    assert len(server.store.tasks) == 6


@pytest.mark.torture
async def test_another_template(server, tmp_path):
    """Another template, model or schema would pay for each row again: it is refused."""
    source = companies(tmp_path, "Acme")
    env = environment(server)
    await run(*words(tmp_path, source), env=env)
    given = words(tmp_path, source, "--resume")
    other_words = ("Buy {company}" if each == TEMPLATE else each for each in given)
    other = await run(*other_words, env=env)
    model = await run(*words(tmp_path, source, "--resume", "--llm-model", "o3"), env=env)

    assert (other.code, model.code) == (2, 2)
    assert f"template \"{TEMPLATE}\", and now it is 'Buy {{company}}'" in other.stderr
    assert "llm_model not given, and now it is 'o3'" in model.stderr
    assert server.tasks_created == 1


@pytest.mark.torture
async def test_budget(server, tmp_path):
    """At the budget no more tasks are created; the rest is reported, and more money continues."""
    source = companies(tmp_path, *(f"Company {number}" for number in range(6)))
    env = environment(server)
    more = ("--concurrency", "1", "--max-agent-steps", "2", "--budget-cents")
    result = await run(*words(tmp_path, source, *more, "13"), env=env)
    created = server.tasks_created
    again = await run(*resume_words(result), env=env)

    assert result.code == 1
    said = " ".join(result.stderr.split())
    assert "note: the next task may cost up to $0.06 ($0.01 for its start and 2 steps" in said
    assert "left out by the budget" in said
    assert result.json["stopped_by"] == "budget"
    assert result.json["left"] == 6 - created > 0
    assert result.json["cost_cents"] + result.json["next_cents"] > 13
    assert result.json["cost_cents"] <= 13
    assert again.code == 0
    assert server.tasks_created == 6


@pytest.mark.long
@pytest.mark.parametrize("given", [("--budget-cents", "1"), ("--budget-cents=1",)])
async def test_a_budget_below_one_task(server, tmp_path, given):
    """Nothing is sent, and the error says which budget suffices."""
    source = companies(tmp_path, "Acme", "Other", "More")
    result = await run(*words(tmp_path, source, *given), env=environment(server))

    assert (result.code, server.tasks_created) == (2, 0)
    said = " ".join(result.stderr.split())
    assert "no more than $0.01 may be spent, so nothing would run; nothing was sent" in said
    assert "Give at least 189 cents ($1.89)" in said


@pytest.fixture
async def poor_server(recorder):
    """A server whose account is nearly empty."""
    async with LocalServer(executor=recorder, balance_cents=5) as running:
        yield running


@pytest.mark.torture
async def test_empty_account(poor_server, tmp_path):
    """When the account is empty, the batch stops with exit code 3, and says how to continue."""
    source = companies(tmp_path, *(f"Company {number}" for number in range(5)))
    result = await run(*words(tmp_path, source, "--concurrency", "1"), env=environment(poor_server))

    assert result.code == 3
    assert "the account's balance is used up" in result.stderr
    assert result.json["left"] > 0
    assert resume_words(result)[-1] == "--resume"


@pytest.mark.torture
async def test_timeout(server, tmp_path):
    """After the timeout the exit code is 124, and running tasks are left to a later run."""
    source = companies(tmp_path, "Hang")
    more = ("--timeout", "10")
    result = await run(*words(tmp_path, source, *more), env=environment(server), seconds=50)

    assert result.code == 124
    assert "the time is up" in result.stderr
    assert "0 done, 1 left" in result.stderr
    assert resume_words(result)[-1] == "--resume"
    assert [str(record.status) for record in server.store.tasks] == ["running"]


@pytest.mark.torture
async def test_no_server_listens(tmp_path):
    """A server that cannot be reached is exit code 4, and the ledger keeps the open items."""
    source = companies(tmp_path, "Acme")
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        env = environment(BROWSER_USE_BASE_URL=url, BROWSER_USE_API_KEY="bu_canary")
        more = ("--outage-timeout", "0.2", "--api-key", "bu_canary")
        result = await run(*words(tmp_path, source, *more), env=env)

    assert result.code == 4
    assert "--api-key" not in resume_words(result)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (("--resume",), "needs the --ledger"),
        (("--retry-failed",), "add --resume"),
        (("--retry-unknown",), "add --resume"),
        (("--resume", "--local", "--ledger", "{}/run.db"), "--local"),
        (("--template", "no place"), "no {column}"),
        (("--template", "{town}"), "line 2: it has no 'town'"),
        (("--concurrency", "0"), "--concurrency: must be 1 or more, not 0"),
        (("--max-agent-steps", "201"), "--max-agent-steps: "),
        (sum((("--metadata", f"n{each}=x") for each in range(10)), ()), "--metadata: a batch"),
        (("--budget-cents", "much"), "no number of cents"),
        (("--budget-cents", "1e30"), "no number of cents"),
        (("--budget-cents", "100"), "up to $1.89"),
        (("--encoding", "klingon"), "no encoding"),
        (("-o", "{}/in.csv", "--ledger", "{}/run.db"), "different files"),
        (("-o", "{}/no/out.jsonl", "--ledger", "{}/run.db"), "cannot be written"),
        (("--ledger", "{}/no/run.db"), "no/run.db"),
        (("--ledger", "{}/in.csv", "--resume"), "different files"),
        (("--ledger", "{}"), "is a folder, and a ledger is a file"),
        (("--ledger", "{}", "--resume"), "is a folder, and a ledger is a file"),
        (("--ledger", "postgresql://me:hush@host/db#run"), "a ledger is a file, not a database"),
        (("--api-key", ""), "empty"),
    ],
)
def test_wrong_usage(tmp_path, capsys, monkeypatch, more, problem):
    """Wrong arguments are explained with exit code 2, before anything is sent."""
    with bound_socket() as listener:  # where no server answers, so that a request would be code 4
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        monkeypatch.setenv("BROWSER_USE_BASE_URL", url)
        monkeypatch.setenv("BROWSER_USE_API_KEY", "bu_canary")
        given = [each.replace("{}", str(tmp_path)) for each in more]
        template = () if "--template" in more else ("--template", TEMPLATE)
        code = main(["batch", "run", companies(tmp_path, "Acme"), *template, *given])
    shown = capsys.readouterr()

    assert code == 2
    assert problem in " ".join(shown.err.split())
    assert "hush" not in shown.err
    assert shown.out == ""
    assert not (tmp_path / "run.db").exists()


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        (["batch", "run", "a b.csv"], "browser-use-async batch run 'a b.csv' --resume"),
        (["batch", "run", "x", "--resume"], "browser-use-async batch run x --resume"),
        (["batch", "run", "--api-key", "bu_x", "x"], "browser-use-async batch run x --resume"),
        (["batch", "run", "--api-key=bu_x", "x"], "browser-use-async batch run x --resume"),
        (
            ["batch", "run", "--api-key", "file:k", "x"],
            "browser-use-async batch run --api-key file:k x --resume",
        ),
    ],
)
def test_how_to_go_on(given, printed):
    """The command that continues is the same one, quoted for a shell, without the key."""
    assert resume_command(given) == printed


@pytest.mark.torture
async def test_local(tmp_path):
    """`--local` needs no key, and `{site}` is the address of the example site that it starts."""
    path = tmp_path / "in.csv"
    path.write_text("page\nabout.html\n")
    words = (
        "batch",
        "run",
        str(path),
        "--local",
        "--template",
        "Open {site}/{page} and tell me its title",
    )
    result = await run(*words)

    assert result.code == 0
    assert result.json["output"]


@pytest.mark.long
async def test_on_a_terminal(server, tmp_path):
    """A person sees results as words, without JSON between them."""
    source = companies(tmp_path, "Acme", "Stroll")
    shown = await run_on_terminal(
        "batch", "run", source, "--template", TEMPLATE, env=environment(server), columns=100
    )

    assert re.search(r"done +.*k0  Done\.", shown)
    assert re.search(r"━━.*[0-9]+%.* of 2", shown)
    assert "2 done" in shown
    assert '{"' not in shown


# --- status ---------------------------------------------------------------------------------


@pytest.mark.torture
async def test_status(server, tmp_path):
    """While a batch runs, its ledger says how far it is, and the service where to watch it."""
    source = companies(tmp_path, "Hang", "Acme")
    ledger, env = tmp_path / "run.db", environment(server)
    async with running(*words(tmp_path, source), env=env) as command:
        await command.says("running")
        await until(lambda: read_ledger(ledger).counts[ItemState.DONE] == 1)
        live = await run("batch", "status", str(ledger), "--live", env=env)
        shown = await run_on_terminal(
            "batch", "status", str(ledger), "--live", env=env, columns=160
        )
        command.send(signal.SIGTERM)
        ended = await command.ends()

    assert live.code == 0
    assert live.json["counts"]["done"] == 1
    assert live.json["counts"]["submitted"] == 1
    assert [each["key"] for each in live.json["running"]] == ["k0"]
    assert live.json["running"][0]["live_url"].startswith("http://127.0.0.1:")
    assert live.json["running"][0]["live_url"] in shown
    name = quote(live.json["key_prefix"], safe="")
    assert live.json["page_url"] == f"{URL(server.base_url).origin()}/batches?name={name}"
    assert live.json["page_url"] in shown
    assert re.search(r"submitted +1", shown)
    assert ended.code == 143
    assert "to go on" in ended.stderr


@pytest.mark.torture
async def test_status_foretells_the_rest(tmp_path):
    """What the rest costs comes from the ledger, for all items that `batch run` has counted."""
    rows = [item(f"k{n}", task="x", cost=3500) for n in range(40)]
    ledger = write_ledger(tmp_path / "run.db", rows, labels={"items": "100"})
    early = write_ledger(tmp_path / "early.db", rows[:9])

    status = await run("batch", "status", str(ledger))
    shown = await run_on_terminal("batch", "status", str(ledger), env=environment(), columns=160)
    none_yet = await run("batch", "status", str(early))
    too_early = await run_on_terminal("batch", "status", str(early), env=environment())

    assert (status.json["about"]["items"], status.json["about"]["ends"]) == (60, 40)
    assert status.json["about"]["cents"] == 210.0
    assert "about $2.10 more, from 40 ends" in shown
    assert none_yet.json["about"] is None
    assert "not known before 30 items have ended" in too_early


@pytest.mark.torture
async def test_status_of_nothing(tmp_path):
    """A path without a ledger is exit code 2; no key is needed for that."""
    (tmp_path / "diary.txt").write_text("Dear diary" * 100)
    missing = await run("batch", "status", str(tmp_path / "run.db"))
    other = await run("batch", "status", str(tmp_path / "diary.txt"))

    assert (missing.code, other.code) == (2, 2)
    assert "no ledger" in missing.stderr
    assert "diary.txt" in other.stderr
