"""Says what the rest of a batch will cost, and how long it will take, by means. No I/O."""

from decimal import Decimal

import attrs

from browser_use_async.money.amounts import plain_amounts
from browser_use_async.prices import format_cents

LEAST_ENDS = 30


@attrs.frozen(kw_only=True, field_transformer=plain_amounts)
class Forecast:
    """About what the rest of a batch costs and takes, if it is like the items that have ended.

    Attributes:
        items: How many items have not ended.
        ends: From how many ended items it was made.
        cents: What the rest costs at their mean cost, in US cents.
        seconds: How long it takes at their pace, in seconds; None if that is unknown.
        budget_left_cents: What is left of the budget for the rest, in US cents, or None.
    """

    items: int
    ends: int
    cents: Decimal
    seconds: float | None
    budget_left_cents: Decimal | None = None

    @classmethod
    def of(
        cls,
        items: int,
        ends: int,
        spent_cents: Decimal,
        seconds: float | None,
        budget_left_cents: Decimal | None,
    ) -> "Forecast | None":
        """The forecast for so many items, from what the ended ones cost; None if these are few."""
        if ends < LEAST_ENDS:
            return None
        return cls(
            items=items,
            ends=ends,
            cents=Decimal(f"{spent_cents / ends * items:.1f}"),
            seconds=seconds,
            budget_left_cents=budget_left_cents,
        )

    @property
    def exceeds_budget(self) -> bool:
        """Whether the budget likely ends the batch before its last item."""
        return self.budget_left_cents is not None and self.cents > self.budget_left_cents

    def __str__(self) -> str:
        if not self.items:
            return "nothing is left"
        time = "" if self.seconds is None else f", about {_time(self.seconds)}"
        text = f"about {format_cents(self.cents)} more{time}, from {self.ends:,} ends"
        if self.exceeds_budget:
            left = format_cents(self.budget_left_cents or 0)
            text += f"; the budget ends it earlier: {left} are left"
        return text


def _time(seconds: float) -> str:
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"
