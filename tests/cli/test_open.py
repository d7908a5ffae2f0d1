"""`open`: a task's page in the browser, or its address."""

from pathlib import Path

import pytest

from tests.support.wire import WireServer, answering, response

from .running import answered, environment, run, run_on_terminal

_TASK = (
    '{{"id":"t-1","task":"Look","output":null,"status":"finished",'
    '"created_at":"2026-03-01T12:00:00Z","steps":[],"live_url":{}}}'
)


def _browser(folder: Path, code: int = 0) -> str:
    """A program that records the addresses that it is to open."""
    program = folder / "browser"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/opened\nexit {code}\n')
    program.chmod(0o755)
    return f"{program} %s"


async def test_the_browser_gets_the_live_page(server, tmp_path):
    """This is on a terminal, which does not show the address, since it is a secret."""
    env = environment(server, BROWSER=_browser(tmp_path))
    created = await run("run", "Hang", "--detach", env=env)
    written = await run_on_terminal("open", created.json["token"], env=env)
    page = server.store.tasks[0].id

    (address,) = (tmp_path / "opened").read_text().split()
    assert address.startswith(f"{server.url}/live/")
    assert f"the page of task {page} is open in the browser" in " ".join(written.split())
    assert address not in written


async def test_without_a_terminal_the_address_is_printed(server, tmp_path):
    """So do `--print`, and `--json` as JSON; no browser is started."""
    env = environment(server, BROWSER=_browser(tmp_path))
    created = await run("run", "Look around", env=env)
    task_id = created.json["id"]
    piped = await run("open", task_id, env=env)
    as_json = await run("open", task_id, "--json", env=env)
    on_terminal = await run_on_terminal("open", task_id, "--print", env=env)

    assert piped.stdout.startswith(f"{server.url}/live/")
    assert as_json.json == {"id": task_id, "url": piped.stdout.strip()}
    assert on_terminal == piped.stdout
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("is_broken", [True, False])
async def test_without_a_browser_the_address_is_printed(server, tmp_path, is_broken):
    """So is it with a browser that cannot start."""
    env = environment(server)
    task_id = (await run("run", "Look around", env=env)).json["id"]
    (tmp_path / "empty").mkdir()
    env |= {"PATH": str(tmp_path / "empty"), "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    env |= {"BROWSER": _browser(tmp_path, code=1)} if is_broken else {}
    code, written = await answered("open", task_id, env=env)

    assert code == 0
    assert written.splitlines()[-1].startswith(f"{server.url}/live/")


@pytest.mark.parametrize(
    ("live_url", "said"),
    [
        ("null", "the server has no page for task t-1"),
        ('"file:///etc/passwd"', "the server's address for task t-1 is none of a page"),
        ('"--help"', "the server's address for task t-1 is none of a page"),
    ],
)
async def test_what_is_no_page(live_url, said):
    """The error is one line, and nothing is opened."""
    async with WireServer(answering(response(200, _TASK.format(live_url)))) as wire:
        env = environment(BROWSER_USE_BASE_URL=wire.url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("open", "t-1", env=env)

    assert (result.code, result.stdout) == (3, "")
    assert result.stderr == f"error: {said}\n"


async def test_no_such_task(server):
    """The error is one line that says what to check."""
    result = await run("open", "nothing", env=environment(server))

    assert result.code == 3
    assert "check the id" in result.stderr
    assert len(result.stderr.splitlines()) == 1
