"""Executors by name."""

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.protocol import Executor

__all__ = ["choose_executor"]


def choose_executor(choice: str | Executor) -> Executor:
    """The executor that is meant. Only the one that is asked for is imported.

    Args:
        choice: `auto` or `reader`, `scripted`, or an executor.

    Raises:
        ConfigurationError: There is no executor of this name.
    """
    if not isinstance(choice, str):
        return choice
    if choice in {"auto", "reader"}:
        from browser_use_async.server.executors.reader import ReaderExecutor  # noqa: PLC0415

        return ReaderExecutor()
    if choice == "scripted":
        from browser_use_async.server.executors.scripted import ScriptedExecutor  # noqa: PLC0415

        return ScriptedExecutor()
    raise ConfigurationError(
        f"there is no executor {choice!r}; take 'auto', 'reader', 'scripted' or an object of yours"
    )
