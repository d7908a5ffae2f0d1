"""Addresses that cannot be a ledger in PostgreSQL, and what each error says."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.batch import read_ledger
from browser_use_async.errors import (
    ConfigurationError,
    InvalidRequestError,
    LedgerCorruptError,
    LedgerError,
    LedgerLockedError,
    LedgerVersionError,
)
from tests.batch.conftest import Open, Serve, hanging
from tests.batch.postgres.conftest import Work
from tests.support.patience import until
from tests.support.tcp_proxy import TcpProxy, through, without_notifications


@pytest.fixture
async def session() -> AsyncIterator[BrowserUseSession]:
    """A session whose server gets no request."""
    async with BrowserUseSession("k" * 20, base_url="http://127.0.0.1:9/api/v1") as opened:
        yield opened


async def refusal(session: BrowserUseSession, ledger: str) -> LedgerError:
    """The error of a batch with that ledger."""
    with pytest.raises(LedgerError) as caught:
        await session.run_many(["one"], concurrency=1, ledger=ledger).collect()
    return caught.value


def change(address: str, *statements: str) -> None:
    """Change a database."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("name", ["", "#", "#Ärger", "#a/b", "#" + "a" * 41])
async def test_an_address_names_a_batch(session: BrowserUseSession, name: str) -> None:
    """An address without the name of a schema is refused at the call; no password is shown."""
    with pytest.raises(InvalidRequestError, match="the name of the batch") as caught:
        session.run_many(["one"], concurrency=1, ledger=f"postgresql://me:hush@host/db{name}")

    assert caught.value.field == "ledger"
    assert "hush" not in str(caught.value)


async def test_a_missing_package_is_named(
    session: BrowserUseSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what is missing and which extra has it."""
    monkeypatch.setitem(sys.modules, "psycopg_pool", None)

    with pytest.raises(
        ConfigurationError, match=r"needs psycopg_pool: .*browser-use-async\[fleet\]"
    ):
        session.run_many(["one"], concurrency=1, ledger="postgresql://host/db#name")


@pytest.mark.long
async def test_no_server(session: BrowserUseSession, postgres_server: object) -> None:
    """Nothing listens there: the error has the address without its password."""
    error = await refusal(session, "postgresql://me:hush@127.0.0.1:9/db#run")

    assert "postgresql://me@127.0.0.1:9/db#run cannot be reached" in str(error)
    assert "hush" not in str(error)


async def test_a_server_that_is_too_old(session: BrowserUseSession, postgres: str) -> None:
    """It is refused before anything is created there."""
    port = urlsplit(postgres).port or 5432

    def older(data: bytes) -> bytes:
        at = data.find(b"server_version\0")
        return data if at < 0 else data[: at + 15] + b"12" + data[at + 17 :]

    async with TcpProxy("127.0.0.1", port, older) as proxy:
        error = await refusal(session, f"{through(postgres, proxy)}#run")

    assert "is PostgreSQL 12, and 13 or newer is needed" in str(error)


@pytest.mark.long
async def test_a_pooler_of_transactions(session: BrowserUseSession, postgres: str) -> None:
    """A pooler loses notifications and locks: the error asks for the server itself."""
    port = urlsplit(postgres).port or 5432

    async with TcpProxy("127.0.0.1", port, without_notifications) as proxy:
        error = await refusal(session, f"{through(postgres, proxy)}#run")

    assert "PgBouncer in transaction mode" in str(error)


async def test_a_pooler_without_settings(session: BrowserUseSession, postgres: str) -> None:
    """A pooler that refuses the settings of a session causes an error at once."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        fields = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
        writer.write(b"E" + (4 + len(fields)).to_bytes(4, "big") + fields)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await refusal(session, f"postgresql://me@127.0.0.1:{port}/db?sslmode=disable#run")

    assert "takes no settings of a session" in str(error)


async def test_a_schema_of_another_version(
    serve: Serve, open_session: Open, postgres: str, ledger: str
) -> None:
    """The error names it, for a batch and for a reader."""
    opened = await open_session(await serve())
    await opened.run_many(["one"], concurrency=1, ledger=ledger).collect()
    change(postgres, 'UPDATE "browser_use_batch_run".ledger_version SET version = 99')

    error = await refusal(opened, ledger)

    assert isinstance(error, LedgerVersionError)
    assert "has ledger format 99" in str(error)
    with pytest.raises(LedgerVersionError):
        read_ledger(ledger)


async def test_a_schema_of_another_program(
    session: BrowserUseSession, postgres: str, ledger: str
) -> None:
    """A schema of that name without a ledger in it is left alone."""
    change(postgres, 'CREATE SCHEMA "browser_use_batch_run"')

    assert isinstance(await refusal(session, ledger), LedgerCorruptError)


async def test_a_batch_that_is_not_there(
    serve: Serve, open_session: Open, ledger: str, work: Work
) -> None:
    """Neither reading nor working creates it."""
    with pytest.raises(LedgerError, match="there is no batch in"):
        read_ledger(ledger)
    with pytest.raises(LedgerError, match="there is no batch in"):
        await work(await open_session(await serve()), ledger)


async def test_one_batch_of_one_process_at_a_time(
    serve: Serve, open_session: Open, ledger: str, work: Work, texts: Callable[[int], list[str]]
) -> None:
    """A ledger in use refuses a second `run_many` and a worker; later it admits both."""
    server = await serve(executor=hanging())
    session = await open_session(server)
    async with session.run_many(texts(1), concurrency=1, ledger=ledger) as batch:
        running = asyncio.ensure_future(batch.collect())
        await until(lambda: server.store.tasks)

        assert isinstance(await refusal(session, ledger), LedgerLockedError)
        with pytest.raises(LedgerLockedError):
            await work(session, ledger)

        await session.tasks.stop(server.store.tasks[0].id)
        await running
    await work(session, ledger)


async def test_a_batch_that_ended_is_free_at_once(
    serve: Serve, open_session: Open, postgres: str, texts: Callable[[int], list[str]]
) -> None:
    """The next batch need not wait until the server notices that a connection was closed."""
    from browser_use_async.batch.options import BatchOptions
    from browser_use_async.batch.postgres.address import LedgerAddress
    from browser_use_async.batch.postgres.enqueue import enqueue

    session = await open_session(await serve())
    async with TcpProxy("127.0.0.1", urlsplit(postgres).port or 5432) as proxy:
        ledger = f"{through(postgres, proxy)}#run"
        proxy.hide_ends()

        await enqueue(texts(1), LedgerAddress.parse(ledger), BatchOptions(), {})
        first = await session.run_many(texts(1), concurrency=1, ledger=ledger).collect()
        second = await session.run_many(texts(2), concurrency=1, ledger=ledger).collect()

    assert [result.restored for result in (*first, *second)] == [False, True, False]


async def test_a_lost_table_is_an_error(
    serve: Serve, open_session: Open, postgres: str, ledger: str
) -> None:
    """A ledger without its items is damaged, and nothing is sent."""
    server = await serve()
    opened = await open_session(server)
    await opened.run_many(["one"], concurrency=1, ledger=ledger).collect()
    change(postgres, 'DROP TABLE "browser_use_batch_run".items')

    error = await refusal(opened, ledger)

    assert isinstance(error, LedgerCorruptError)
    assert len(server.store.tasks) == 1
