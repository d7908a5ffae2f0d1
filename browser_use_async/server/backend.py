"""What the operations and the pages of one server work with."""

import attrs

from browser_use_async.server.links import Links
from browser_use_async.server.running import TaskRunner
from browser_use_async.server.search import SearchEngine
from browser_use_async.server.storage import Store
from browser_use_async.server.storage.account import Account
from browser_use_async.server.storage.profiles import Profiles
from browser_use_async.server.storage.schedules import Schedules
from browser_use_async.server.storage.uploads import Uploads

__all__ = ["Backend"]


@attrs.frozen
class Backend:
    """The parts of one running server.

    Attributes:
        store: What it remembers.
        runner: The tasks at work.
        links: Addresses on this server.
        executor_name: What carries out the tasks.
        account: Who pays.
        profiles: The browser profiles.
        schedules: What runs again and again.
        uploads: Files for tasks to read.
        search: Reads websites for queries.
        max_concurrent_tasks: How many tasks may be at work at once, or None for any number.
        screenshots: Whether pictures of the steps are kept.
        recordings: Whether recordings are kept.
    """

    store: Store
    runner: TaskRunner
    links: Links
    executor_name: str
    account: Account
    profiles: Profiles
    schedules: Schedules
    uploads: Uploads
    search: SearchEngine
    max_concurrent_tasks: int | None = None
    screenshots: bool = True
    recordings: bool = True
