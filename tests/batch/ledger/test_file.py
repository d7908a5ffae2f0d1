"""The ledger as a file: damage, full disks, other owners, other versions."""

import asyncio
import contextlib
import os
import resource
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from browser_use_async import errors
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.batch.ledger import schema
from browser_use_async.batch.ledger.file import LedgerFile, open_ledger
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.ledger.writer import LedgerWriter
from browser_use_async.server import LocalServer
from browser_use_async.server.faults import Fault
from browser_use_async.transport.config import Runtime
from tests.batch.program import KILLED, Program, Run
from tests.support.hygiene import raises
from tests.support.patience import until


def _run(server: LocalServer, ledger: Path, **options: object) -> Run:
    settings = {"count": 12, "concurrency": 4, "settle_window": 0.5, **options}
    return Run(server.base_url, server.api_key, str(ledger), **settings)  # type: ignore[arg-type]


def _runs_asked_for(server: LocalServer) -> int:
    return server.requests["run_task"]


# --- kills at chosen moments ----------------------------------------------------------------


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("method", ["begin_run", "begin_send", "claim_task", "record_outcome"])
@pytest.mark.long
async def test_killed_at_a_write_a_batch_goes_on(launch, ledger, method, committed):
    """Killed just before or after any kind of commit, the next run adopts what exists."""
    server = await launch()
    async with Program() as program:
        at = 1 if method == "begin_run" else 5
        died = await program.run(_run(server, ledger, store=method, at=at, committed=committed))
        ended = await program.run(_run(server, ledger))

    assert (died, ended) == (KILLED, 0)
    assert len(server.store.tasks) == 12
    assert read_ledger(ledger).counts[ItemState.DONE] == 12


def _wal(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + "-wal")


def _delete_index(ledger: Path) -> None:
    ledger.with_name(ledger.name + "-shm").unlink()


def _cut_log(ledger: Path) -> None:
    os.truncate(_wal(ledger), max(_wal(ledger).stat().st_size - 2000, 0))


def _flip_log(ledger: Path) -> None:
    with _wal(ledger).open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        byte = file.read(1)
        file.seek(-1000, os.SEEK_END)
        file.write(bytes([byte[0] ^ 0xFF]))


@pytest.mark.long
@pytest.mark.parametrize("damage", [_delete_index, _cut_log, _flip_log])
async def test_what_a_power_cut_does_to_the_log_is_survived(launch, ledger, damage):
    """Without its index, cut short or damaged at its end, the ledger opens and continues."""
    server = await launch()
    async with Program() as program:
        # The last commit was never reported, so a power cut may damage it.
        doomed = _run(server, ledger, store="claim_task", at=6, committed=True)
        assert await program.run(doomed) == KILLED
        damage(ledger)
        ended = await program.run(_run(server, ledger))

    assert ended == 0
    assert len(server.store.tasks) == 12


@pytest.mark.long
async def test_killed_while_the_log_is_moved_a_ledger_is_whole(launch, ledger):
    """Kills in the middle of checkpoints, several times, lose nothing."""
    server = await launch()
    async with Program() as program:
        for _time in range(3):
            assert await program.run(_run(server, ledger, store="Checkpointing")) == KILLED
        ended = await program.run(_run(server, ledger))

    assert ended == 0
    assert len(server.store.tasks) == 12


# --- files that cannot be used --------------------------------------------------------------


async def _refused(session_with, server, place, kind):
    """The error of a batch and of a reader, before which nothing was sent."""
    session = await session_with(server)
    with raises(kind) as caught:
        await session.run_many(["one", "two"], concurrency=2, ledger=place).collect()
    assert _runs_asked_for(server) == 0
    with raises(kind) as read:
        read_ledger(Path(place))
    return str(caught.value), str(read.value)


def _damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096 : len(content) - 4096] = os.urandom(len(content) - 8192)
    file.write_bytes(content)


@pytest.mark.long
async def test_a_damaged_ledger_is_refused(launch, session_with, ledger, texts):
    """Damage in the middle of the file is found before anything is sent."""
    server = await launch()
    session = await session_with(server)
    await session.run_many(texts(60), concurrency=20, ledger=ledger).collect()
    sent = _runs_asked_for(server)
    _damage(ledger)

    with raises(errors.LedgerCorruptError) as caught:
        await session.run_many(texts(60), concurrency=20, ledger=ledger).collect()

    assert _runs_asked_for(server) == sent
    assert ".recover" in str(caught.value)
    with pytest.raises(errors.LedgerError):
        list(read_ledger(ledger).rows())


def _change(database, statement):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"no database at all" * 100, errors.LedgerCorruptError, "file is not a database"),
        (b"SQLite format 3\0" + b"x" * 99, errors.LedgerCorruptError, "file is not a database"),
        ("CREATE TABLE items (name)", errors.LedgerCorruptError, "is not a ledger"),
        (schema.VERSION - 1, errors.LedgerVersionError, "Go on with the version that wrote it"),
        (schema.VERSION + 1, errors.LedgerVersionError, "or begin a new ledger"),
    ],
)
async def test_another_file_is_no_ledger(launch, session_with, ledger, content, kind, said):
    """Other content, the database of another program or of another version is left unchanged."""
    if isinstance(content, bytes):
        ledger.write_bytes(content)
    elif isinstance(content, str):
        _change(ledger, content)
    else:
        open_ledger(ledger).close()
        _change(ledger, f"PRAGMA user_version = {content}")
    before = ledger.read_bytes()

    for text in await _refused(session_with, await launch(), ledger, kind):
        assert said in text
    assert ledger.read_bytes() == before


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("no/run.db", "Pass a path in a directory that exists"),
        ("folder", "folder is a folder"),
        ("postgres://me:hush@127.0.0.1:9/db#run", "a ledger is a file, not a database"),
        ("postgresql://me:hush@127.0.0.1:9/db#run", "a ledger is a file, not a database"),
        ("/proc/self/run.db", "can be written to"),  # it takes no new files, from root either
    ],
)
async def test_a_place_without_files_is_refused(
    launch, session_with, tmp_path, monkeypatch, place, said
):
    """No directory is created, no lock is left, and no address of a database is shown."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir()

    texts = await _refused(session_with, await launch(), place, errors.LedgerError)

    assert said in texts[0]
    assert "hush" not in "".join(texts)
    assert list(tmp_path.rglob("*")) == [folder]


async def test_only_its_owner_may_read_it(launch, session_with, ledger):
    """The ledger and the files beside it have mode 0600, whatever the umask is."""
    session = await session_with(await launch())
    before = os.umask(0)
    try:
        async with session.run_many(["one", "two"], concurrency=1, ledger=ledger) as batch:
            async for _result in batch:
                modes = {
                    file.name: stat.S_IMODE(file.stat().st_mode)
                    for file in ledger.parent.glob("run.db*")
                }
    finally:
        os.umask(before)

    assert set(modes) == {"run.db", "run.db-wal", "run.db-shm", "run.db-owner"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("begun", [False, True])
def test_a_ledger_without_a_batch_says_so(ledger, begun):
    """Killed before its first run had begun, a ledger is empty and not damaged."""
    if begun:
        open_ledger(ledger).close()
    else:
        ledger.touch()

    with pytest.raises(errors.LedgerError, match="no batch has begun") as caught:
        read_ledger(ledger)

    assert type(caught.value) is errors.LedgerError


# --- owners ---------------------------------------------------------------------------------


@pytest.mark.long
async def test_a_second_process_is_refused_at_once(launch, session_with, ledger):
    """While a process owns the ledger another is refused; after a kill it is free."""
    server = await launch()
    session = await session_with(server)
    async with Program() as program:
        running = asyncio.ensure_future(program.run(_run(server, ledger, count=2000)))
        await until(lambda: _runs_asked_for(server) > 0)
        with raises(errors.LedgerLockedError):
            await session.run_many(["one"], concurrency=1, ledger=ledger).collect()
        counted = read_ledger(ledger).total  # other processes may read meanwhile
        program.kill()
        assert await running == KILLED
        await session.run_many(["one"], concurrency=1, ledger=ledger).collect()

    assert counted > 0
    assert read_ledger(ledger).runs == 2


@pytest.mark.parametrize("alias", ["run.db", "link.db"])
async def test_a_second_batch_of_the_same_process_is_refused(launch, session_with, ledger, alias):
    """A link to the same file, in the same process, is the same ledger."""
    session = await session_with(await launch())
    if alias != ledger.name:
        ledger.with_name(alias).symlink_to(ledger)
    async with session.run_many(["one", "two"], concurrency=1, ledger=ledger) as batch:
        async for _result in batch:
            with raises(errors.LedgerLockedError):
                await session.run_many(
                    ["one"], concurrency=1, ledger=ledger.with_name(alias)
                ).collect()


# --- full disks -----------------------------------------------------------------------------


class _Full:
    """A disk that is full from the n-th call of a method of the store on."""

    def __init__(self, method: str, at: int) -> None:
        self._method, self._at = method, at
        self.calls = 0
        self.is_full = True

    def store(self, connection: sqlite3.Connection) -> LedgerStore:
        """A store on that disk."""
        full = self

        def called(self: LedgerStore, *arguments: object, **named: object) -> object:
            full.calls += 1
            if full.calls == full._at and full.is_full:
                pages = self.connection.execute("PRAGMA page_count").fetchone()[0]
                self.connection.execute(f"PRAGMA max_page_count = {pages}")
                # Grows until there is no room, as the next large write would.
                self.connection.execute("UPDATE batch SET labels = ?", ("x" * 10_000_000,))
            return getattr(LedgerStore, full._method)(self, *arguments, **named)

        made: type[LedgerStore] = type("Full", (LedgerStore,), {self._method: called})
        return made(connection)

    def runtime(self) -> Runtime:
        """A world with that disk."""

        async def start_writer(opens: Callable[[], LedgerFile]) -> LedgerWriter:
            opened = await asyncio.to_thread(opens)
            return LedgerWriter(opened, self.store(opened.connection))

        return Runtime(start_writer=start_writer)


@pytest.mark.parametrize("method", ["begin_item", "begin_send", "claim_task", "record_outcome"])
async def test_a_full_disk_ends_the_batch_and_doubles_nothing(
    launch, session_with, ledger, texts, method
):
    """What cannot be recorded is not sent; what was sent is found by the next run."""
    server = await launch()
    disk = _Full(method, 3)
    session = await session_with(server, runtime=disk.runtime())

    with raises(errors.LedgerError) as caught:
        await session.run_many(texts(6), concurrency=1, ledger=ledger).collect()

    first = len(server.store.tasks)
    assert "full" in str(caught.value)
    assert first == (2 if method in {"begin_item", "begin_send"} else 3)
    if method == "claim_task":
        assert caught.value.task_id == server.store.tasks[-1].id
    disk.is_full = False
    results = await session.run_many(texts(6), concurrency=1, ledger=ledger).collect()
    assert [result.succeeded for result in results] == [True] * 6
    assert len(server.store.tasks) == 6


async def test_a_limit_of_the_system_ends_the_batch_as_well(launch, session_with, ledger, texts):
    """A limit of the file size is an error that says what to do."""
    server = await launch()
    session = await session_with(server)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with raises(errors.LedgerError) as caught:
            async with session.run_many(texts(300), concurrency=3, ledger=ledger) as batch:
                async for _result in batch:
                    grown = _wal(ledger).stat().st_size
                    resource.setrlimit(resource.RLIMIT_FSIZE, (grown, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert "Make room" in str(caught.value)
    results = await session.run_many(texts(20), concurrency=3, ledger=ledger).collect()
    assert all(result.succeeded for result in results)
    assert max(_tasks_by_text(server).values()) == 1


def _tasks_by_text(server: LocalServer) -> dict[str, int]:
    counted: dict[str, int] = {}
    for task in server.store.tasks:
        counted[task.task] = counted.get(task.task, 0) + 1
    return counted


# --- clocks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-24, 24])
async def test_the_clock_may_be_set_between_two_runs(launch, session_with, ledger, hours):
    """The clock was a day off when a task was sent: a lost task is still found."""
    from datetime import UTC, datetime, timedelta

    def wrong_clock() -> datetime:
        return datetime.now(UTC) + timedelta(hours=hours)

    server = await launch(submission_keys=False, faults=[Fault("lost_reply", "run_task", calls=1)])
    disk = _Full("record_task", 1)
    wrong = disk.runtime()
    session = await session_with(
        server, runtime=Runtime(now=wrong_clock, start_writer=wrong.start_writer)
    )
    with raises(errors.LedgerError):
        await session.run_many(["one"], concurrency=1, ledger=ledger).collect()
    later = await session_with(server)
    # So many that the lost one is on the second page of the list.
    await asyncio.gather(*(later.tasks.run(f"Other {number}") for number in range(101)))

    results = await later.run_many(["one"], concurrency=1, ledger=ledger).collect()

    ones = _tasks_by_text(server)["one"]
    assert results[0].succeeded
    assert ones == 1
