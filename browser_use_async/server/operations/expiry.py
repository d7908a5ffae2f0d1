"""Deletion by age: files, uploads and kept searches, and tasks if the operator wants that."""

import asyncio
import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from browser_use_async.server.loops import log_failure
from browser_use_async.server.settings import ServerSettings
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import UPLOADS, delete_files, delete_upload
from browser_use_async.server.storage.progress import read_steps
from browser_use_async.server.storage.records import TASKS
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.submission_keys import delete_expired
from browser_use_async.server.stores import Stores

# Age at which files of ended tasks, and uploads, are deleted.
_FILE_LIFETIME = timedelta(days=30)

_EXPIRY_SECONDS = 24 * 60 * 60.0
_AT_ONCE = 50  # tasks in one transaction, so that others need not wait long
_EXPIRED = {"files_expired": True, "recordings": [], "output_files": []}
_logger = logging.getLogger(__name__)


async def expire_daily(stores: Stores, settings: ServerSettings) -> None:
    """Delete old screenshots, files, uploads and searches, and old tasks if that is wanted."""

    async def expire() -> None:
        now, database = settings.now(), stores.database
        # Uploads that a schedule includes stay, also while it is switched off, until it has ended.
        needed = await stores.schedules.included_files(now)
        await _expire_uploads(database, now - _FILE_LIFETIME, needed)
        await _expire_files(database, now - _FILE_LIFETIME)
        await delete_expired(database, now)
        if settings.task_lifetime is not None:
            await _expire_tasks(database, stores.sealed, now - settings.task_lifetime)

    while True:
        try:
            await stores.database.exclusively("expiry", expire)
        except Exception as error:  # noqa: BLE001 - what is left over goes tomorrow
            log_failure(_logger, "deleting old files", error)
        await asyncio.sleep(_EXPIRY_SECONDS)


async def _expire_files(database: Database, before: datetime) -> None:
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


async def _expire_tasks(database: Database, sealed: Secrets, before: datetime) -> None:
    """Delete the tasks that ended before a moment, with their steps, files and webhook deliveries.

    The list has no gaps: of each owner the oldest ones go, up to the first that is still to be
    kept.
    """
    for (owner,) in await database.rows("SELECT owner FROM accounts"):
        while await _expire_oldest(database, sealed, owner, before):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    # Delivered events contain texts of deleted tasks. Pending ones are deleted in a later run.
    await database.rows(
        "DELETE FROM outbox WHERE state <> 'pending' "
        "AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = outbox.task_id)"
    )


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
            await at.delete("schedule_runs", task_id=record.id)
            await at.delete("submission_keys", resource_id=record.id)
            # Only what this transaction deletes: another server may delete, too.
            count += await at.delete("tasks", id=record.id)
        statement = "UPDATE accounts SET expired_tasks = expired_tasks + :count "
        await at.rows(f"{statement}WHERE owner = :owner", owner=owner, count=count)
        return count == _AT_ONCE

    return await database.transact(work)


async def _expire_uploads(
    database: Database, before: datetime, keep: Collection[tuple[str, str]]
) -> None:
    """Delete files of all owners from before a moment, except some, by owner and name."""

    async def work(at: Database) -> None:
        for upload in await UPLOADS.find(at, "uploaded_at < :before", before=before):
            if (upload.owner, upload.name) not in keep:
                await delete_upload(at, upload)

    await database.transact(work)
