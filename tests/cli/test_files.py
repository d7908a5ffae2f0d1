import asyncio
import json
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server import Fault, LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.support.wire import bound_socket

from .running import Result, environment, run, run_on_terminal

FILES = {"report.csv": b"Item,Price\nBell,12.50\n", "big file.txt": b"0123456789abcdef" * 20_000}


@pytest.fixture
async def writing():
    """A server whose tasks write `FILES`."""
    executor = ScriptedExecutor({"Write": Scenario(files=FILES)})
    async with LocalServer(executor=executor) as server:
        yield server


async def _finished(server: LocalServer, task: str) -> str:
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        return (await session.run_and_wait(task)).id


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _shows_no_url(result: Result) -> bool:
    return not any(word in result.stderr for word in ("signature", "expires=", "/files/"))


@pytest.mark.torture
async def test_put(server, tmp_path):
    """Files are uploaded, and their names printed as one JSON list; a task may use them."""
    paths = [tmp_path / "orders.csv", tmp_path / "notes.txt"]
    for path in paths:
        path.write_text("Item,Price\n")
    env = environment(server)
    result = await run("files", "upload", *map(str, paths), "--verbose", env=env)
    ran = await run("run", "Look", "--included-file", "orders.csv", env=env)

    assert (result.code, ran.code) == (0, 0)
    assert result.json == ["orders.csv", "notes.txt"]
    assert "orders.csv: 11 bytes" in result.stderr
    assert _shows_no_url(result)


async def test_put_by_another_name(server, tmp_path):
    """One file may be given another name; with several files the option is refused."""
    path = tmp_path / "orders"
    path.write_text("Item,Price\n")
    one = await run("files", "upload", str(path), "--name", "list.csv", env=environment(server))
    two = await run("files", "upload", *[str(path)] * 2, "--name", "x.csv", env=environment(server))

    assert (one.code, one.json) == (0, ["list.csv"])
    assert (two.code, two.stdout) == (2, "")


async def test_put_what_the_api_does_not_take(server, tmp_path):
    """A type or size that is refused is exit code 2, and the others are uploaded."""
    names = ("tool.exe", "empty.txt", "large.txt", "good.txt")
    for name, size in zip(names, (1, 0, 10 * 1024 * 1024 + 1, 1), strict=True):
        (tmp_path / name).write_bytes(b"x" * size)
    paths = [str(tmp_path / name) for name in names]
    result = await run("files", "upload", *paths, env=environment(server))

    assert result.code == 2
    assert result.json == ["good.txt"]
    for name in names[:3]:
        assert f"error: {name}: " in result.stderr


async def test_put_no_file(server, tmp_path):
    """A path without a file is exit code 2, before anything is sent."""
    for path in (tmp_path, tmp_path / "none.csv", tmp_path / f"{'n' * 300}.csv"):
        result = await run("files", "upload", str(path), env=environment(server))

        assert result.code == 2
        assert "is no file" in result.stderr
    assert not server.requests


async def test_get_by_name(writing, tmp_path):
    """A named file is downloaded into a directory that is created, and its path printed."""
    task_id = await _finished(writing, "Write")
    folder = tmp_path / "deep" / "folder"
    words = ("files", "download", task_id, "report.csv", "-o", str(folder), "--verbose")
    result = await run(*words, env=environment(writing))

    assert result.code == 0
    assert result.json == [str(folder / "report.csv")]
    assert (folder / "report.csv").read_bytes() == FILES["report.csv"]
    assert "report.csv: 22 bytes" in result.stderr
    assert _shows_no_url(result)


async def test_get_all(writing, tmp_path):
    """`--all` downloads every output file once, also one that is named as well."""
    task_id = await _finished(writing, "Write")
    words = ("files", "download", task_id, "report.csv", "--all", "-o", str(tmp_path))
    result = await run(*words, env=environment(writing))
    written = _contents(tmp_path)

    assert result.code == 0
    assert sorted(result.json) == sorted(str(tmp_path / name) for name in FILES)
    assert written == FILES
    assert "big file.txt: 320,000 bytes" in result.stderr


@pytest.mark.torture
async def test_get_pictures(writing, tmp_path):
    """Screenshots are pictures, and a task without recordings has none: still one JSON list."""
    task_id = await _finished(writing, "Write")
    words = ("files", "download", task_id, "--screenshots", "-o", str(tmp_path))
    pictures = await run(*words, env=environment(writing))
    contents = [await asyncio.to_thread(Path(path).read_bytes) for path in pictures.json]

    assert pictures.code == 0
    assert contents
    assert all(each.startswith(b"\x89PNG") for each in contents)
    assert f"screenshots: {sum(map(len, contents)):,} bytes" in pictures.stderr
    assert _shows_no_url(pictures)


@pytest.mark.torture
async def test_get_what_is_not_there(writing, tmp_path):
    """A file or task that does not exist is exit code 3, and other files are downloaded."""
    task_id = await _finished(writing, "Write")
    env = environment(writing)
    words = ("none.csv", "report.csv", "-o", str(tmp_path))
    file = await run("files", "download", task_id, *words, env=env)
    task = await run("files", "download", "no-such-task", "--all", "-o", str(tmp_path), env=env)

    assert (file.code, task.code) == (3, 3)
    assert file.json == [str(tmp_path / "report.csv")]
    assert "error: none.csv: " in file.stderr
    assert task.stdout == ""


@pytest.mark.torture
async def test_get_a_name_that_leaves_the_directory(writing, tmp_path):
    """A hostile name is exit code 2, and nothing is written."""
    task_id = await _finished(writing, "Write")
    folder = tmp_path / "folder"
    words = ("files", "download", task_id, "../escaped.csv", "-o", str(folder))
    result = await run(*words, env=environment(writing))

    assert result.code == 2
    assert result.json == []
    assert _contents(tmp_path) == {}


async def test_get_what_is_there_already(writing, tmp_path):
    """An existing file stays, and the others are downloaded; `--force` replaces it."""
    task_id = await _finished(writing, "Write")
    (tmp_path / "report.csv").write_bytes(b"mine")
    words = ("files", "download", task_id, "--all", "-o", str(tmp_path))
    refused = await run(*words, env=environment(writing))
    before = _contents(tmp_path)
    forced = await run(*words, "--force", env=environment(writing))

    assert refused.code == 3
    assert refused.json == [str(tmp_path / "big file.txt")]
    assert "report.csv is there already" in " ".join(refused.stderr.split())
    assert "--force" in refused.stderr
    assert before == {**FILES, "report.csv": b"mine"}
    assert forced.code == 0
    assert _contents(tmp_path) == FILES


async def test_names_cannot_steer_the_terminal(server, tmp_path):
    """Names of files from the server neither write the clipboard nor clear the screen."""
    names = ["\x1b]52;c;aGk=\x07a.csv", "\x1b]0;title\x07b.csv", "\x1b[2Jc.csv", "\x9b2Jd.csv"]
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        task = (await session.run_and_wait("Look")).to_dict()
    body = json.dumps({**task, "output_files": names})
    server.set_faults([Fault("status", "get_task", status=200, body=body)])
    words = ("files", "download", str(task["id"]), "--all", "-o", str(tmp_path))
    shown = await run_on_terminal(*words, env=environment(server))
    logged = await run_on_terminal(*words, "--verbose", env=environment(server))

    for written in (shown, logged):
        assert "a.csv" in written
        for sequence in ("\x1b]", "\x1b[2J", "\x9b", "\x07"):
            assert sequence not in written


async def test_get_nothing(server, tmp_path):
    """Without a file to download: exit code 2."""
    for words in (("-o", str(tmp_path)), ()):
        result = await run("files", "download", "some-id", *words, env=environment(server))

        assert result.code == 2
        assert result.stdout == ""
    assert not server.requests


async def test_into_the_working_folder(server, tmp_path, monkeypatch):
    """Without `-o` files come into the working folder; in plain text each path is a line."""
    monkeypatch.chdir(tmp_path)
    task_id = await _finished(server, "Report")
    result = await run("files", "download", task_id, "--all", "--plain", env=environment(server))

    assert result.code == 0
    assert (tmp_path / "sum.txt").read_bytes() == b"42"
    assert result.stdout.rstrip().endswith("sum.txt")


@pytest.mark.torture
async def test_task_without_files(server, tmp_path):
    """A task without files gives an empty list and a note."""
    task_id = await _finished(server, "Look")
    words = ("files", "download", task_id, "--all", "-o", str(tmp_path))
    result = await run(*words, env=environment(server))

    assert result.code == 0
    assert result.json == []
    assert "no such files" in result.stderr


@pytest.mark.torture
async def test_no_server_listens(tmp_path):
    """A server that cannot be reached is exit code 4."""
    (tmp_path / "a.csv").write_text("x")
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        env = environment(BROWSER_USE_BASE_URL=url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("files", "upload", str(tmp_path / "a.csv"), env=env)

    assert result.code == 4


async def test_local(tmp_path):
    """`--local` uploads to the bundled server."""
    (tmp_path / "a.csv").write_text("x")
    result = await run("files", "upload", str(tmp_path / "a.csv"), "--local")

    assert (result.code, result.json) == (0, ["a.csv"])
