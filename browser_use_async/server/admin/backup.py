"""A copy of the whole database, for its operator."""

from contextlib import closing

from browser_use_async.server.errors import UnsupportedError
from browser_use_async.server.http.file_answer import FileAnswer
from browser_use_async.server.http.routes import admin_operation
from browser_use_async.server.keys.admin_client import BACKUP_TYPE
from browser_use_async.server.keys.api_key import Scope
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage import SqliteDatabase
from browser_use_async.server.storage.files import in_parts


@admin_operation("admin_backup", "POST /admin/backup", Scope.ADMIN)
async def back_up(server: RunningServer) -> FileAnswer:
    """Copies the SQLite database while the server goes on, and answers with the bytes of the copy.

    It has all that was answered before the call.
    """
    database = server.stores.database
    if not isinstance(database, SqliteDatabase):
        raise UnsupportedError("The database of this server is PostgreSQL; copy it with pg_dump")
    copy = await database.back_up()
    try:
        whole = range(copy.size)
        first = await copy.read(next(in_parts(whole)))
    except BaseException:
        copy.close()
        raise
    headers = {"Content-Type": BACKUP_TYPE}
    return FileAnswer(copy.read, whole, first, closing(copy), status=200, headers=headers)
