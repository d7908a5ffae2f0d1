"""What the items of one run of a batch share."""

import asyncio
from collections.abc import Callable

import attrs

from browser_use_async.batch.admission import Admission
from browser_use_async.batch.ledger.writer import Writer
from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.outage import Outage
from browser_use_async.batch.service import Service
from browser_use_async.batch.states import StopReason
from browser_use_async.batch.tally import Tally
from browser_use_async.lifecycle.create import Stage, Submission

__all__ = ["Active", "Run"]


@attrs.define(eq=False)
class Active:
    """An item under way."""

    key: str
    submission: Submission | None = None  # what is being sent for it, if something is
    task_id: str | None = None  # its task, once it exists
    # Set when nothing of it is on the wire, and nothing will be
    settled: asyncio.Event = attrs.field(factory=asyncio.Event)

    @property
    def is_sending(self) -> bool:
        """Whether run-task may have created a task whose id is not known yet."""
        submission = self.submission
        return submission is not None and submission.stage in {Stage.SENDING, Stage.UNKNOWN}


@attrs.define(eq=False)
class Run:
    """One run."""

    service: Service  # does the work
    options: BatchOptions  # how
    writer: Writer  # keeps the record
    admission: Admission  # keeps to the budget
    tally: Tally  # counts
    outage: Outage  # decides when the service has been away for too long
    on_change: Callable[[], None]  # called when a count has changed
    stopped_by: StopReason | None = None  # why nothing more is submitted, or None
    # The items under way, by their places in the input
    active: dict[int, Active] = attrs.field(factory=dict)

    def stop(self, reason: StopReason) -> None:
        """Submit nothing more; the first reason counts."""
        self.stopped_by = self.stopped_by or reason
