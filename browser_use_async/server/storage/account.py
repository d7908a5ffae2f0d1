"""The account of a server, and the spending of each owner."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

from browser_use_async.api.limits import KEY_BUDGET
from browser_use_async.errors import ConfigurationError
from browser_use_async.prices import format_cents
from browser_use_async.server.errors import NoCreditError, TooManyError
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.storage.database import Database, Owned, Row
from browser_use_async.server.storage.rows import from_micro, to_micro

Charge = Callable[[Decimal], Awaitable[None]]
"""Charges an owner for something new, or refuses it."""

DEFAULT_BALANCE_CENTS = Decimal(1_000_000)
_MOST_CENTS = 10**12

_NO_CREDIT = "Insufficient credits"
TOO_MANY_TASKS = (
    "Too many concurrent active sessions. Please wait for one to finish, kill one, or "
    "upgrade your plan."
)

_CHARGE = (
    "UPDATE accounts SET balance = balance - :paid, spent = spent + :spent, tasks = tasks + :tasks "
    "WHERE owner = :owner RETURNING balance, spent, budget, tasks, concurrency"
)
_READ = (
    "SELECT payer.balance, accounts.spent, accounts.budget FROM accounts "
    "JOIN accounts AS payer ON payer.owner = :payer WHERE accounts.owner = :owner"
)


class Account(Owned):
    """A balance in US cents. Calls cost the published prices.

    A server has one account, which the owner `default` fills. Others spend from it, within their
    budgets.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, balance_cents: Decimal) -> None:
        """Create the account with some credit, unless it exists."""
        # The database stores amounts as 64-bit integers of millionths of a cent.
        if not (balance_cents.is_finite() and abs(balance_cents) <= _MOST_CENTS):
            raise ConfigurationError(
                f"balance_cents must be a number of US cents of at most {_MOST_CENTS:,}"
            )
        await open_account(self._database, self.owner, balance_cents)

    async def balance_cents(self) -> Decimal:
        """Return the remaining credit, or the rest of the owner's budget if that is less."""
        balance, spent, budget = await self._read()
        return from_micro(balance if budget is None else min(balance, budget - spent))

    async def budget_left_cents(self) -> Decimal | None:
        """Return the rest of the owner's budget, or None without a budget."""
        _balance, spent, budget = await self._read()
        return None if budget is None else from_micro(budget - spent)

    async def spend(
        self, cents: Decimal, claim: Callable[[Database], Awaitable[None]] | None = None
    ) -> None:
        """Charge for something new, or refuse it; the claim is made in the same transaction."""

        async def work(at: Database) -> None:
            if claim is not None:
                await claim(at)
            await _pay(at, self.owner, cents)

        await self._database.transact(work)

    async def owners(self) -> list[str]:
        """Return the names of all owners."""
        return list(await self.spent_cents())

    async def spent_cents(self) -> dict[str, Decimal]:
        """Return what each owner has spent since the database was made, searches included."""
        rows = await self._database.rows("SELECT owner, spent FROM accounts ORDER BY owner")
        return {owner: from_micro(spent) for owner, spent in rows}

    async def add(self, cents: Decimal) -> None:
        """Add credit to the balance."""
        values = {"paid": -to_micro(cents), "spent": 0, "tasks": 0}
        await self._database.rows(_CHARGE, owner=DEFAULT_OWNER, **values)

    async def require_credit(self, cents: Decimal) -> None:
        """Raise the refusal if the credit is not enough for something new."""
        balance, spent, budget = await self._read()
        amount = to_micro(cents)
        _check(balance, spent + amount, budget, amount)

    async def _read(self) -> tuple[int, int, int | None]:
        """Read the balance of the account, and the spending and the budget of the owner."""
        found = await self._database.first(_READ, owner=self.owner, payer=DEFAULT_OWNER)
        assert found is not None, "each owner has an account"
        balance, spent, budget = found
        return balance, spent, budget


async def open_account(at: Database, owner: str, balance_cents: Decimal = Decimal(0)) -> None:
    """Create the row of an owner, unless it exists."""
    await at.rows(
        "INSERT INTO accounts (owner, balance, tasks, expired_tasks) "
        "SELECT :owner, :balance, COALESCE(MAX(position), 0), 0 FROM tasks "
        "WHERE owner = :owner ON CONFLICT DO NOTHING",
        owner=owner,
        balance=to_micro(balance_cents),
    )


async def lock_account(at: Database, owner: str) -> None:
    """Lock the row of an owner in a transaction, so that concurrent additions are counted."""
    await at.rows(f"SELECT owner FROM accounts WHERE owner = :owner {at.lock}", owner=owner)


async def charge(at: Database, owner: str, cents: Decimal, tasks: int = 0) -> Row:
    """Charge in a transaction. A running task may finish, so the balance may fall below zero.

    Returns:
        The balance of the account, and of the owner: spent, budget, tasks and concurrency.
    """
    amount = to_micro(cents)
    paid = amount if owner == DEFAULT_OWNER else 0
    own = (await at.rows(_CHARGE, owner=owner, paid=paid, spent=amount, tasks=tasks))[0]
    if owner == DEFAULT_OWNER:
        return own
    # Lock order: owner row, then payer row; prevents deadlock.
    payer = await at.rows(_CHARGE, owner=DEFAULT_OWNER, paid=amount, spent=0, tasks=0)
    return payer[0][0], *own[1:]


async def charge_task(at: Database, owner: str, cents: Decimal, most: int | None) -> int:
    """Pay for a new task in a transaction, and return its number among those of the owner.

    Refused without credit, and at the limit of unended tasks of the owner or, with `most`, of all
    owners. These rows are hot, so a transaction locks them last.
    """
    position, concurrency = await _pay(at, owner, cents, tasks=1)
    # Counted while the row is locked: of two concurrent calls, the second counts the first.
    if concurrency is not None and await _at_work(at, "owner = :owner AND ", owner) >= concurrency:
        raise TooManyError(TOO_MANY_TASKS)
    # The row of the paying account is locked, too.
    if most is not None and await _at_work(at, "", owner) >= most:
        raise TooManyError(TOO_MANY_TASKS)
    return position


async def _at_work(at: Database, condition: str, owner: str) -> int:
    statement = f"SELECT COUNT(*) FROM tasks WHERE {condition}finished_at IS NULL"
    return int(await at.value(statement, owner=owner))


async def _pay(at: Database, owner: str, cents: Decimal, tasks: int = 0) -> tuple[int, int | None]:
    """Charge for something new; returns the number of the owner's tasks, and their limit."""
    amount = to_micro(cents)
    balance, spent, budget, position, concurrency = await charge(at, owner, cents, tasks)
    # The transaction is rolled back.
    _check(balance + amount, spent, budget, amount)
    return position, concurrency


def _check(balance: int, spent: int, budget: int | None, amount: int) -> None:
    """Refuse an amount above the credit or the budget of an owner."""
    if balance <= 0:
        raise NoCreditError(_NO_CREDIT)
    if budget is not None and spent > budget:
        before, most, more = map(from_micro, (spent - amount, budget, amount))
        raise NoCreditError(
            f"{KEY_BUDGET} is {format_cents(most)}, of which {format_cents(before)} is spent, and "
            f"this costs {format_cents(more)} to begin with; ask the operator of this server for "
            "another key with a larger budget: browser-use-async keys add"
        )
