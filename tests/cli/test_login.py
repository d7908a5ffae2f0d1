"""`login`, `logout`, and what `doctor` says about their file."""

import asyncio
import json
import os
import pty
import signal
import sys
import termios
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server import LocalServer
from tests.support.patience import until
from tests.support.wire import bound_socket

from .running import answered, environment, run, running

pytestmark = pytest.mark.canaries_by_design("files")  # this is the file for the key


def _env(tmp_path: Path, server: LocalServer | None = None, **more: str) -> dict[str, str]:
    return environment(server, XDG_CONFIG_HOME=str(tmp_path / "config"), **more)


def _file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "browser-use-async" / "config.toml"


async def _log_in(tmp_path: Path, server: LocalServer) -> None:
    place = tmp_path / "key.txt"
    place.write_text(f"{server.api_key}\n")
    words = ("login", "--base-url", server.base_url, "--api-key", f"file:{place}")
    done = await run(*words, env=_env(tmp_path))
    assert done.code == 0, done.stderr
    assert server.api_key not in done.stdout + done.stderr


async def test_a_person_is_asked(server, tmp_path):
    """It asks for address and key; the terminal does not show the key. Then both are saved."""
    answers = (("/api/v1):", f"{server.base_url}\n"), ("not shown):", f"{server.api_key}\n"))
    code, shown = await answered("login", env=_env(tmp_path), answers=answers)
    balance = await run("balance", env=_env(tmp_path))

    assert code == 0, shown
    assert server.api_key not in shown
    assert f"the key for {server.base_url} is saved in {_file(tmp_path)}" in " ".join(shown.split())
    assert balance.code == 0
    assert _file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert _file(tmp_path).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.long
async def test_enter_keeps_the_address(server, tmp_path):
    """Of a variable, else the saved one; a wrong key then changes nothing."""
    env = _env(tmp_path, BROWSER_USE_BASE_URL=server.base_url)
    answers = ((f"Enter for {server.base_url}):", "\n"), ("not shown):", f"{server.api_key}\n"))
    first = await answered("login", env=env, answers=answers)
    before = _file(tmp_path).read_text()
    answers = (answers[0], ("not shown):", "bu_another\n"))
    second = await answered("login", env=_env(tmp_path), answers=answers)
    third = await answered("login", env=_env(tmp_path), answers=(answers[0], ("shown):", "\x04")))

    assert (first[0], second[0], third[0]) == (0, 3, 2)
    assert "BROWSER_USE_BASE_URL wins over the file" in first[1]
    assert "does not accept the key" in second[1]
    assert "the API key is empty" in third[1]
    assert _file(tmp_path).read_text() == before


def _is_shown(terminal: int) -> bool:
    """Whether a terminal shows what is typed."""
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


@pytest.mark.long
async def test_typing_is_seen_again_after_ctrl_c(tmp_path):
    """The terminal is restored."""
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "browser_use_async", "login"),
        *("--base-url", "http://127.0.0.1:9/api/v1"),
        env=_env(tmp_path),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    try:
        await until(lambda: not _is_shown(slave))
        # A handler of signals is installed: the command asks from inside the event loop.
        process.send_signal(signal.SIGINT)
        code = await process.wait()
        is_shown = _is_shown(slave)
    finally:
        os.close(master)
        os.close(slave)

    assert (code, is_shown) == (130, True)
    assert not _file(tmp_path).exists()


async def test_all_that_makes_sessions_reads_it(server, tmp_path):
    """Commands, programs without arguments, and administration."""
    await _log_in(tmp_path, server)
    env = _env(tmp_path)
    done = await run("run", "Look around", env=env)
    keys = await run("keys", "list", env=env)
    code = (
        "import asyncio\nfrom browser_use_async import BrowserUseSession\n"
        "async def main():\n    async with BrowserUseSession() as session:\n"
        "        print((await session.account.get_balance()).cents)\nasyncio.run(main())"
    )
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=env, stdout=asyncio.subprocess.PIPE
    )
    said, _nothing = await program.communicate()

    assert (done.code, keys.code, program.returncode) == (0, 0, 0), done.stderr + keys.stderr
    assert server.tasks_created == 1
    assert float(said) > 0


async def test_options_and_variables_win(server, tmp_path):
    """A wrong key given in either way is sent, and not the saved one."""
    await _log_in(tmp_path, server)
    option = await run("balance", "--api-key", "bu_wrong", env=_env(tmp_path))
    variable = await run("balance", env=_env(tmp_path, BROWSER_USE_API_KEY="bu_wrong"))
    file = await run("balance", env=_env(tmp_path, BROWSER_USE_API_KEY=""))

    assert (option.code, variable.code, file.code) == (3, 3, 0)


async def test_doctor_says_where_each_value_comes_from(server, tmp_path):
    """The key is never shown."""
    await _log_in(tmp_path, server)
    words = ("doctor", "--attempt-timeout", "9")
    saved = await run(*words, env=_env(tmp_path))
    mixed = await run(*words, env=_env(tmp_path, BROWSER_USE_API_KEY=server.api_key))
    checks = {each["name"]: each["detail"] for each in saved.json["checks"]}

    assert saved.code == mixed.code == 0
    assert checks["config file"] == str(_file(tmp_path))
    assert checks["configuration"] == (
        f"base URL {server.base_url} (the config file), 9 s for a request (--attempt-timeout), "
        "a key (the config file)"
    )
    assert "a key (BROWSER_USE_API_KEY)" in mixed.stderr
    assert server.api_key not in saved.stdout + saved.stderr


async def test_doctor_and_a_file_that_others_can_read(server, tmp_path):
    """The check fails and says what to do; each command fails in one line."""
    await _log_in(tmp_path, server)
    _file(tmp_path).chmod(0o644)
    doctor = await run("doctor", env=_env(tmp_path))
    balance = await run("balance", env=_env(tmp_path))

    last = doctor.json["checks"][-1]
    assert (doctor.code, last["name"], last["ok"]) == (2, "config file", False)
    assert f"chmod 600 {_file(tmp_path)}" in last["detail"]
    assert balance.code == 2
    assert balance.stderr == (
        f"error: {_file(tmp_path)} is open to other users of this machine (mode 644): "
        f"chmod 600 {_file(tmp_path)}\n"
    )


@pytest.mark.parametrize("content", ["a broken file", 'api_key = "in two\nlines"'])
async def test_a_new_login_replaces_what_is_broken(server, tmp_path, content):
    """This includes a file that other users could read."""
    _file(tmp_path).parent.mkdir(parents=True)
    _file(tmp_path).write_text(content)
    _file(tmp_path).chmod(0o644)
    await _log_in(tmp_path, server)

    assert (await run("balance", env=_env(tmp_path))).code == 0


async def test_a_wrong_key_or_address_is_not_saved(server, tmp_path):
    """Nor are values that cannot be tested, without a server or a terminal."""
    with bound_socket() as taken:
        closed_port = f"http://127.0.0.1:{taken.getsockname()[1]}/api/v1"
    tried = {
        ("--base-url", server.base_url, "--api-key", "bu_wrong"): (3, "does not accept the key"),
        ("--base-url", server.base_url): (2, "there is no terminal to ask for the key"),
        ("--base-url", "tasks.example", "--api-key", "bu_x"): (2, "http:// or https://"),
        ("--base-url", closed_port, "--api-key", "bu_x"): (4, "not sent"),
        ("--local", "--api-key", "bu_x"): (2, "leave --local out"),
    }
    for words, (code, said) in tried.items():
        done = await run("login", *words, env=_env(tmp_path))
        assert (done.code, said in done.stderr) == (code, True), done.stderr

    assert not _file(tmp_path).exists()


async def test_a_key_from_standard_input(server, tmp_path):
    """As scripts of a password manager pass it: the key is in no process list."""
    words = ("login", "--base-url", server.base_url, "--api-key", "file:/dev/stdin")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "browser_use_async", *words),
        env=_env(tmp_path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _nothing = await process.communicate(f"{server.api_key}\n".encode())

    assert json.loads(said) == {"base_url": server.base_url, "file": str(_file(tmp_path))}
    assert (await run("balance", env=_env(tmp_path))).code == 0


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("/dev/zero", "it is no file"),
        ("fifo", "it is no file"),
        ("folder", "it is no file"),
        ("large", "it has more than 64 KB"),
        ("nothing", "No such file or directory"),
    ],
)
async def test_a_source_that_is_no_small_file(tmp_path, source, why):
    """It is refused in one sentence, whatever it is; nothing is waited for."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(b"x" * 65537)
    done = await run("balance", "--api-key", f"file:{tmp_path / source}", env=_env(tmp_path))

    assert done.code == 2
    assert done.stderr.splitlines()[0] == f"error: --api-key: the file cannot be read ({why})"


async def test_a_saved_file_that_is_nested_too_deeply(tmp_path):
    """A command that reads it ends with one sentence."""
    _file(tmp_path).parent.mkdir(parents=True)
    _file(tmp_path).touch(mode=0o600)
    _file(tmp_path).write_text("api_key = " + "[" * 30_000)
    done = await run("balance", env=_env(tmp_path))

    assert done.code == 2
    assert done.stderr.startswith(f"error: {_file(tmp_path)}: its values are nested too deeply")
    assert done.stderr.count("\n") == 1


async def test_where_nothing_can_be_written(server, tmp_path):
    """The error is one line with the reason."""
    (tmp_path / "config").write_text("no folder")
    words = ("--base-url", server.base_url, "--api-key", "env:KEY_OF_TEST")
    done = await run("login", *words, env=_env(tmp_path, KEY_OF_TEST=server.api_key))

    assert done.code == 2
    assert done.stderr == f"error: {_file(tmp_path)} cannot be written: Not a directory\n"


async def test_logout(server, tmp_path):
    """The file is deleted, also through a link; a second logout does no harm."""
    await _log_in(tmp_path, server)
    elsewhere = tmp_path / "elsewhere.toml"
    _file(tmp_path).rename(elsewhere)
    _file(tmp_path).symlink_to(elsewhere)
    linked = await run("balance", env=_env(tmp_path))
    first = await run("logout", env=_env(tmp_path, server))
    second = await run("logout", env=_env(tmp_path))
    balance = await run("balance", env=_env(tmp_path))

    assert (linked.code, first.code, second.code, balance.code) == (0, 0, 0, 2)
    assert (first.json["deleted"], second.json["deleted"]) == (True, False)
    assert not elsewhere.exists()
    assert "BROWSER_USE_API_KEY is set as before" in first.stderr
    assert "run `browser-use-async login`" in balance.stderr


async def test_serve_names_login(tmp_path):
    """The line that it prints, with the key that it prints, saves both."""
    words = ("serve", "--port", "0", "--executor", "scripted", "--access-log", "none")
    async with running(*words, env=_env(tmp_path)) as command:
        place = json.loads(await command.writes())
        said = await command.says("Ctrl-C ends the server")
        (line,) = (each for each in said.splitlines() if "browser-use-async login" in each)
        words = tuple(line.partition("browser-use-async ")[2].split())
        done = await run(*words, "--api-key", place["api_key"], env=_env(tmp_path))
        async with BrowserUseSession(place["api_key"], base_url=place["base_url"]) as session:
            assert await session.account.me()

    assert done.code == 0, done.stderr
    assert place["base_url"] in _file(tmp_path).read_text()
