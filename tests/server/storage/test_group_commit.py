"""Transactions on SQLite that are committed together and fail separately."""

import asyncio
from pathlib import Path

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.storage import Database, SqliteDatabase
from browser_use_async.session import BrowserUseSession

_INSERT = "INSERT INTO server_keys (name, value) VALUES (:name, :value)"
_NAMES = "SELECT name FROM server_keys ORDER BY name"


@pytest.fixture
async def gathering(tmp_path):
    """A database in a file, as of a running server."""
    made = SqliteDatabase(tmp_path / "tasks.db")
    made.gather()
    yield made
    made.close()


def _commits(log: Path) -> int:
    """The number of commits in the log of a database, by the frames that end one."""
    content = log.read_bytes()
    page = int.from_bytes(content[8:12], "big")
    frames = range(32, len(content), 24 + page)
    salts = content[16:24]
    return sum(
        content[each + 4 : each + 8] != bytes(4) and content[each + 8 : each + 16] == salts
        for each in frames
    )


async def _add(gathering: Database, name: str, *, size: int = 1, fails: bool = False) -> str:
    async def work(at: Database) -> str:
        await at.rows(_INSERT, name=name, value=bytes(size))
        await at.announce(name, "created")
        if fails:
            raise LookupError(name)
        return name

    return await gathering.transact(work)


async def _names(gathering: Database) -> list[str]:
    return [name for (name,) in await gathering.rows(_NAMES)]


async def test_what_is_written_at_once_is_committed_together(gathering, tmp_path):
    """Fifty transactions of one turn of the loop are one commit, and each has its result."""
    names = [f"{number:02}" for number in range(50)]
    await _add(gathering, "before")
    before = _commits(tmp_path / "tasks.db-wal")

    found = await asyncio.gather(*(_add(gathering, name) for name in names))

    assert (found, await _names(gathering)) == (names, [*names, "before"])
    assert _commits(tmp_path / "tasks.db-wal") == before + 1


async def test_one_after_the_other_each_has_its_commit(gathering, tmp_path):
    """The control of the test above: a transaction that is awaited is committed then."""
    await _add(gathering, "before")
    before = _commits(tmp_path / "tasks.db-wal")

    for number in range(5):
        await _add(gathering, str(number))

    assert _commits(tmp_path / "tasks.db-wal") == before + 5


@pytest.mark.parametrize("failing", [0, 1, 2])
async def test_one_that_fails_undoes_none_of_the_others(gathering, failing):
    """When one of three transactions fails, the others are committed, and only it has the error."""
    heard: list[str] = []
    gathering.heard = lambda subject, _news: heard.append(subject)

    found = await asyncio.gather(
        *(_add(gathering, str(number), fails=number == failing) for number in range(3)),
        return_exceptions=True,
    )

    stay = [str(number) for number in range(3) if number != failing]
    assert isinstance(found[failing], LookupError)
    assert (await _names(gathering), heard) == (stay, stay)


async def test_a_read_in_between_sees_what_is_committed(gathering, tmp_path):
    """A read while a transaction waits for its commit commits first, and sees it."""
    await _add(gathering, "before")
    log = tmp_path / "tasks.db-wal"
    before = _commits(log)

    async def read() -> tuple[list[str], int]:
        return await _names(gathering), _commits(log) - before

    writing = asyncio.gather(_add(gathering, "a"), _add(gathering, "b"))
    reading = asyncio.ensure_future(read())

    assert await reading == (["a", "b", "before"], 1)
    assert await writing == ["a", "b"]


async def test_a_disk_that_is_full_at_the_commit_fails_all(gathering):
    """If one of a group has no room, no transaction of it reports success."""
    await _add(gathering, "before")
    pages = (await gathering.rows("PRAGMA page_count"))[0][0]
    await gathering.rows(f"PRAGMA max_page_count = {pages + 3}")

    found = await asyncio.gather(
        *(_add(gathering, name, size=10 + (name == "b") * 10**6) for name in "abc"),
        return_exceptions=True,
    )

    written = [name for name in found if not isinstance(name, BaseException)]
    failed = [each for each in found if isinstance(each, BaseException)]
    assert [type(each).__mro__[1] for each in failed] == [StorageUnavailableError] * len(failed)
    assert await _names(gathering) == ["before", *written]
    await gathering.rows(f"PRAGMA max_page_count = {pages + 1000}")
    assert await _add(gathering, "later") == "later"


async def test_a_caller_that_is_cancelled_leaves_the_others_alone(gathering):
    """One of two callers that wait for the same commit is cancelled, and the other one returns."""
    one, other = (asyncio.ensure_future(_add(gathering, name)) for name in ("one", "other"))
    await asyncio.sleep(0)

    one.cancel()

    assert await other == "other"
    with pytest.raises(asyncio.CancelledError):
        await one
    assert await _names(gathering) == ["one", "other"]


async def test_calls_that_create_tasks_share_their_commits(tmp_path):
    """Forty tasks that are created at once need fewer commits than there are tasks."""
    executor = ScriptedExecutor({"hang": Scenario(steps=(), hangs=True)})
    log = tmp_path / "tasks.db-wal"
    async with LocalServer(database=tmp_path / "tasks.db", executor=executor) as server:
        async with BrowserUseSession(api_key=server.api_key, base_url=server.base_url) as session:
            await session.tasks.run("Warm up", metadata={"scenario": "hang"})
            before = _commits(log)
            await asyncio.gather(
                *(
                    session.tasks.run(f"Task {number}", metadata={"scenario": "hang"})
                    for number in range(40)
                )
            )
        assert server.tasks_created == 41
        # Each task has two: its creation and its start.
        assert _commits(log) - before < 60
