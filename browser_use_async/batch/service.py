"""What a batch needs of a session."""

from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import datetime

import attrs

from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.events import SessionEvent
from browser_use_async.lifecycle.create import Creator
from browser_use_async.lifecycle.run import Background
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.types import Balance, TaskSummary

__all__ = ["Service"]


@attrs.frozen(kw_only=True)
class Service:
    """The parts of a session that a batch uses."""

    creator: Creator  # creates tasks and finds those whose answer was lost
    tasks: TaskEndpoints  # stops tasks and gives whole ones
    poller: TaskPoller  # polls them
    background: Background  # keeps what outlives the batch
    get_balance: Callable[[], Awaitable[Balance]]  # tells what is left on the account
    # Any call that costs nothing; its answer tells the service's time
    ping: Callable[[], Awaitable[None]]
    # Gives all tasks created after a moment, or all there are
    newest_tasks: Callable[[datetime | None], AsyncIterable[TaskSummary]]
    # The time at the service, or None as long as it is not known
    service_time: Callable[[], datetime | None]
    now: Callable[[], datetime]  # this machine's wall clock
    emit: Callable[[SessionEvent], None]  # tells the session's listener
