"""`scripts`, on a server that is running, and `run --script`."""

from .running import environment, run, run_on_terminal

TEXT = "script office\ninputs: company\n\nopen https://shop.example/{company}\n"


async def test_a_script_is_imported_shown_compared_exported_and_deleted(server, tmp_path):
    """Files and versions have the same text."""
    env = environment(server)
    file = tmp_path / "office.script"
    file.write_text(TEXT)
    empty = await run("scripts", "list", env=env)
    imported = await run("scripts", "import", str(file), env=env)
    file.write_text(TEXT.replace("shop.example", "other.example"))
    await run("scripts", "import", str(file), env=env)
    listed = await run("scripts", "list", env=env)
    first = await run("scripts", "show", "office", "--version", "1", env=env)
    compared = await run("scripts", "diff", "office", env=env)
    table = await run_on_terminal("scripts", "list", "--plain", env=env, columns=130)
    exported = await run("scripts", "export", str(tmp_path / "out"), env=env)
    deleted = await run("scripts", "delete", "office", env=env)
    gone = await run("scripts", "show", "office", env=env)

    assert (empty.stdout, "no scripts" in empty.stderr) == ("", True)
    assert (imported.json["version"], imported.json["origin"]) == (1, "edited")
    assert (listed.json["name"], listed.json["version"]) == ("office", 2)
    assert first.json["text"] == TEXT
    assert "-open https://shop.example/{company}" in compared.stdout
    assert "+open https://other.example/{company}" in compared.stdout
    assert table.splitlines()[0].split() == [
        *("NAME", "VERSION", "ORIGIN", "MADE", "(UTC)", "PLAYS", "FAILURES", "STEPS"),
        *("MODEL", "CALLS"),
    ]
    assert exported.json == {"exported": ["office"]}
    assert (tmp_path / "out" / "office.script").read_text() == file.read_text()
    assert deleted.json == {"id": "office", "deleted": True}
    assert gone.code == 3
    assert "There is no script of this name" in gone.stderr


async def test_a_file_that_is_no_script_is_refused_with_its_line(server, tmp_path):
    """So is one with another name."""
    env = environment(server)
    (tmp_path / "a.script").write_text("script a\nopn https://shop.example/\n")
    (tmp_path / "b.script").write_text(TEXT)
    (tmp_path / "c.txt").write_text(TEXT)
    wrong = await run("scripts", "import", str(tmp_path / "a.script"), env=env)
    other = await run("scripts", "import", str(tmp_path / "b.script"), env=env)
    ending = await run("scripts", "import", str(tmp_path / "c.txt"), env=env)
    alone = await run("scripts", "show", "a b", env=env)
    missing = await run("scripts", "diff", "none", env=env)

    assert "line 2: “opn https://shop.example/” is not understood" in wrong.stderr
    assert "the script is called office, and b was expected" in other.stderr
    assert "is not called NAME.script" in ending.stderr
    assert "is no name of a script" in alone.stderr
    assert [each.code for each in (wrong, other, ending, alone, missing)] == [3, 3, 2, 2, 3]


async def test_run_names_a_script_and_its_inputs(server):
    """The text has the values in place of the names in braces."""
    env = environment(server)
    words = ("--script", "office", "--input", "company=Blue Mill")
    done = await run("run", "Find {company}", *words, env=env)
    twice = await run("run", "Find {company}", *words, "--input", "company=x", env=env)
    without = await run("run", "Find {company}", "--script", "office", env=env)

    assert done.json["task"] == "Find Blue Mill"
    assert done.json["metadata"]["bu_async.script"] == "office"
    assert "'company' is given twice" in twice.stderr
    assert "the text names {company}, which no input is called" in without.stderr
    assert (done.code, twice.code, without.code) == (0, 2, 2)


async def test_the_columns_of_a_batch_are_the_inputs(server, tmp_path):
    """The columns fill the template, and the ledger recognises the rows again."""
    env = environment(server)
    rows = tmp_path / "rows.csv"
    rows.write_text("company,id\nBlue Mill,1\nOld Mill,2\n")
    words = ("batch", "run", str(rows), "--template", "Find {company}", "--yes")
    ledger = ("--ledger", str(tmp_path / "run.db"))
    done = await run(*words, "--script", "office", *ledger, env=env)
    again = await run(*words, "--script", "office", *ledger, "--resume", env=env)
    other = await run(*words, "--script", "b", *ledger, "--resume", env=env)
    inputs = await run(*words, "--script", "office", "--input", "company=x", env=env)

    tasks = [task.metadata for task in server.store.tasks]
    assert [each["bu_async.inputs"] for each in tasks] == [
        '{"company":"Blue Mill"}', '{"company":"Old Mill"}',
    ]  # fmt: skip
    assert {each["bu_async.script"] for each in tasks} == {"office"}
    assert (done.code, again.code, other.code, inputs.code) == (0, 0, 2, 2)
    assert "belongs to a batch with script 'office'" in other.stderr
    assert "takes them from the columns of its rows" in inputs.stderr
