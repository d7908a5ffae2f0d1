"""What is deleted because of its age."""

import asyncio
from collections.abc import Collection
from datetime import datetime

from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import UPLOADS, delete_files, delete_upload
from browser_use_async.server.storage.progress import read_steps
from browser_use_async.server.storage.records import TASKS
from browser_use_async.server.storage.secret_documents import Secrets

_AT_ONCE = 50  # tasks in one transaction, after which others have their turn
_EXPIRED = {"files_expired": True, "recordings": [], "output_files": []}


async def expire_files(database: Database, before: datetime) -> None:
    """Delete the pictures and files of tasks that ended before a moment."""

    async def work(at: Database) -> bool:
        condition = "finished_at IS NOT NULL AND files_expired = 0 AND finished_at < :before LIMIT"
        found = await TASKS.find(at, f"{condition} {_AT_ONCE}", before=before)
        for record in found:
            record.steps = await read_steps(at, record.id)
            await delete_files(at, record)
            await at.update("tasks", _EXPIRED, id=record.id)
        return bool(found)

    while await database.transact(work):  # noqa: ASYNC110 - others have their turn
        await asyncio.sleep(0)


async def expire_tasks(database: Database, sealed: Secrets, before: datetime) -> None:
    """Delete the tasks that ended before a moment, with their steps and files.

    The list has no gaps: of each owner the oldest ones go, up to the first that is still to be
    kept.
    """
    for (owner,) in await database.rows("SELECT owner FROM accounts"):
        while await _expire_oldest(database, sealed, owner, before):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)


async def _expire_oldest(database: Database, sealed: Secrets, owner: str, before: datetime) -> bool:
    async def work(at: Database) -> bool:
        condition = f"owner = :owner ORDER BY position LIMIT {_AT_ONCE} {at.lock}"
        count = 0
        for record in await TASKS.find(at, condition, owner=owner):
            if record.finished_at is None or record.finished_at >= before:
                break
            record.steps = await read_steps(at, record.id)
            await delete_files(at, record)
            await sealed.delete(at, "task", record.id)
            await at.delete("steps", task_id=record.id)
            # Only what this transaction deletes: another server may be at it, too.
            count += await at.delete("tasks", id=record.id)
        statement = "UPDATE accounts SET expired_tasks = expired_tasks + :count "
        await at.rows(f"{statement}WHERE owner = :owner", owner=owner, count=count)
        return count == _AT_ONCE

    return await database.transact(work)


async def expire_uploads(
    database: Database, before: datetime, keep: Collection[tuple[str, str]]
) -> None:
    """Forget files of all owners that came before a moment, but for some, as owner and name."""

    async def work(at: Database) -> None:
        for upload in await UPLOADS.find(at, "uploaded_at < :before", before=before):
            if (upload.owner, upload.name) not in keep:
                await delete_upload(at, upload)

    await database.transact(work)
