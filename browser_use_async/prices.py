"""The published prices of the service, in US cents. No I/O.

A task costs a start and then each step, by model. A search costs one cent per level of depth and,
if it covers several websites, per website.
"""

from decimal import ROUND_HALF_UP, Decimal

from browser_use_async.types.enums import LlmModel

__all__ = [
    "STEP_CENTS",
    "TASK_START_CENTS",
    "format_cents",
    "search_url_cents",
    "simple_search_cents",
    "step_cents",
    "task_cents",
]

# Decimals, so that sums of many prices are exact
TASK_START_CENTS = Decimal(1)
"""The price of the start of a task."""

# Published as one price for all Gemini Flash models
_FLASH = Decimal("0.75")

STEP_CENTS: dict[LlmModel, Decimal] = {
    LlmModel.GPT_4_1: Decimal("2.5"),
    LlmModel.GPT_4_1_MINI: Decimal("0.75"),
    LlmModel.O4_MINI: Decimal(2),
    LlmModel.O3: Decimal(1),
    LlmModel.GEMINI_2_0_FLASH: _FLASH,
    LlmModel.GEMINI_2_0_FLASH_LITE: _FLASH,
    LlmModel.GEMINI_2_5_FLASH_PREVIEW_04_17: _FLASH,
    LlmModel.GEMINI_2_5_FLASH: _FLASH,
    LlmModel.GEMINI_2_5_PRO: Decimal("2.5"),
    LlmModel.CLAUDE_3_7_SONNET_20250219: Decimal(3),
    LlmModel.CLAUDE_SONNET_4_20250514: Decimal(3),
    LlmModel.LLAMA_4_MAVERICK_17B_128E_INSTRUCT: Decimal(1),
}
"""The price of one step. The prices of gpt-4o and gpt-4o-mini were never published."""


def format_cents(value: Decimal | int) -> str:
    """Format an amount in dollars: `$0.06`, `$0.035`, `$1,234.50`.

    Below a dollar it is exact, with fractions of a cent if there are any; from a dollar on it is
    rounded to cents.

    Args:
        value: The amount in US cents.
    """
    amount = abs(Decimal(value)) / 100
    sign, rounded = "-" if value < 0 else "", amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    is_exact = amount < 1 and amount != rounded
    return f"{sign}${amount.normalize():f}" if is_exact else f"{sign}${rounded:,f}"


def step_cents(llm_model: LlmModel | str) -> Decimal:
    """The price of one step in US cents.

    Args:
        llm_model: The model. One without a published price counts as the most expensive one, so
            that an estimate is never too low.
    """
    return STEP_CENTS.get(LlmModel(llm_model), max(STEP_CENTS.values()))


def task_cents(
    steps: int, llm_model: LlmModel | str = LlmModel.GPT_4_1, max_steps: int | None = None
) -> Decimal:
    """The price of a task in US cents.

    Args:
        steps: How many steps it takes or took.
        llm_model: The model; by default the default of run-task.
        max_steps: Its `max_agent_steps`. A task that fails at this limit has one more step, which
            reports it and is free.
    """
    paid = steps if max_steps is None else min(steps, max_steps)
    return TASK_START_CENTS + paid * step_cents(llm_model)


def simple_search_cents(max_websites: int = 5, depth: int = 2) -> Decimal:
    """The price of a simple search in US cents. API page: Simple Search.

    Args:
        max_websites: How many websites at most, 1 to 10.
        depth: How deep each is read, 2 to 5.
    """
    return Decimal(depth * max_websites)


def search_url_cents(depth: int = 2) -> Decimal:
    """The price of searching one website in US cents. API page: Search URL.

    Args:
        depth: How deep it is read, 2 to 5.
    """
    return Decimal(depth)
