"""String enums that accept unknown values."""

from enum import StrEnum
from typing import Any, Self


def _folded(text: str) -> str:
    return text.strip().lower().replace("_", "-").replace(" ", "-")


class OpenEnum(StrEnum):
    """A string enum that keeps unknown values instead of refusing them.

    The service adds values without notice. `TaskStatus("archived")` is a `TaskStatus` that equals
    `"archived"` and whose `is_known` is False. Iteration yields only the known members.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        # Not stored, since a server may send any number of values.
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    def __reduce_ex__(self, proto: object) -> tuple[Any, ...]:
        """Pickle by value: up to CPython 3.11.3 enums pickle by name, which unknown ones lack."""
        return type(self), (self.value,)

    @classmethod
    def respelt(cls, text: str) -> Self | None:
        """The known value that differs from a text only in case, spaces, `_` or `-`, or None."""
        folded = {_folded(member): member for member in cls}
        member = folded.get(_folded(text))
        return None if member == text else member

    @property
    def is_known(self) -> bool:
        """Whether this version of the package knows the value."""
        # By identity: the unknown value "FINISHED" has the name of a member, too.
        return type(self).__members__.get(self.name) is self


class TaskStatus(OpenEnum):
    """The status of a task. API page: Get Task Status."""

    CREATED = "created"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    PAUSED = "paused"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether the task has ended. Unknown statuses count as not ended."""
        return self in _TERMINAL


_TERMINAL = frozenset({TaskStatus.FINISHED, TaskStatus.STOPPED, TaskStatus.FAILED})


class LlmModel(OpenEnum):
    """The language models that the service published. API page: Create Scheduled Task."""

    GPT_4O = "gpt-4o"
    GPT_4O_MINI = "gpt-4o-mini"
    GPT_4_1 = "gpt-4.1"
    GPT_4_1_MINI = "gpt-4.1-mini"
    O4_MINI = "o4-mini"
    O3 = "o3"
    GEMINI_2_0_FLASH = "gemini-2.0-flash"
    GEMINI_2_0_FLASH_LITE = "gemini-2.0-flash-lite"
    GEMINI_2_5_FLASH_PREVIEW_04_17 = "gemini-2.5-flash-preview-04-17"
    GEMINI_2_5_FLASH = "gemini-2.5-flash"
    GEMINI_2_5_PRO = "gemini-2.5-pro"
    CLAUDE_3_7_SONNET_20250219 = "claude-3-7-sonnet-20250219"
    CLAUDE_SONNET_4_20250514 = "claude-sonnet-4-20250514"
    LLAMA_4_MAVERICK_17B_128E_INSTRUCT = "llama-4-maverick-17b-128e-instruct"


class ProxyCountry(OpenEnum):
    """The countries that the residential proxy offers. API page: Create Scheduled Task."""

    US = "us"
    UK = "uk"
    FR = "fr"
    IT = "it"
    JP = "jp"
    AU = "au"
    DE = "de"
    FI = "fi"
    CA = "ca"
    IN = "in"


class ScheduleType(OpenEnum):
    """How a schedule sets the times of its runs. API page: Create Scheduled Task."""

    INTERVAL = "interval"
    CRON = "cron"


DEFAULT_MAX_STEPS = 75
"""Steps that a task may take if its request does not say how many."""


def price_terms(max_steps: object, model: object) -> tuple[int, str]:
    """The terms of a task's price: its most steps and its model, else the service's defaults."""
    return (
        max_steps if isinstance(max_steps, int) else DEFAULT_MAX_STEPS,
        str(model) if isinstance(model, str) else str(LlmModel.GPT_4_1),
    )
