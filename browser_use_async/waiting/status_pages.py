"""The call that sweeps are made of."""

from browser_use_async.contract.status_page import LIST_STATUSES, StatusPage
from browser_use_async.models import PageQuery
from browser_use_async.transport.call import Call

__all__ = ["StatusPages"]


class StatusPages:
    """Reads pages of the task list for where their tasks stand.

    Args:
        call: Makes the call.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    async def read(self, page: int, limit: int) -> StatusPage:
        """Read one page. Free. API page: List Tasks.

        Args:
            page: Which page, counted from 1.
            limit: Rows on a page, 1 to 100.
        """
        rows: StatusPage = await self._call(LIST_STATUSES, PageQuery(page=page, limit=limit))
        return rows
