"""The names of rows, what of them is in the results, and which rows belong to a ledger."""

import csv
import signal
from pathlib import Path

import pytest

from browser_use_async.batch import read_ledger
from tests.support.patience import until

from .running import environment, run, running
from .test_batch import TEMPLATE, companies, results, words


def shops(folder: Path, *names: str, file: str = "shops.csv") -> str:
    """A CSV file of companies without a column `key`."""
    path = folder / file
    path.write_text("sku,company\n" + "".join(f"s-{name[0]},{name}\n" for name in names))
    return str(path)


@pytest.mark.long
async def test_rows_without_keys_have_readable_names(server, tmp_path):
    """The name is in the results, the progress and the ledger; a digest is nowhere."""
    source = shops(tmp_path, "Acme", "Fail & Co")
    env, ledger = environment(server), str(tmp_path / "run.db")
    ended = await run(*words(tmp_path, source), env=env)

    lines = {each["key"]: each for each in results(tmp_path)}
    assert set(lines) == {"line 2", "line 3"}
    assert lines["line 2"]["row"] == {"sku": "s-A", "company": "Acme"}
    assert "failed      line 3  task" in ended.stderr
    for row in read_ledger(ledger).rows():
        assert row.title in {"line 2", "line 3"}
        assert row.key not in ended.stderr + (tmp_path / "out.jsonl").read_text()


@pytest.mark.long
async def test_the_separator_is_said(server, tmp_path):
    """The first line shows it if it is not the comma."""
    source, other = tmp_path / "semicolons.csv", tmp_path / "other"
    other.mkdir()
    source.write_text("company;city\nAcme;Paris\n")
    ended = await run(*words(tmp_path, str(source)), env=environment(server))
    usual = await run(*words(other, shops(other, "Acme")), env=environment(server))

    assert ended.code == usual.code == 0
    assert f"the columns of {source} are separated by ';', not by ','" in ended.stderr
    assert "are separated by" not in usual.stderr


async def test_another_limit_of_a_begun_batch_is_said(server, tmp_path):
    """The next run may have another budget and another limit per key, and one line says so."""
    source = shops(tmp_path, "Acme", "Other")
    env, by = environment(server), ("--limit-by", "company")
    await run(*words(tmp_path, source, *by, "--per-key", "1", "--budget-cents", "500"), env=env)
    same = ("--per-key", "1", "--budget-cents", "500")
    again = await run(*words(tmp_path, source, "--resume", *by, *same), env=env)
    other = await run(*words(tmp_path, source, "--resume", *by, "--per-key", "2"), env=env)

    assert (again.code, other.code) == (0, 0)
    assert "in the last run" not in again.stderr
    said = " ".join(other.stderr.split())
    assert "--budget-cents was 500 in the last run of this ledger, and is not given now" in said
    assert "--per-key was 1 in the last run of this ledger, and is 2 now" in said
    assert server.tasks_created == 2


@pytest.mark.torture
async def test_a_key_column(server, tmp_path):
    """Any column can name the rows; a row without a value and a missing column are refused."""
    source = shops(tmp_path, "Acme", "Other")
    env, more = environment(server), ("--key-column", "sku")
    wrong = await run(*words(tmp_path, source, "--key-column", "id"), env=env)
    first = await run(*words(tmp_path, source, *more), env=env)
    without = await run(*words(tmp_path, source, "--resume"), env=env)
    again = await run(*words(tmp_path, source, *more, "--resume"), env=env)

    assert (wrong.code, first.code, without.code, again.code) == (2, 0, 2, 0)
    assert "line 2: it has no 'id', the --key-column; it has 'sku', 'company'" in wrong.stderr
    assert sorted(each["key"] for each in results(tmp_path)) == ["s-A", "s-O"]
    assert [row.key for row in read_ledger(tmp_path / "run.db").rows()] == ["s-A", "s-O"]
    assert "key_column 'sku', and now it is not given" in without.stderr
    assert server.tasks_created == 2


@pytest.mark.torture
async def test_a_table_of_results(server, recorder, tmp_path):
    """`-o results.csv`, killed and resumed: each row in order, with its columns of the input."""
    source = shops(tmp_path, "Acme", "Other", "Held")
    out, ledger = tmp_path / "results.csv", tmp_path / "run.db"
    given = (
        "batch",
        "run",
        source,
        "--template",
        TEMPLATE,
        "-o",
        str(out),
        "--ledger",
        str(ledger),
    )
    env = environment(server)
    async with running(*given, env=env) as command:
        await until(lambda: server.tasks_created == 3)
        command.send(signal.SIGKILL)
        await command.ends()
    recorder.released.set()
    again = await run(*given, "--resume", env=env)

    rows = {row["key"]: row for row in csv.DictReader(out.read_text().splitlines())}
    assert again.code == 0
    assert server.tasks_created == 3
    assert list(rows) == ["line 2", "line 3", "line 4"]
    assert (rows["line 2"]["sku"], rows["line 2"]["company"]) == ("s-A", "Acme")
    assert (rows["line 4"]["state"], rows["line 4"]["output"]) == ("done", "Done.")
    assert {row["cost_cents"] for row in rows.values()} == {"6"}


@pytest.mark.long
async def test_another_input_is_refused(server, tmp_path):
    """Rows of another file are paid for only with --extend; the error names both files."""
    env = environment(server)
    first = shops(tmp_path, "Acme", "Other")
    await run(*words(tmp_path, first), env=env)
    second = shops(tmp_path, "Third", "Xth", "Acme", file="c.csv")
    refused = await run(*words(tmp_path, second, "--resume"), env=env)
    created = server.tasks_created
    extended = await run(*words(tmp_path, second, "--resume", "--extend"), env=env)

    assert (refused.code, created) == (2, 2)
    said = " ".join(refused.stderr.split())
    assert "1 row of the ledger run.db is not in c.csv, and 2 of c.csv are new" in said
    assert "--extend adds them" in said
    assert extended.code == 0
    assert server.tasks_created == 4
    assert read_ledger(tmp_path / "run.db").labels["input"] == "shops.csv, c.csv"


@pytest.mark.torture
async def test_a_longer_input_is_the_same_one(server, tmp_path):
    """An input that contains all rows of the ledger is the same one, as after an interruption."""
    env = environment(server)
    await run(*words(tmp_path, companies(tmp_path, "Acme")), env=env)
    again = await run(*words(tmp_path, companies(tmp_path, "Acme", "More"), "--resume"), env=env)

    assert again.code == 0
    assert server.tasks_created == 2
