"""Budgets: scopes that limit the cost of everything that is started inside, in US cents."""

# Reservations are made before the paying calls of a session, and costs are settled after them.

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, Self
from weakref import WeakKeyDictionary, WeakValueDictionary

import attrs

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.endpoint_table import Endpoint
from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.errors import BrowserUseError, BudgetExceededError, InvalidRequestError
from browser_use_async.lifecycle.create import Submission, SubmissionState
from browser_use_async.logs import LOGGER
from browser_use_async.money.amounts import BudgetAmounts, TaskPrice
from browser_use_async.observing.observers import CreationEnded, Observers, SearchEnded, TaskEnded
from browser_use_async.prices import format_cents, search_url_cents, simple_search_cents
from browser_use_async.types import UNSET, Task

FRESH_SECONDS = 2.0  # between two calls for the same running task


@attrs.define(eq=False)
class Charge:
    """The reservation of a paying call in each budget around it, until its cost is known."""

    budgets: tuple["Budget", ...]  # from the innermost to the outermost
    cents: Decimal  # what is reserved: the most that it can cost
    price: TaskPrice | None = None  # of a task; None for a search, which costs what is reserved
    task_id: str | None = None  # None until it is known
    seen_at: float | None = None  # the loop time of the last call for the task
    lost: Submission | None = None  # whose answer was lost, so that its task may exist
    lost_at: float = 0.0  # the loop time of that
    # Reserved in addition to `cents`, for earlier requests of a submission that was sent again. It
    # stays as long as the budgets live, since each request may still create a task.
    doubted_cents: Decimal = Decimal(0)

    def settle(self, cents: Decimal) -> None:
        """Replace the reservation by the cost."""
        # Once only: a wait and a stream may both see the end of a task.
        for budget in self.budgets:
            if self in budget.charges:
                del budget.charges[self]
                budget.settle(self.cents, cents)

    def release(self) -> None:
        """Release the whole reservation: nothing was created."""
        for budget in self.budgets:
            if self in budget.charges:
                budget.release(self.doubted_cents)
        self.settle(Decimal(0))

    def is_lost_for_good(self, now: float) -> bool:
        """Whether its task would have appeared by now, and it is not sent again."""
        lost = self.lost
        if lost is None or lost.token is None or lost.may_resend:
            return False
        return now >= self.lost_at + lost.token.settle_window


class Budget(BudgetAmounts):
    """A limit for all that is started inside of `async with`. `session.budget` makes it.

    It applies to the tasks and searches of its session that are started inside, also by asyncio
    tasks that were started inside. Budgets nest: what is started inside counts in each of them.
    The same budget can be entered again, also by several asyncio tasks at once.

    Before a call is sent, the most that it can cost by the published prices is reserved: for a task
    its start and all the steps that it may take. When the session has seen the end of the task, in
    a wait, a stream or `session.tasks.get`, its real cost replaces the reservation.

    Attributes:
        limit_cents: The limit, in US cents.
        spent_cents: What has been spent, in US cents.
        reserved_cents: What is reserved for tasks that may still run, in US cents.
        remaining_cents: What is neither spent nor reserved, in US cents.
    """

    def __init__(self, limit: Decimal, paid_calls: "PaidCalls") -> None:
        super().__init__(limit)
        self._paid_calls = paid_calls
        self.charges: dict[Charge, None] = {}  # not settled, oldest first
        self._looking = asyncio.Lock()

    async def refresh(self) -> None:
        """Fetch each task whose end was not seen, in one call for each. Free.

        Also searches for the tasks of submissions whose answers were lost, once their settle window
        has passed: a submission without a task releases its reservation. The session calls this
        itself before it refuses a call. Tasks that were fetched in the last two seconds, and those
        that cannot be fetched now, are left out.
        """
        # One after the other: the second caller finds current figures, and sends nothing.
        async with self._looking:
            now = asyncio.get_running_loop().time()
            stale = [
                each
                for each in self.charges
                if (each.task_id is not None or each.is_lost_for_good(now))
                and (each.seen_at is None or now - each.seen_at >= FRESH_SECONDS)
            ]
            for each in stale:
                each.seen_at = now
            try:
                await asyncio.gather(*(self._paid_calls.look(each) for each in stale))
            except BaseException:
                # Cancelled with this call: the next one fetches again.
                for each in stale:
                    each.seen_at = None
                raise

    async def __aenter__(self) -> Self:
        _ENTERED.set((self, *_ENTERED.get()))
        return self

    async def __aexit__(self, *_error: object) -> None:
        # Not by a context variable's token: several asyncio tasks may be inside at once.
        if not (entered := _ENTERED.get()):
            raise InvalidRequestError(
                "this budget was left in another asyncio task than it was entered in, so it did "
                "not bound what this one started; enter and leave it in the same asyncio task",
                field="budget",
            )
        _ENTERED.set(entered[1:])

    def __repr__(self) -> str:
        limit, spent, reserved, _ = self._amounts()
        return f"<Budget of {limit}: {spent} spent, {reserved} reserved>"

    def _repr_html_(self) -> str:
        """The HTML for notebooks: its amounts in dollars."""
        from browser_use_async.types.notebook import table  # noqa: PLC0415

        names = ("limit", "spent", "reserved", "remaining")
        return table("Budget", zip(names, self._amounts(), strict=True))

    # --- of the session -------------------------------------------------------------------

    def bounds(self, paid_calls: "PaidCalls") -> bool:
        """Whether it applies to what a session spends."""
        return self._paid_calls is paid_calls

    def refusal(self, what: str, charge: Charge) -> BudgetExceededError:
        """The error of a call that may cost more than remains."""
        terms = ""
        if charge.price is not None:
            step = format_cents(charge.price.step_cents)
            terms = f" (its start and {charge.price.max_steps} steps of {step})"
        limit, spent, reserved, remaining = self._amounts()
        return BudgetExceededError(
            f"{what} may cost up to {format_cents(charge.cents)}{terms}, and {remaining} of the "
            f"budget of {limit} remain: {spent} are spent and {reserved} reserved for tasks "
            f"that may still run; nothing was sent. {self._advice(charge)}",
            needed_cents=charge.cents,
            limit_cents=self.limit_cents,
            spent_cents=self.spent_cents,
            reserved_cents=self.reserved_cents,
        )

    def _amounts(self) -> list[str]:
        amounts = (self.limit_cents, self.spent_cents, self.reserved_cents, self.remaining_cents)
        return [format_cents(max(each, Decimal(0))) for each in amounts]

    def _advice(self, charge: Charge) -> str:
        waiting = "Wait for tasks to end, or give" if self.charges else "Give"
        lower = "" if charge.price is None else ", or lower max_agent_steps"
        return f"{waiting} a larger budget{lower}"


# The budgets around the running code, from the innermost.
_ENTERED: ContextVar[tuple[Budget, ...]] = ContextVar("browser_use_async.budget", default=())


class PaidCalls:
    """The charges of one session: reserved before its paying calls, and settled after them."""

    def __init__(
        self,
        observers: Observers,
        get_task: Callable[[str], Awaitable[Task]],
        find_task: Callable[[SubmissionToken], Awaitable[str | None]],
    ) -> None:
        self._get_task = get_task
        self._find_task = find_task
        # Weak: what was not seen to end is of no interest once its budgets are gone.
        charges = WeakValueDictionary[str, Charge]
        self._under_way = WeakKeyDictionary[object, Charge]()  # by the subject of the call
        self._running = charges()  # by the id of the task
        self._lost = charges()  # by the mark of a submission whose answer was lost
        # First: a call that is refused must leave nothing behind elsewhere.
        observers.admissions.insert(0, self._admit)
        observers.add(
            {
                CreationEnded: self._creation_ended,
                SearchEnded: self._search_ended,
                TaskEnded: self._task_ended,
            },
            name="a budget",
        )

    # --- before a paying call -----------------------------------------------------------------

    async def _admit(self, endpoint: Endpoint, body: Any, about: object) -> Any:
        """Reserve for a call, or for one more request of the same submission."""
        token = about.token if isinstance(about, Submission) else None
        mark = "" if token is None else token.mark
        # By a batch, which sends again by itself, its charge is found by the mark.
        charge = self._under_way.get(about) or self._lost.get(mark)
        if charge is None:
            charge = await self._reserve(endpoint, body)
        else:
            await self._reserve_again(charge)
            self._lost.pop(mark, None)
        self._under_way[about] = charge
        return body

    async def _reserve(self, endpoint: Endpoint, body: Any) -> Charge:
        """Reserve what a call can cost at most in each budget around it, or refuse the call."""
        # Each once, though it may have been entered again.
        budgets = tuple(each for each in dict.fromkeys(_ENTERED.get()) if each.bounds(self))
        charge = Charge(budgets, *_maximum(endpoint, body, is_bounded=bool(budgets)))
        await self._find_room(endpoint, charge)
        for budget in budgets:
            budget.charges[charge] = None
            budget.reserve(charge.cents)
        return charge

    async def _reserve_again(self, charge: Charge) -> None:
        """Reserve for one more request of a submission, or refuse it."""
        await self._find_room(table.RUN_TASK, charge)
        for budget in charge.budgets:
            budget.reserve(charge.cents)
        charge.doubted_cents += charge.cents

    async def _find_room(self, endpoint: Endpoint, charge: Charge) -> None:
        """Refuse what does not fit; else the caller reserves it before awaiting anything."""
        for budget in charge.budgets:
            if not budget.admits(charge.cents):
                await budget.refresh()
        # Without awaiting in between: what fits here is reserved before others can take it.
        for budget in charge.budgets:
            if not budget.admits(charge.cents):
                raise budget.refusal(endpoint.call, charge)

    # --- what became of them ------------------------------------------------------------------

    def _creation_ended(self, ended: CreationEnded, about: object) -> None:
        charge = self._under_way.pop(about, None)
        if charge is None:  # it was refused, or begun before the first budget
            return
        if ended.is_joined:
            charge.release()
        elif ended.task_id is not None:
            self._record_task(charge, ended.task_id)
        elif ended.is_created:
            charge.settle(charge.cents)
        elif not ended.may_exist:
            charge.release()
        elif isinstance(about, Submission):
            self._record_loss(charge, about)

    def _search_ended(self, ended: SearchEnded, _about: object) -> None:
        charge = self._lost.pop(ended.mark, None)
        if charge is not None and ended.task_id is None:
            charge.release()
        elif charge is not None and ended.task_id is not None:
            self._record_task(charge, ended.task_id)

    def _task_ended(self, ended: TaskEnded, _about: object) -> None:
        charge = self._running.pop(ended.task.id, None)
        if charge is not None and charge.price is not None:
            charge.settle(charge.price.cost(ended.task))

    def _record_task(self, charge: Charge, task_id: str) -> None:
        if charge.budgets:
            charge.task_id, charge.lost = task_id, None
            self._running[task_id] = charge

    def _record_loss(self, charge: Charge, submission: Submission) -> None:
        # An answer that was lost keeps its reservation: the task may exist.
        if submission.token is not None and charge.budgets:
            lost_at = submission.lost_at
            if lost_at is None or submission.state is SubmissionState.SENDING:
                lost_at = asyncio.get_running_loop().time()  # it is cut off now
            charge.lost, charge.lost_at = submission, lost_at
            self._lost[submission.token.mark] = charge

    async def look(self, charge: Charge) -> None:
        """Ask for a task that may have ended, and before that for its id, if that is not known."""
        lost = charge.lost
        try:
            if lost is not None and lost.token is not None:
                found = await self._find_task(lost.token)
                self._search_ended(SearchEnded(lost.token.mark, found), lost)
            if charge.task_id is not None:
                await self._get_task(charge.task_id)  # whose answer comes to `_task_ended`
        except BrowserUseError as error:
            LOGGER.debug("what became of %s is not known: %s", charge.task_id or "a task", error)


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
            "a schedule starts tasks without an end, so no budget can bound it: create it outside "
            "of session.budget(...); nothing was sent",
            field="budget",
        )
    return Decimal(0), None  # browser profiles are free


# What the price of a search is made of.
_PARTS = ("max_websites", "depth")
