"""What a batch needs of a session."""

from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import datetime

import attrs

from browser_use_async.endpoints import TaskEndpoints
from browser_use_async.models import Balance, SessionEvent, TaskSummary
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.submission.background import Background
from browser_use_async.submission.creation import Creator

__all__ = ["Service"]


@attrs.frozen(kw_only=True)
class Service:
    """The parts of a session that a batch uses.

    Attributes:
        creator: Creates tasks and finds those whose answer was lost.
        tasks: Stops tasks and gives whole ones.
        poller: Polls them.
        background: Keeps what outlives the batch.
        get_balance: Tells what is left on the account.
        ping: Any call that costs nothing; its answer tells the service's time.
        newest_tasks: Gives all tasks created after a moment, or all there are.
        service_time: The time at the service, or None as long as it is not known.
        now: This machine's wall clock.
        emit: Tells the session's listener.
    """

    creator: Creator
    tasks: TaskEndpoints
    poller: TaskPoller
    background: Background
    get_balance: Callable[[], Awaitable[Balance]]
    ping: Callable[[], Awaitable[None]]
    newest_tasks: Callable[[datetime | None], AsyncIterable[TaskSummary]]
    service_time: Callable[[], datetime | None]
    now: Callable[[], datetime]
    emit: Callable[[SessionEvent], None]
