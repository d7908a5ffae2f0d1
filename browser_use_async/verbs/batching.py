"""The verb that runs many tasks."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, cast, overload

from browser_use_async.api import endpoint_table as table
from browser_use_async.errors import InvalidRequestError
from browser_use_async.lifecycle.create import Creator, OnAmbiguous
from browser_use_async.lifecycle.run import Background
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.transport.config import Runtime
from browser_use_async.types import RunTaskFields, SecretMapping
from browser_use_async.verbs.listing import ListVerbs

if TYPE_CHECKING:
    from decimal import Decimal

    from browser_use_async.batch.batch import Batch
    from browser_use_async.batch.inputs import BatchInput
    from browser_use_async.batch.progress import BatchProgress
    from browser_use_async.batch.state import Service

__all__ = ["BatchVerbs"]

OutputT = TypeVar("OutputT")


class BatchVerbs(ListVerbs):
    """Part of `BrowserUseSession`."""

    _creator: Creator
    _poller: TaskPoller
    _background: Background
    _world: Runtime

    @overload
    def run_many(
        self,
        requests: "BatchInput",
        *,
        concurrency: int,
        ledger: str | os.PathLike[str] | None = None,
        output_type: type[OutputT],
        budget_cents: "Decimal | float | None" = None,
        budget_strict: bool = False,
        check_balance: bool = False,
        on_progress: "Callable[[BatchProgress], None] | None" = None,
        stop_orphans: bool = False,
        on_ambiguous: OnAmbiguous = "resubmit",
        settle_window: float = 150.0,
        timeout: float | None = None,
        on_cancel: Literal["leave", "stop"] | None = None,
        outage_tolerance: float = 600.0,
        retry_dead_letters: bool = False,
        labels: Mapping[str, str] | None = None,
        **fields: Unpack[RunTaskFields],
    ) -> "Batch[OutputT]": ...

    @overload
    def run_many(
        self,
        requests: "BatchInput",
        *,
        concurrency: int,
        ledger: str | os.PathLike[str] | None = None,
        output_type: Any = None,
        budget_cents: "Decimal | float | None" = None,
        budget_strict: bool = False,
        check_balance: bool = False,
        on_progress: "Callable[[BatchProgress], None] | None" = None,
        stop_orphans: bool = False,
        on_ambiguous: OnAmbiguous = "resubmit",
        settle_window: float = 150.0,
        timeout: float | None = None,
        on_cancel: Literal["leave", "stop"] | None = None,
        outage_tolerance: float = 600.0,
        retry_dead_letters: bool = False,
        labels: Mapping[str, str] | None = None,
        **fields: Unpack[RunTaskFields],
    ) -> "Batch[Any]": ...

    def run_many(
        self,
        requests: "BatchInput",
        *,
        concurrency: int,
        ledger: str | os.PathLike[str] | None = None,
        output_type: Any = None,
        budget_cents: "Decimal | float | None" = None,
        budget_strict: bool = False,
        check_balance: bool = False,
        on_progress: "Callable[[BatchProgress], None] | None" = None,
        stop_orphans: bool = False,
        on_ambiguous: OnAmbiguous = "resubmit",
        settle_window: float = 150.0,
        timeout: float | None = None,
        on_cancel: Literal["leave", "stop"] | None = None,
        outage_tolerance: float = 600.0,
        retry_dead_letters: bool = False,
        labels: Mapping[str, str] | None = None,
        **fields: Unpack[RunTaskFields],
    ) -> "Batch[Any]":
        """Create a task for each item, and give each result as it comes. Costs money.

        Needs an active subscription on the hosted service. API pages: Run Task, List Tasks.

        With a `ledger` the batch survives the end of the program at any moment: run it again with
        the same ledger, and it neither loses nor repeats an item, provided that the service
        creates and lists a task within `settle_window`. Items that came to their end before are
        given again, as `restored` ones. Without a ledger it holds nothing beyond this run.

        Args:
            requests: Any iterable or async iterable of texts, requests, `(key, request)` pairs or
                `BatchItem`s; read lazily. An item without a key is known by its content, so the
                same content twice is one task. What a key stands for must not change.
            concurrency: The most items under way at once. While the service says that too many
                tasks run, fewer are, and more again afterwards.
            ledger: The path of the ledger, an SQLite file that is created if need be. Requests
                are not kept in it, only a digest, and of secrets only their names.
            output_type: As of `run_and_wait`; each result's `parsed` is of that type.
            budget_cents: What all runs of the batch may cost together, in US cents, by the
                published prices. A task starts if what was spent, what is reserved for the tasks
                under way and its own cost fit. Reserved is what a task can cost at most: all the
                steps that it may take (`max_agent_steps`, 75 by default), and once 19 tasks have
                ended the steps that 95 % of the latest took. So a batch starts with few tasks at
                once and grows, unless all that may run could take their maximum. If not even one
                maximum fits, tasks run one at a time. When nothing runs and the next task does
                not fit, nothing more is submitted: `progress` has `left_out` and `next_cents`.
                Run again with more to go on. The budget is exceeded by what tasks under way take
                beyond what is reserved for them: measured with tasks of 3 to 75 steps, by less
                than a tenth. The worst case, when many short tasks are followed by long ones, is
                twice the budget; or, if that is more, the budget and the maximum of one task.
                A lower `max_agent_steps` makes a batch with a tight budget faster.
            budget_strict: Whether to reserve each task's maximum and nothing less, so that the
                budget is never exceeded, by the published prices and provided that each item gets
                one task. Fewer tasks run at once. A budget that is too small for the maximum of
                any task is refused.
            check_balance: Whether the account's balance bounds the budget; asked once.
            on_progress: Called with a `BatchProgress` at each change; must not block.
            stop_orphans: Whether a second task of an item is stopped, which can only exist if the
                service created one after the settle window. Found ones are in the batch's
                `orphans` in any case.
            on_ambiguous: What to do when an answer is lost: "resubmit" looks for the task for
                `settle_window` seconds and sends again; "reconcile" looks, and gives a
                `SubmissionUnknownError` as the item's error; "raise" does so at once.
            settle_window: Seconds after which a task that did not appear never will.
            timeout: Seconds for which each task is waited for, or None for `PollPolicy.max_wait`.
                Its result has a `WaitTimeoutError` then; the task lives on.
            on_cancel: What becomes of running tasks when the iteration is left or cancelled:
                "leave" or "stop". By default they are left with a ledger, which knows them, and
                stopped without one; that takes up to 5 seconds.
            outage_tolerance: Seconds for which nothing can be created or looked up before the
                batch ends with the error of the last call.
            retry_dead_letters: Whether items that were refused in an earlier run are tried again.
            labels: What you want to read about the batch in its ledger: texts by name, no secrets.
            fields: Fields of every request that does not give them itself.

        Returns:
            The batch: iterate over it with `async for`, or await its `collect()` for all results
            in the order of the input. It has `progress`, `drain()`, `aclose()` and `orphans`.

        Raises:
            InvalidRequestError: An argument was refused, or a strict budget is too small for any
                task; nothing was sent. For a lazy input, and if the account's balance bounds the
                budget, the latter is raised while iterating.
            LedgerLockedError: While iterating: somebody else is using the ledger.
            LedgerMismatchError: While iterating: a key stands for something else than before.
            LedgerError: While iterating: the ledger cannot be opened, read or written.
            BatchInputError: While iterating: the input raised an exception.
            BrowserUseError: While iterating: what is true of every item, such as a wrong key, or
                an outage of more than `outage_tolerance`.
        """
        # Loaded by those who run batches.
        from browser_use_async.batch.batch import Batch  # noqa: PLC0415
        from browser_use_async.batch.ledger.file import open_ledger, open_scratch  # noqa: PLC0415
        from browser_use_async.batch.ledger.writer import start_writer  # noqa: PLC0415
        from browser_use_async.batch.options import BatchOptions, budget_in_cents  # noqa: PLC0415

        self._transport.bind()
        options = BatchOptions(
            concurrency=concurrency,
            output_type=output_type,
            budget_cents=budget_in_cents(budget_cents),
            budget_strict=budget_strict,
            check_balance=check_balance,
            stop_orphans=stop_orphans,
            on_ambiguous=on_ambiguous,
            settle_window=settle_window,
            timeout=timeout,
            on_cancel=on_cancel or ("stop" if ledger is None else "leave"),
            outage_tolerance=outage_tolerance,
            retry_dead_letters=retry_dead_letters,
            labels={} if labels is None else dict(labels),
            is_recorded=ledger is not None,
        )
        start = self._world.start_writer or start_writer
        return Batch(
            self._batch_service(),
            requests,
            _shared_fields(fields, output_type),
            options,
            partial(start, open_scratch if ledger is None else partial(open_ledger, ledger)),
            on_progress,
            self._world.rng,
        )

    def _batch_service(self) -> "Service":
        from browser_use_async.batch.state import Service  # noqa: PLC0415

        return Service(
            creator=self._creator,
            tasks=self.tasks,
            poller=self._poller,
            background=self._background,
            get_balance=self.account.get_balance,
            ping=lambda: self._transport.call(table.PING),
            newest_tasks=lambda since: self.iterate_all_tasks(created_after=since),
            service_time=self._transport.server_clock.now,
            now=self._world.now,
            emit=self._transport.emit,
        )


def _shared_fields(fields: RunTaskFields, output_type: Any) -> dict[str, Any]:
    shared = cast("dict[str, Any]", dict(fields))
    cast("dict[str, Any]", fields).clear()  # tracebacks with locals show secrets
    if isinstance(shared.get("secrets"), Mapping):
        shared["secrets"] = SecretMapping(shared["secrets"])
    if output_type is None:
        return shared
    from browser_use_async.structured_output.schema import output_schema  # noqa: PLC0415

    if "structured_output_json" in shared:
        shared.clear()
        raise InvalidRequestError(
            "pass either output_type or structured_output_json, not both; nothing was sent",
            field="output_type",
        )
    shared["structured_output_json"] = output_schema(output_type)
    return shared
