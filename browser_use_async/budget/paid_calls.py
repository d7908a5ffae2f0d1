"""What a session spends within budgets: reservations before its paying calls, costs after them."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.endpoint_table import Endpoint
from browser_use_async.batch.estimates import TaskPrice
from browser_use_async.budget.budget import Charge, entered_budgets
from browser_use_async.errors import BrowserUseError, InvalidRequestError
from browser_use_async.lifecycle.create import Submission, SubmissionState
from browser_use_async.logs import LOGGER
from browser_use_async.prices import search_url_cents, simple_search_cents
from browser_use_async.transport.client import Transport
from browser_use_async.transport.request import prepare
from browser_use_async.transport.response import OutcomeKind
from browser_use_async.types import UNSET, Task


class PaidCalls:
    """The charges of one session: it makes its paying calls, within the budgets around them."""

    def __init__(self, transport: Transport, get_task: Callable[[str], Awaitable[Task]]) -> None:
        self._transport = transport
        self._get_task = get_task
        self._running: dict[str, Charge] = {}  # by the id of the task
        self._lost: dict[str, Charge] = {}  # by the mark of a submission whose answer was lost

    # --- paying calls -----------------------------------------------------------------------

    async def call(self, endpoint: Endpoint, body: Any) -> Any:
        """Make a paying call of the thin layer, in one request unless provably nothing was sent."""
        prepared = prepare(endpoint, None, body)
        charge = await self._reserve(endpoint, body)
        is_sent = False

        def on_sent() -> None:
            nonlocal is_sent
            is_sent = True

        prepared.on_sent = on_sent
        try:
            outcome, attempts = await self._transport.outcome_of(prepared)
        except BaseException:
            # What was sent may have been carried out, and stays reserved.
            if not is_sent:
                charge.release()
            raise
        if outcome.kind is OutcomeKind.ACCEPTED:
            self._record_accepted(charge, outcome.value)
            return outcome.value
        if outcome.kind is not OutcomeKind.AMBIGUOUS:
            charge.release()
        raise self._transport.error_of(prepared, outcome, attempts)

    async def create(
        self, submission: Submission, create: Callable[[Submission], Awaitable[str]]
    ) -> str:
        """Create the task of a submission, paying once."""
        charge = await self._reserve(table.RUN_TASK, submission.request)
        try:
            task_id = await create(submission)
        except BaseException:
            self._record_failure(charge, submission)
            raise
        self._record_task(charge, task_id)
        return task_id

    async def _reserve(self, endpoint: Endpoint, body: Any) -> Charge:
        """Reserve what a call can cost at most in each budget around it, or refuse the call."""
        budgets = tuple(each for each in entered_budgets() if each.bounds(self))
        charge = Charge(budgets, *_maximum(endpoint, body, is_bounded=bool(budgets)))
        for budget in budgets:
            if charge.cents > budget.remaining:
                await budget.refresh()
        # Without awaiting in between: what fits here is reserved before others can take it.
        for budget in budgets:
            if charge.cents > budget.remaining:
                raise budget.refusal(f"{endpoint.method} {endpoint.path}", charge)
        for budget in budgets:
            budget.reserve(charge)
        return charge

    # --- what became of them ------------------------------------------------------------------

    def record_answer(self, task: Task) -> None:
        """Settle with a task that the service told about, if it has ended."""
        if task.has_ended and (charge := self._running.pop(task.id, None)) is not None:
            charge.settle_with(task)

    def record_found(self, mark: str, task_id: str | None) -> None:
        """Record what became of a submission whose answer was lost: its task, or none."""
        charge = self._lost.pop(mark, None)
        if charge is not None and task_id is None:
            charge.release()
        elif charge is not None and task_id is not None:
            self._record_task(charge, task_id)

    def _record_accepted(self, charge: Charge, answer: Any) -> None:
        if charge.price is None:
            charge.settle(charge.cents)
        else:
            self._record_task(charge, answer.id)

    def _record_task(self, charge: Charge, task_id: str) -> None:
        if charge.budgets:
            charge.task_id = task_id
            self._running[task_id] = charge

    def _record_failure(self, charge: Charge, submission: Submission) -> None:
        # An answer that was lost keeps its reservation: the task may exist.
        if submission.state is SubmissionState.UNSENT and submission.lost_at is None:
            charge.release()
        elif submission.token is not None and charge.budgets:
            self._lost[submission.token.mark] = charge

    async def look(self, task_id: str) -> None:
        """Ask for a task that may have ended."""
        try:
            await self._get_task(task_id)  # whose answer comes to `record_answer`
        except BrowserUseError as error:
            LOGGER.debug("whether task %s has ended is not known: %s", task_id, error)


def _maximum(
    endpoint: Endpoint, body: Any, *, is_bounded: bool
) -> tuple[Decimal, TaskPrice | None]:
    """The most that a call can cost, and the price of its task, if it creates one."""
    if endpoint is table.RUN_TASK:
        price = TaskPrice.of(body)
        return price.maximum_cents, price
    given = {name: value for name in _PARTS if (value := getattr(body, name, UNSET)) is not UNSET}
    if endpoint is table.SIMPLE_SEARCH:
        return simple_search_cents(**given), None
    if endpoint is table.SEARCH_URL:
        return search_url_cents(**given), None
    if endpoint is table.CREATE_SCHEDULED_TASK and is_bounded:
        raise InvalidRequestError(
            "a schedule starts tasks for as long as it is active, so that no budget bounds it: "
            "create it outside of session.budget(...); nothing was sent",
            field="budget",
        )
    return Decimal(0), None  # browser profiles are free


_PARTS = ("max_websites", "depth")
"""What the price of a search is made of."""
