"""The log of a command on stderr: when it is shown, and that it does not mix with output."""

import json
import re
import signal

import aiohttp
import pytest

from .running import environment, run, run_on_terminal, running

ATTEMPT = re.compile(r"\d\d:\d\d:\d\d DEBUG #\d+ [A-Z]+ /\S+ 200 in \d+ ms, attempt 1 of \d.*")


def _attempts(text: str) -> list[str]:
    erased = re.sub(r"[^\n]*\x1b\[2K", "", text)  # what a spinner had written before
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\r", "", erased)
    return [line for line in plain.splitlines() if "DEBUG #" in line]


@pytest.mark.long
async def test_verbose_shows_each_attempt(server):
    """`--verbose` adds lines to stderr; without it there are none, and the result is the same."""
    env = environment(server)
    quiet = await run("run", "Buy milk", env=env)
    result = await run("run", "Buy milk", "--verbose", env=env)

    lines = _attempts(result.stderr)
    assert lines
    assert [line for line in lines if not ATTEMPT.fullmatch(line)] == []
    assert "#1 POST /run-task" in lines[0]
    assert result.json["status"] == "finished"
    assert _attempts(quiet.stderr) == []


async def test_the_variable_does_the_same(server):
    """As in any program, `BROWSER_USE_LOG` shows the log."""
    env = {**environment(server), "BROWSER_USE_LOG": "debug"}
    result = await run("tasks", env=env)
    wrong = await run("tasks", env={**env, "BROWSER_USE_LOG": "loud"})

    assert len(_attempts(result.stderr)) == 1
    assert wrong.code == 2
    assert "set it to debug, info or warning" in wrong.stderr


@pytest.mark.long
async def test_lines_stand_above_the_spinner(server):
    """Above a spinner on a terminal each record is a whole line of its own."""
    shown = await run_on_terminal(
        "run", "Buy milk", "--verbose", env=environment(server), columns=200
    )

    lines = _attempts(shown)
    assert len(lines) > 1
    assert [line for line in lines if not ATTEMPT.fullmatch(line.rstrip())] == []


@pytest.mark.parametrize("form", ["text", "json", "none"])
async def test_the_access_log_of_a_server(form):
    """`serve` logs requests in the chosen form or not at all, without the tokens of pages."""
    words = ("serve", "--port", "0", "--executor", "scripted", "--access-log", form)
    async with running(*words, env=environment()) as command:
        place = json.loads(await command.writes())
        await command.says("Ctrl-C ends the server")
        url = place["base_url"].removesuffix("/api/v1")
        async with aiohttp.ClientSession() as http, http.get(f"{url}/live/abc-secret") as answer:
            assert answer.status == 404
        command.send(signal.SIGTERM)
        result = await command.ends()

    lines = [line for line in result.stderr.splitlines() if "/live/" in line]
    if form == "text":
        shown = [re.sub(r"\d+", "N", line) for line in lines]
        assert shown == ["N:N:N INFO GET /live/*** N N bytes N ms"]
    else:
        said = [(each["call"], each["path"], each["status"]) for each in map(json.loads, lines)]
        assert said == ([] if form == "none" else [("live_page", "/live/***", 404)])
    assert "abc-secret" not in result.stderr
