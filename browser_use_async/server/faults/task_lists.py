"""Lists of tasks in which new tasks appear late."""

from collections.abc import Callable
from datetime import datetime

from browser_use_async.server.storage.database import Database, Row
from browser_use_async.server.storage.outbox import Outbox
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.table import MOST
from browser_use_async.server.storage.tasks import TaskStore, row_columns


class LateTaskStore(TaskStore):
    """Tasks of which lists hide some; everything else is normal."""

    def __init__(
        self, database: Database, sealed: Secrets, outbox: Outbox, now: Callable[[], datetime]
    ) -> None:
        super().__init__(database, sealed, outbox, now)
        self.hidden: set[str] = set()

    async def page(
        self, page: int, limit: int, output: int, *, tells_owner: bool = False
    ) -> tuple[int, list[Row]]:
        """The number of tasks that lists show, and one page of them, newest first."""
        if not self.hidden or tells_owner:  # the operator sees them
            return await super().page(page, limit, output, tells_owner=tells_owner)
        hidden = {f"hidden{number}": task_id for number, task_id in enumerate(self.hidden)}
        marks = ", ".join(f":{name}" for name in hidden)
        shown = f"FROM tasks WHERE owner = :owner AND id NOT IN ({marks})"
        before = min((page - 1) * limit, MOST)
        values = {"owner": self.owner, "limit": limit, "before": before, **hidden}
        count = await self._database.value(f"SELECT COUNT(*) {shown}", **values)
        rows = await self._database.rows(
            f"SELECT {row_columns(output)} {shown} "
            "ORDER BY position DESC LIMIT :limit OFFSET :before",
            **values,
        )
        return int(count), rows
