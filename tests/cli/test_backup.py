"""`backup`, on a server that is running."""

import asyncio
import sys
import tempfile
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from browser_use_async import system
from browser_use_async.server import LocalServer
from tests.server.calling import Caller
from tests.server.storage.copies import names_in, tasks_of

from .running import Result, environment, run

WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@pytest.fixture
async def kept(tmp_path):
    """A server with a database file."""
    (tmp_path / "server").mkdir()
    async with LocalServer(executor="scripted", database=tmp_path / "server/server.db") as server:
        yield server


async def test_a_copy_is_served(kept, tmp_path):
    """It is a new file that only its owner reads, with all tasks."""
    copy = tmp_path / "monday.db"
    async with aiohttp.ClientSession() as http:
        api = Caller(kept, http)
        task_id = await api.create()
        await api.reached(task_id, "finished")
    done = await run("backup", str(copy), env=environment(kept))
    names = names_in(tmp_path)
    async with LocalServer(executor="scripted", database=copy) as again:
        stored = [each.id for each in again.store.tasks]

    assert (done.code, done.json["path"]) == (0, str(copy)), done.stderr
    assert names == ["monday.db", "server"]
    assert tasks_of(copy) == {task_id}
    assert stored == [task_id]


@pytest.mark.long
async def test_over_the_socket_of_administration(tmp_path):
    """This works behind a proxy, too."""
    copy, place = tmp_path / "monday.db", tmp_path / "server.db"
    with tempfile.TemporaryDirectory(prefix="admin-") as folder:
        path = Path(folder) / "admin"
        async with LocalServer(executor="scripted", database=place, admin_socket=path) as server:
            env = environment(BROWSER_USE_API_KEY=server.api_key)
            done = await run("backup", str(copy), "--admin-socket", str(path), env=env)

    assert done.code == 0, done.stderr
    assert tasks_of(copy) == set()


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
async def test_nothing_is_overwritten(kept, tmp_path, kind):
    """Also no link that leads nowhere."""
    copy = tmp_path / "monday.db"
    if kind == "file":
        copy.write_text("mine")
    elif kind == "folder":
        copy.mkdir()
    else:
        copy.symlink_to(tmp_path / "elsewhere.db")
    done = await run("backup", str(copy), env=environment(kept))

    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == f"error: {copy} is there already; name a new file\n"
    assert kind != "file" or copy.read_text() == "mine"


async def test_a_folder_without_rights(kept, tmp_path):
    """The sentence names the file; nothing is left."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    process = await asyncio.create_subprocess_exec(
        *(WITHOUT_RIGHTS if system.is_root() else ()),
        *(sys.executable, "-m", "browser_use_async", "backup", str(folder / "a.db")),
        env=environment(kept),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    folder.chmod(0o700)

    assert process.returncode == 2
    assert said.decode() == f"error: {folder}/a.db cannot be written: Permission denied\n"
    assert names_in(folder) == []


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("{}/no/a.db",), 2, "/no/a.db cannot be written: No such file or directory"),
        ((), 2, "missing: FILE"),
        (("{}/a.db", "--local"), 2, "needs a bundled server"),
        (("{}/a.db", "--base-url", "http://127.0.0.1:1/api/v1"), 4, "no connection to 127.0.0.1:1"),
        (("{}/a.db", "--admin-socket", "/no/a.sock"), 4, "no connection to /no/a.sock: No such"),
    ],
)
async def test_mistakes(words, code, named, kept, tmp_path):
    """Each is one line, and no file is there."""
    done = await run("backup", *(each.format(tmp_path) for each in words), env=environment(kept))

    assert (done.code, named in done.stderr) == (code, True), done.stderr
    assert names_in(tmp_path) == ["server"]


async def test_a_server_in_memory_and_a_key_without_the_scope(server, kept, tmp_path):
    """The server's sentence is shown."""
    copy = str(tmp_path / "a.db")
    in_memory = await run("backup", copy, env=environment(server))
    key = (await run("keys", "add", "shop", env=environment(kept))).stdout.strip()
    scopeless = await run("backup", copy, env=environment(kept, BROWSER_USE_API_KEY=key))

    assert (in_memory.code, "--database server.db" in in_memory.stderr) == (3, True)
    assert (scopeless.code, "scope admin" in scopeless.stderr) == (3, True)
    assert names_in(tmp_path) == ["server"]


@pytest.mark.parametrize(
    ("status", "body", "length", "named"),
    [
        (404, '{"detail": "Not Found"}', None, "makes no backups: it is another server, or an"),
        (405, "no", None, "no server of this package seems to be there"),
        (200, "<p>Welcome", None, "no server of this package seems to be there"),
        (200, "SQLite format 3", 100, "gave no whole answer to POST /admin/backup"),
    ],
)
async def test_another_server(status, body, length, named, tmp_path):
    """What it answers is not taken for a copy, and neither is the beginning of one."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        if length is None:
            return web.Response(status=status, text=body)
        response = web.StreamResponse(headers={"Content-Type": "application/vnd.sqlite3"})
        response.content_length = length
        await response.prepare(request)
        await response.write(body.encode())
        assert request.transport is not None
        request.transport.close()
        return response

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as other:
        done: Result = await run(
            "backup",
            str(tmp_path / "a.db"),
            env=environment(
                BROWSER_USE_BASE_URL=str(other.make_url("/api/v1")), BROWSER_USE_API_KEY="bu_x"
            ),
        )

    assert (done.code in {3, 4}, named in done.stderr) == (True, True), done.stderr
    assert names_in(tmp_path) == []
