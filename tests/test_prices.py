"""The specification's seven price examples, and the published prices of tasks."""

from decimal import Decimal

import pytest

from browser_use_async import prices
from browser_use_async.batch import BatchProgress, BatchResult, ItemState
from browser_use_async.types import Balance, LlmModel


@pytest.mark.parametrize(("depth", "max_websites", "cents"), [(2, 5, 10), (2, 3, 6), (3, 2, 6)])
def test_simple_search(depth, max_websites, cents):
    """1 cent x depth x max_websites."""
    assert prices.simple_search_cents(max_websites, depth) == cents


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_search_url(depth):
    """1 cent x depth."""
    assert prices.search_url_cents(depth) == depth


def test_defaults_are_those_of_the_calls():
    """The cost of a call without options."""
    assert prices.simple_search_cents() == 10
    assert prices.search_url_cents() == 2


@pytest.mark.parametrize(
    ("model", "cents"),
    [("gpt-4.1", "26"), ("o3", "11"), ("gemini-2.5-flash", "8.5"), ("gpt-4o", "31"), ("new", "31")],
)
def test_a_task_of_ten_steps(model, cents):
    """A start and its steps; a model without a published price costs as the most expensive."""
    assert prices.task_cents(10, model) == Decimal(cents)


def test_every_price_is_of_a_published_model():
    """No price is for a model that the service never named."""
    assert set(prices.STEP_CENTS) <= set(LlmModel)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (Decimal(0), "$0.00"),
        (5, "$0.05"),
        (Decimal("3.50"), "$0.035"),
        (Decimal("99.75"), "$0.9975"),
        (Decimal("-3.5"), "-$0.035"),
        (Decimal(100), "$1.00"),
        (Decimal("188.5"), "$1.89"),
        (Decimal("999999.5"), "$10,000.00"),
        (Decimal(123456), "$1,234.56"),
    ],
)
def test_amounts_for_people(amount, words):
    """Dollars: with fractions of a cent below a dollar, rounded to cents from a dollar on."""
    assert prices.format_cents(amount) == words


def test_a_repr_has_plain_numbers():
    """Amounts of balances, results and forecasts are numbers of cents in their reprs."""
    shown = [
        repr(Balance(cents=Decimal("995023.50"))),
        repr(BatchResult[str](index=0, key="a", state=ItemState.DONE, cost_cents=Decimal("3.5"))),
        repr(BatchProgress(cost_cents=Decimal(100), budget_cents=None)),
    ]

    assert shown[0] == "Balance(cents=995023.5)"
    assert Balance(cents=Decimal("3.5")).to_dict() == {"balance": "3.5"}
    assert "cost_cents=3.5" in shown[1]
    assert "cost_cents=100, " in shown[2]
    assert "budget_cents=None" in shown[2]
    assert not any("Decimal" in each for each in shown)
