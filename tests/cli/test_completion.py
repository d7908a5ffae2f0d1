import asyncio
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from aiohttp import web

from browser_use_async import BrowserUseSession
from browser_use_async.cli.app import COMMANDS, COMPLETE
from browser_use_async.cli.command import NAME, SHORT_NAME
from browser_use_async.server import LocalServer
from tests.support.wire import bound_socket

from .running import environment, run

_ASK = """
source "$1"; program=$2; shift 2
COMP_WORDS=(browser-use-async "$@")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_browser_use_async_completion "$program"
printf '%s\\n' "${COMPREPLY[@]}"
"""


async def _complete(*words: str, server: LocalServer | None = None) -> list[tuple[str, str]]:
    """The program's answer to bash: the kind and the text of each completion."""
    asked = {
        COMPLETE: "bash_complete",
        "COMP_WORDS": "\n".join(["browser-use-async", *words]),
        "COMP_CWORD": str(len(words)),
    }
    result = await run(env=environment(server, **asked))
    assert (result.code, result.stderr) == (0, "")
    pairs = (line.partition(",") for line in result.stdout.split())
    return [(kind, text) for kind, _, text in pairs]


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (("ru",), ["run"]),
        (("files", ""), ["upload", "download"]),
        (("run", "x", "--on-c"), ["--on-cancel"]),
        (("run", "x", "--on-cancel", ""), ["leave", "stop", "pause"]),
        (("tasks", "list", "--status", "f"), ["finished", "failed"]),
        (("tasks", "show", "x", "--output"), ["--output-only"]),
        (("tasks", "--status", "f"), ["finished", "failed"]),
        (("batch", "run", "in.csv", "--retry-f"), ["--retry-failed"]),
        (("balance", "--json", "--base"), ["--base-url"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("help", "comp"), ["completion"]),
        (("--ver",), ["--version"]),
        (("run", "--no-such"), []),
        (("run", "x", "--llm-model", "o"), ["o4-mini", "o3"]),
        (("run", "x", "--proxy-country", "d"), ["de"]),
        (("tasks", "--columns", "st"), ["status"]),
        (("tasks", "list", "--columns", "status,finished"), ["status,finished_at"]),
        (("tasks", "--json", "id,i"), []),
        (("keys", "list", "--json", "name,sp"), ["name,spent_cents"]),
    ],
)
async def test_words(words, completed):
    """Commands, actions, options and their values are completed."""
    assert await _complete(*words) == [("plain", each) for each in completed]


@pytest.mark.parametrize(
    "words",
    [("files", "upload", "comp"), ("run", "x", "--schema", "comp"), ("batch", "run", "comp")],
)
async def test_files(words):
    """Where a file is expected, the shell completes its name."""
    assert await _complete(*words) == [("file", "comp")]


async def test_ids(server):
    """The ids of tasks, schedules and profiles come from the server."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        task = (await session.submit("Look around")).id
        schedule = await session.scheduled_tasks.create(
            "Look", schedule_type="interval", interval_minutes=60
        )
        profile = await session.browser_profiles.create("shop")
    asked = {
        ("tasks", "show", task[:9]): task,
        ("watch", task[:9]): task,
        ("stop", "x", task[:9]): task,
        ("files", "download", task[:9]): task,
        ("schedules", "show", schedule.id[:9]): schedule.id,
        ("profiles", "delete", profile.profile_id[:9]): profile.profile_id,
        ("run", "x", "--browser-profile", profile.profile_id[:9]): profile.profile_id,
    }

    for words, known in asked.items():
        assert await _complete(*words, server=server) == [("plain", known)], words
    assert ("plain", task) in await _complete("tasks", "show", "", server=server)
    base_url = ("--base-url", server.base_url, "--api-key", server.api_key)
    assert await _complete("watch", *base_url, task[:9]) == [("plain", task)]


async def test_ids_of_no_server():
    """Without a key or a server, and of one that does not answer: nothing is printed."""
    with bound_socket() as silent:
        silent.listen()
        port = silent.getsockname()[1]
        given = ("--api-key", "bu_nothing", "--base-url", f"http://127.0.0.1:{port}/api/v1")
        assert await _complete("watch", *given, "") == []
    assert await _complete("watch", *given, "") == []
    assert await _complete("watch", "") == []


async def test_ids_that_a_shell_would_run(http_service):
    """A shell inserts the word without quotes: an id that it would run is left out."""
    given = ("--api-key", "bu_nothing", "--base-url", http_service)

    assert await _complete("watch", *given, "") == [("plain", "task-1")]


@pytest.fixture
async def http_service():
    """A service whose tasks have ids that a shell would run."""
    ids = ["task-1", "$(touch x)", "a;b", "a b", "`x`", "a\nb", "\x1b[2J"]
    moment = "2026-03-01T00:00:00Z"
    rows = [
        {"id": each, "task": "x", "status": "running", "created_at": moment, "metadata": {}}
        for each in ids
    ]

    async def answer(_: web.Request) -> web.Response:
        found = {"tasks": rows, "total_pages": 1, "page": 1, "limit": 100, "total_count": len(rows)}
        return web.json_response(found)

    application = web.Application()
    application.router.add_get("/api/v1/tasks", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    with bound_socket() as listener:
        await web.SockSite(runner, listener).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        await runner.cleanup()


async def test_every_command():
    """Nothing typed yet: all commands."""
    assert {text for _, text in await _complete("")} == set(COMMANDS)


def _bash(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", _ASK, "bash", *words], capture_output=True, text=True, check=True
    )


async def test_bash(tmp_path):
    """A bash that has read the script runs the program, and uses its answer."""
    script = tmp_path / "completion.bash"
    script.write_text((await run("completion", "bash")).stdout)
    program = Path(sys.executable).with_name("browser-use-async")
    done = await asyncio.to_thread(_bash, str(script), str(program), "run", "x", "--on-c")

    assert (done.stdout, done.stderr) == ("--on-cancel\n", "")


async def test_the_short_name(tmp_path):
    """Called as `bua`, the program completes, explains and shows that name."""
    short = tmp_path / "bua"
    short.symlink_to(Path(sys.executable).with_name("browser-use-async"))

    def said(*words: str) -> str:
        done = subprocess.run(
            [short, *words], env=environment(), capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    scripts = [said("completion", shell) for shell in ("bash", "zsh", "fish")]
    explained, mistaken = said("help", "completion"), said("rum")

    assert f"{COMPLETE}=bash_complete $1" in scripts[0]
    assert "-F _bua_completion bua" in scripts[0]
    assert scripts[1].startswith("#compdef bua\n")
    assert "--command bua" in scripts[2]
    assert "usage: bua completion [options] SHELL" in explained
    assert "  bua completion zsh > ~/.zfunc/_bua\n" in explained
    assert "browser-use-async completion" not in explained
    assert "try 'bua --help'" in mistaken


def test_both_names_are_installed():
    """They are the same program."""
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())

    scripts = declared["project"]["scripts"]
    assert set(scripts) == {NAME, SHORT_NAME}
    assert len(set(scripts.values())) == 1


async def test_other_shells():
    """The scripts of zsh and fish name the program, and how it is called."""
    zsh, fish = [await run("completion", shell) for shell in ("zsh", "fish")]

    assert zsh.stdout.startswith("#compdef browser-use-async\n")
    assert f"{COMPLETE}=zsh_complete" in zsh.stdout
    assert f"{COMPLETE}=fish_complete" in fish.stdout
