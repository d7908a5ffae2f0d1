"""What a queue refuses: one sentence each, nothing is sent, and nothing is lost."""

import asyncio
import sys
from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from browser_use_async import batch
from browser_use_async.batch import ItemState
from browser_use_async.errors import (
    ConfigurationError,
    InvalidRequestError,
    LedgerCorruptError,
    LedgerError,
    LedgerMismatchError,
    LedgerVersionError,
)
from tests.batch.conftest import Open, Serve
from tests.support.tcp_proxy import TcpProxy, through

ITEMS = [("a", "one"), ("b", "two")]


async def refusal(work: Awaitable[Any]) -> LedgerError:
    """The error of a call."""
    with pytest.raises(LedgerError) as caught:
        await work
    return caught.value


def change(address: str, *statements: str) -> None:
    """Change a database."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


async def works_still(launch: Serve, session_with: Open, queue_address: str, **given: Any) -> bool:
    """Whether the queue has its two items, and does them."""
    server = await launch()
    await batch.enqueue(queue_address, ITEMS, **given)
    await batch.work(queue_address, session=await session_with(server))
    state = await batch.status(queue_address)
    return state.counts[ItemState.DONE] == state.total == 2 == len(server.store.tasks)


@pytest.mark.parametrize("name", ["", "#", "#Ärger", "#a/b", "#" + "a" * 41])
async def test_an_address_names_a_batch(name):
    """It is refused before anything is opened, and no password is shown."""
    with pytest.raises(InvalidRequestError, match="the name of the batch") as caught:
        await batch.status(f"postgresql://me:hush@host/db{name}")

    assert caught.value.field == "address"
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("address", ["run.db", "run.db#run", "mysql://host/db#run", 5])
async def test_a_file_is_no_queue(address):
    """The error says what an address looks like."""
    with pytest.raises(InvalidRequestError, match="postgresql://user@host/database#name"):
        await batch.enqueue(address, ITEMS)


async def test_a_missing_package_is_named(monkeypatch):
    """The error says which extra has it."""
    monkeypatch.setitem(sys.modules, "procrastinate", None)

    with pytest.raises(
        ConfigurationError, match=r"needs procrastinate: .*browser-use-async\[fleet\]"
    ):
        await batch.status("postgresql://host/db#name")
    with pytest.raises(ConfigurationError, match="needs procrastinate"):
        batch.read_ledger("postgresql://host/db#name")


async def test_no_server(postgres_server):
    """Nothing listens there: the error has the address without its password."""
    error = await refusal(batch.enqueue("postgresql://me:hush@127.0.0.1:9/db#run", ITEMS))

    assert "postgresql://me@127.0.0.1:9/db#run cannot be reached" in str(error)
    assert "hush" not in str(error)


async def test_a_server_that_is_too_old(postgres):
    """It is refused before anything is created there."""

    def older(data: bytes) -> bytes:
        at = data.find(b"server_version\0")
        return data if at < 0 else data[: at + 15] + b"12" + data[at + 17 :]

    async with TcpProxy("127.0.0.1", urlsplit(postgres).port or 5432, older) as proxy:
        error = await refusal(batch.enqueue(f"{through(postgres, proxy)}#run", ITEMS))

    assert "is PostgreSQL 12, and 13 or newer is needed" in str(error)


async def test_a_pooler_without_settings(postgres):
    """A pooler that refuses the settings of a session causes an error at once."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        fields = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
        writer.write(b"E" + (4 + len(fields)).to_bytes(4, "big") + fields)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        address = f"postgresql://me@127.0.0.1:{port}/db?sslmode=disable#run"
        error = await refusal(batch.enqueue(address, ITEMS))

    assert "takes no settings of a session" in str(error)


async def test_a_user_without_rights(launch, session_with, postgres, queue_address):
    """The error says which right is missing; with the owner's address it works."""
    change(postgres, "DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    parts = urlsplit(postgres)
    guest = urlunsplit(parts._replace(netloc=f"guest@127.0.0.1:{parts.port}"))

    before = await refusal(batch.enqueue(f"{guest}#run", ITEMS))
    await batch.enqueue(queue_address, ITEMS)
    after = await refusal(batch.status(f"{guest}#run"))
    read = await refusal(asyncio.to_thread(batch.read_ledger, f"{guest}#run"))

    for error in (before, after, read):
        assert "permission denied" in str(error)
        assert "Give this user the right to create the schema browser_use_batches" in str(error)
    assert await works_still(launch, session_with, queue_address)


async def test_tables_of_another_version(launch, session_with, postgres, queue_address):
    """They are left unchanged, by whoever writes or reads."""
    await batch.enqueue(queue_address, ITEMS)
    change(postgres, "UPDATE browser_use_batches.queue_version SET version = 99")

    calls = (
        batch.enqueue(queue_address, ITEMS),
        batch.status(queue_address),
        asyncio.to_thread(batch.read_ledger, queue_address),
    )
    for error in [await refusal(call) for call in calls]:
        assert isinstance(error, LedgerVersionError)
        assert "has tables of version 99" in str(error)
    change(postgres, "UPDATE browser_use_batches.queue_version SET version = 1")
    assert await works_still(launch, session_with, queue_address)


async def test_an_engine_of_another_version(launch, session_with, postgres, queue_address):
    """The tables of another procrastinate are not used, and the error names both."""
    import procrastinate

    await batch.enqueue(queue_address, ITEMS)
    session = await session_with(await launch())
    change(postgres, "UPDATE browser_use_batches.engine_version SET version = '04.00.00'")

    error = await refusal(batch.work(queue_address, session=session))

    assert isinstance(error, LedgerVersionError)
    assert "has the tables of procrastinate 04.00.00" in str(error)
    assert procrastinate.__version__ in str(error)


async def test_a_schema_of_another_program(postgres, queue_address):
    """A schema with other tables in the way is left alone."""
    change(
        postgres,
        "CREATE SCHEMA browser_use_batches",
        "CREATE TABLE browser_use_batches.items (i INT)",
    )

    assert "already exists" in str(await refusal(batch.enqueue(queue_address, ITEMS)))


async def test_a_lost_table_is_an_error(launch, session_with, postgres, queue_address):
    """A queue without its items is damaged, and nothing is sent."""
    server = await launch()
    await batch.enqueue(queue_address, ITEMS)
    change(postgres, "DROP TABLE browser_use_batches.items")

    error = await refusal(batch.work(queue_address, session=await session_with(server)))

    assert isinstance(error, LedgerCorruptError)
    assert not server.store.tasks


async def test_a_queue_that_is_not_there(launch, session_with, postgres, queue_address):
    """Neither reading nor working creates it, also beside another queue."""
    session = await session_with(await launch())
    calls = [
        lambda: batch.status(queue_address),
        lambda: batch.retry(queue_address),
        lambda: batch.work(queue_address, session=session),
        lambda: anext(batch.results(queue_address)),
        lambda: asyncio.to_thread(batch.read_ledger, queue_address),
    ]
    for number in range(2):
        for call in calls:
            assert "nothing was enqueued in" in str(await refusal(call()))
        if not number:
            await batch.enqueue(f"{postgres}#other", ITEMS)


async def test_another_prefix_is_refused(launch, session_with, queue_address):
    """All items would be other tasks, and be paid for again."""
    await batch.enqueue(queue_address, ITEMS, key_prefix="p/")

    error = await refusal(batch.enqueue(queue_address, [*ITEMS, ("c", "three")], key_prefix="q/"))

    assert isinstance(error, LedgerMismatchError)
    assert "the batch has the key_prefix 'p/', and now it is 'q/'" in str(error)
    assert await works_still(launch, session_with, queue_address)


async def test_another_limit_is_refused(launch, session_with, queue_address):
    """A limit that some items do not have is none; a budget may change, but not come later."""
    limits: dict[str, Any] = {"limit_by": lambda item: item.key, "per_key": 1}
    await batch.enqueue(queue_address, ITEMS, **limits)

    errors = [
        await refusal(batch.enqueue(queue_address, [("c", "three")], **{**limits, "per_key": 2})),
        await refusal(batch.enqueue(queue_address, [("c", "three")])),
        await refusal(batch.enqueue(queue_address, [("c", "three")], budget_cents=100, **limits)),
    ]

    assert "per_key 1, and now it is 2" in str(errors[0])
    assert "per_key 1, and now it is None" in str(errors[1])
    assert "budget_cents None, and now it is 100" in str(errors[2])
    assert all(isinstance(each, LedgerMismatchError) for each in errors)
    assert await works_still(launch, session_with, queue_address, **limits)


async def test_changed_content_is_refused(launch, session_with, queue_address):
    """In one input, and in a later one; what was there is done as it was."""
    with pytest.raises(LedgerMismatchError, match="earlier in the input"):
        await batch.enqueue(queue_address, [("a", "one"), ("a", "other")])
    await batch.enqueue(queue_address, ITEMS)

    error = await refusal(batch.enqueue(queue_address, [("c", "three"), ("a", "other")]))

    assert "the item 'a' has changed: its key stands for another request in this batch" in str(
        error
    )
    assert await works_still(launch, session_with, queue_address)


async def test_a_service_without_keys_is_refused(launch, session_with, queue_address):
    """Nothing is sent, and the error says what to use there."""
    server = await launch(submission_keys=False)
    await batch.enqueue(queue_address, ITEMS)

    with pytest.raises(ConfigurationError, match="keeps no submission keys") as caught:
        await batch.work(queue_address, session=await session_with(server))

    assert "a ledger in a file" in str(caught.value)
    assert not server.store.tasks
    assert await works_still(launch, session_with, queue_address)


@pytest.mark.parametrize(
    "given",
    [
        {"concurrency": 0},
        {"lease": 0},
        {"lease": True},
        {"timeout": -1.0},
        {"outage_timeout": -1.0},
        {"max_failures": 0},
    ],
)
async def test_options_that_make_no_sense(launch, session_with, given):
    """They are refused before the database is asked."""
    session = await session_with(await launch())

    with pytest.raises(InvalidRequestError, match="nothing was sent") as caught:
        await batch.work("postgresql://127.0.0.1:9/db#run", session=session, **given)

    assert caught.value.field == next(iter(given))
