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
    """The parts of one running server."""

    store: Store  # what it remembers
    runner: TaskRunner  # the tasks at work
    links: Links  # addresses on this server
    executor_name: str  # what carries out the tasks
    account: Account  # who pays
    profiles: Profiles  # the browser profiles
    schedules: Schedules  # what runs again and again
    uploads: Uploads  # files for tasks to read
    search: SearchEngine  # reads websites for queries
    # How many tasks may be at work at once, or None for any number
    max_concurrent_tasks: int | None = None
    screenshots: bool = True  # whether pictures of the steps are kept
    recordings: bool = True  # whether recordings are kept
