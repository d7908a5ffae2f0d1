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
from browser_use_async.submission.creation import Stage, Submission

__all__ = ["Active", "Run"]


@attrs.define(eq=False)
class Active:
    """An item under way.

    Attributes:
        key: Its key.
        submission: What is being sent for it, if something is.
        task_id: Its task, once it exists.
        settled: Set when nothing of it is on the wire, and nothing will be.
    """

    key: str
    submission: Submission | None = None
    task_id: str | None = None
    settled: asyncio.Event = attrs.field(factory=asyncio.Event)

    @property
    def is_sending(self) -> bool:
        """Whether run-task may have created a task whose id is not known yet."""
        submission = self.submission
        return submission is not None and submission.stage in {Stage.SENDING, Stage.UNKNOWN}


@attrs.define(eq=False)
class Run:
    """One run.

    Attributes:
        service: Does the work.
        options: How.
        writer: Keeps the record.
        admission: Keeps to the budget.
        tally: Counts.
        outage: Decides when the service has been away for too long.
        on_change: Called when a count has changed.
        stopped_by: Why nothing more is submitted, or None.
        active: The items under way, by their places in the input.
    """

    service: Service
    options: BatchOptions
    writer: Writer
    admission: Admission
    tally: Tally
    outage: Outage
    on_change: Callable[[], None]
    stopped_by: StopReason | None = None
    active: dict[int, Active] = attrs.field(factory=dict)

    def stop(self, reason: StopReason) -> None:
        """Submit nothing more; the first reason counts.

        Args:
            reason: Why.
        """
        self.stopped_by = self.stopped_by or reason
