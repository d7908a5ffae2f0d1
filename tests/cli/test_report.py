from pathlib import Path

import pytest

from browser_use_async.cli import main
from tests.cli.report.ledgers import item, write_ledger
from tests.cli.report.pages import read_page

from .running import environment, run, run_on_terminal


@pytest.mark.long
async def test_report(tmp_path):
    """The page is written without a key and without a request; figures go to stdout."""
    ledger = write_ledger(
        tmp_path / "run.db", [item("a", steps=3, cost=8500), item("b", "failed", reason="no")]
    )
    target = tmp_path / "report.html"
    result = await run("report", str(ledger), "-o", str(target))
    page = read_page(target.read_text())

    assert result.code == 0
    assert result.json["path"] == str(target)
    assert (result.json["items"], result.json["cost_cents"]) == (2, 8.5)
    assert result.json["counts"]["failed"] == 1
    assert result.json["median_seconds"] == 40.0
    assert [row["key"][0] for row in page.rows] == ["a", "b"]
    assert f"ok {target}: 2 items" in result.stderr


@pytest.mark.torture
async def test_of_a_batch_with_screenshots(server, tmp_path):
    """The service's data is embedded: steps in words, screenshots as pictures."""
    source, ledger, target = (tmp_path / name for name in ("in.csv", "run.db", "report.html"))
    source.write_text("key,task\na,Go\nb,Fail\n")
    env = environment(server)
    await run("batch", "run", str(source), "--ledger", str(ledger), env=env)
    plain = await run("report", str(ledger), "-o", str(tmp_path / "plain.html"), env=env)
    steps = await run("report", str(ledger), "-o", str(tmp_path / "s.html"), "--steps", env=env)
    result = await run("report", str(ledger), "-o", str(target), "--screenshots", "1", env=env)
    pictures = [given for tag, given in read_page(target.read_text()).tags if tag == "img"]

    assert (plain.code, steps.code, result.code) == (0, 0, 0)
    assert "<img" not in (tmp_path / "plain.html").read_text()
    assert "Open the page" not in (tmp_path / "plain.html").read_text()
    assert "<img" not in (tmp_path / "s.html").read_text()
    assert "<li>Open the page</li>" in (tmp_path / "s.html").read_text()
    assert len(pictures) == 2
    assert all(str(each["src"]).startswith("data:image/png;base64,") for each in pictures)
    assert {each["alt"] for each in pictures} == {"Screenshot 2 of 2", "Screenshot 3 of 3"}
    assert "http" not in target.read_text().partition("</style>")[2]


@pytest.mark.torture
async def test_tasks_that_the_service_does_not_know(server, tmp_path):
    """A missing part is named in its row, and the rest of the report is there."""
    ledger = write_ledger(tmp_path / "run.db", [item("a"), item("b")])
    target = tmp_path / "report.html"
    result = await run("report", str(ledger), "-o", str(target), "--steps", env=environment(server))

    assert result.code == 0
    assert target.read_text().count("Not to be had") == 2


@pytest.mark.torture
async def test_on_a_terminal(tmp_path):
    """A person gets words without JSON."""
    ledger = write_ledger(tmp_path / "run.db", [item("a")])
    words = ("report", str(ledger), "-o", str(tmp_path / "report.html"))
    shown = await run_on_terminal(*words, env=environment())

    assert "report.html: 1 item" in " ".join(shown.split())
    assert "{" not in shown


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("missing.db", "-o", "report.html"), "name the file that a batch was given with --ledger"),
        (("run.db", "-o", "run.db"), "the ledger itself"),
        (("run.db", "-o", "no/report.html"), "cannot be written"),
        (("diary.txt", "-o", "report.html"), "diary.txt"),
        (("postgresql://me:hush@host/db", "-o", "r.html"), "the name of the batch"),
        (("run.db",), "-o"),
        (("run.db", "-o", "report.html", "--screenshots", "-1"), "must be 0 or more"),
    ],
)
def test_wrong_usage(tmp_path, monkeypatch, capsys, words, problem):
    """Wrong arguments are explained with exit code 2, and no file is changed."""
    monkeypatch.chdir(tmp_path)
    write_ledger(Path("run.db"), [item("a")])
    Path("diary.txt").write_text("Dear diary\n" * 100)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    try:
        code = main(["report", *words])
    except SystemExit as ended:
        code = int(ended.code or 0)

    assert code == 2
    assert problem in " ".join(capsys.readouterr().err.split())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
