"""The specification's seven price examples, and the published prices of tasks."""

from decimal import Decimal

import pytest

from browser_use_async import prices
from browser_use_async.types import LlmModel


@pytest.mark.parametrize(("depth", "max_websites", "cents"), [(2, 5, 10), (2, 3, 6), (3, 2, 6)])
def test_simple_search(depth: int, max_websites: int, cents: int):
    """1 cent x depth x max_websites."""
    assert prices.simple_search_cents(max_websites, depth) == cents


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_search_url(depth: int):
    """1 cent x depth."""
    assert prices.search_url_cents(depth) == depth


def test_defaults_are_those_of_the_calls():
    """What a call without options costs."""
    assert prices.simple_search_cents() == 10
    assert prices.search_url_cents() == 2


@pytest.mark.parametrize(
    ("model", "cents"),
    [("gpt-4.1", "26"), ("o3", "11"), ("gemini-2.5-flash", "8.5"), ("gpt-4o", "31"), ("new", "31")],
)
def test_a_task_of_ten_steps(model: str, cents: str):
    """A start and its steps; a model without a published price counts as the dearest."""
    assert prices.task_cents(10, model) == Decimal(cents)


def test_every_price_is_of_a_published_model():
    """No price stands for a model that the service never named."""
    assert set(prices.STEP_CENTS) <= set(LlmModel)
    assert len(prices.STEP_CENTS) == 12


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (Decimal(0), "0 ¢"),
        (5, "5 ¢"),
        (Decimal("3.50"), "3.5 ¢"),
        (Decimal("99.75"), "99.75 ¢"),
        (Decimal(100), "$1.00"),
        (Decimal("188.5"), "$1.89"),
        (Decimal("999999.5"), "$10,000.00"),
        (Decimal(123456), "$1,234.56"),
    ],
)
def test_amounts_for_people(amount: Decimal | int, words: str):
    """Exact cents below a dollar, dollars and cents from a dollar on."""
    assert prices.format_cents(amount) == words
