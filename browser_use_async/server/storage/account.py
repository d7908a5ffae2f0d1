"""The account that pays for the tasks of one server: its plan and its credit."""

from decimal import Decimal
from typing import Literal

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.responses import RefusalError
from browser_use_async.server.storage.keeper import Keeper

Plan = Literal["subscription", "pay_as_you_go"]

DEFAULT_BALANCE_CENTS = Decimal(1_000_000)
_KIND, _KEY = "account", "account"


class Account:
    """A plan and a balance in US cents. Spending is by the published prices."""

    def __init__(self, plan: Plan, balance_cents: Decimal, keeper: Keeper) -> None:
        if plan not in {"subscription", "pay_as_you_go"}:
            raise ConfigurationError(
                f"plan must be 'subscription' or 'pay_as_you_go', not {plan!r}"
            )
        if not balance_cents.is_finite():
            raise ConfigurationError("balance_cents must be a number of US cents")
        self.plan = plan
        self.balance_cents = balance_cents
        self._keeper = keeper
        for _key, document in keeper.documents(_KIND):
            self.balance_cents = Decimal(document["balance_cents"])

    def charge(self, cents: Decimal) -> None:
        """Spend. What has begun may end, so the balance may fall below zero."""
        self._set(self.balance_cents - cents)

    def add(self, cents: Decimal) -> None:
        """Buy credit."""
        self._set(self.balance_cents + cents)

    def require_credit(self) -> None:
        """Refuse something new while there is nothing to pay it with.

        Raises:
            RefusalError: The balance is zero or less.
        """
        if self.balance_cents <= 0:
            raise RefusalError(402, "Insufficient credits")

    def require_subscription(self, what: str) -> None:
        """Refuse what only a subscription includes.

        Raises:
            RefusalError: The plan is pay-as-you-go.
        """
        if self.plan != "subscription":
            raise RefusalError(403, f"{what} requires an active subscription")

    def _set(self, cents: Decimal) -> None:
        self.balance_cents = cents
        self._keeper.keep(_KIND, _KEY, {"balance_cents": str(cents)})
