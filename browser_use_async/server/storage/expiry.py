"""What is deleted because of its age."""

import asyncio
from datetime import datetime

from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import delete_files
from browser_use_async.server.storage.records import TASKS
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.server.storage.secret_documents import Secrets

_AT_ONCE = 50  # tasks in one transaction, after which others have their turn


async def expire_files(database: Database, before: datetime) -> None:
    """Delete the pictures and files of tasks that ended before a moment."""

    async def work(at: Database) -> bool:
        found = await TASKS.find(
            at,
            "finished_at IS NOT NULL AND files_expired = 0 AND finished_at < :before LIMIT :limit",
            before=to_moment(before),
            limit=_AT_ONCE,
        )
        for record in found:
            await delete_files(at, record)
            await at.rows(
                "UPDATE tasks SET files_expired = 1, recordings = '[]', output_files = '[]' "
                "WHERE id = :id",
                id=record.id,
            )
        return bool(found)

    while True:
        if not await database.transact(work):
            return
        await asyncio.sleep(0)


async def expire_tasks(database: Database, sealed: Secrets, before: datetime) -> None:
    """Delete the tasks that ended before a moment, with their steps and files.

    The list has no gaps: of each owner the oldest ones go, up to the first that is still to be
    kept.
    """
    for (owner,) in await database.rows("SELECT owner FROM accounts"):
        has_more = True
        while has_more:
            has_more = await _expire_oldest(database, sealed, owner, before)
            await asyncio.sleep(0)


async def _expire_oldest(database: Database, sealed: Secrets, owner: str, before: datetime) -> bool:
    async def work(at: Database) -> bool:
        condition = f"owner = :owner ORDER BY position LIMIT :limit {at.lock}"
        count = 0
        for record in await TASKS.find(at, condition, owner=owner, limit=_AT_ONCE):
            if record.finished_at is None or record.finished_at >= before:
                break
            await delete_files(at, record)
            await sealed.delete(at, "task", record.id)
            await at.rows("DELETE FROM steps WHERE task_id = :id", id=record.id)
            # Only what this transaction deletes: another server may be at it, too.
            deleted = await at.rows("DELETE FROM tasks WHERE id = :id RETURNING id", id=record.id)
            count += len(deleted)
        await at.rows(
            "UPDATE accounts SET expired_tasks = expired_tasks + :count WHERE owner = :owner",
            owner=owner,
            count=count,
        )
        return count == _AT_ONCE

    return await database.transact(work)
