"""The account that pays for the tasks of one owner: its plan and its credit."""

from decimal import Decimal
from typing import Literal

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.responses import RefusalError
from browser_use_async.server.storage.database import DEFAULT_OWNER, Database
from browser_use_async.server.storage.values import from_micro, to_micro

Plan = Literal["subscription", "pay_as_you_go"]

DEFAULT_BALANCE_CENTS = Decimal(1_000_000)

_NO_CREDIT = "Insufficient credits"


class Account:
    """A plan and a balance in US cents. Spending is by the published prices."""

    def __init__(self, database: Database, plan: Plan, owner: str = DEFAULT_OWNER) -> None:
        if plan not in {"subscription", "pay_as_you_go"}:
            raise ConfigurationError(
                f"plan must be 'subscription' or 'pay_as_you_go', not {plan!r}"
            )
        self.plan = plan
        self._database = database
        self._owner = owner

    async def open(self, balance_cents: Decimal) -> None:
        """Begin with some credit, unless the account has been opened before."""
        if not balance_cents.is_finite():
            raise ConfigurationError("balance_cents must be a number of US cents")
        await self._database.rows(
            "INSERT INTO accounts (owner, balance, tasks, expired_tasks) "
            "SELECT :owner, :balance, COALESCE(MAX(position), 0), 0 FROM tasks "
            "WHERE owner = :owner ON CONFLICT DO NOTHING",
            owner=self._owner,
            balance=to_micro(balance_cents),
        )

    async def balance_cents(self) -> Decimal:
        """The credit that is left."""
        statement = "SELECT balance FROM accounts WHERE owner = :owner"
        return from_micro((await self._database.rows(statement, owner=self._owner))[0][0])

    async def spend(self, cents: Decimal) -> None:
        """Pay for something new.

        Raises:
            RefusalError: The balance is zero or less.
        """
        paid = await self._database.rows(
            "UPDATE accounts SET balance = balance - :amount WHERE owner = :owner AND balance > 0 "
            "RETURNING balance",
            owner=self._owner,
            amount=to_micro(cents),
        )
        if not paid:
            raise RefusalError(402, _NO_CREDIT)

    async def add(self, cents: Decimal) -> None:
        """Buy credit."""
        await charge(self._database, self._owner, -cents)

    async def require_credit(self) -> None:
        """Refuse something new while there is nothing to pay it with.

        Raises:
            RefusalError: The balance is zero or less.
        """
        if await self.balance_cents() <= 0:
            raise RefusalError(402, _NO_CREDIT)

    def require_subscription(self, what: str) -> None:
        """Refuse what only a subscription includes.

        Raises:
            RefusalError: The plan is pay-as-you-go.
        """
        if self.plan != "subscription":
            raise RefusalError(403, f"{what} requires an active subscription")


async def charge(at: Database, owner: str, cents: Decimal) -> None:
    """Spend in a transaction. What has begun may end, so the balance may fall below zero."""
    await at.rows(
        "UPDATE accounts SET balance = balance - :amount WHERE owner = :owner",
        owner=owner,
        amount=to_micro(cents),
    )


async def charge_task(at: Database, owner: str, cents: Decimal) -> int:
    """Pay for a new task in a transaction, and return its number among those of the owner.

    Every task of an owner waits for this row: whoever takes it takes it last.

    Raises:
        RefusalError: The balance is zero or less.
    """
    paid = await at.rows(
        "UPDATE accounts SET balance = balance - :amount, tasks = tasks + 1 "
        "WHERE owner = :owner AND balance > 0 RETURNING tasks",
        owner=owner,
        amount=to_micro(cents),
    )
    if not paid:
        raise RefusalError(402, _NO_CREDIT)
    position: int = paid[0][0]
    return position
