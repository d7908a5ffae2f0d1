"""The executor that reads pages by rules, without a language model.

Its name is loaded when it is first used: a worker that makes plans needs no HTTP client.
"""

from typing import TYPE_CHECKING

from browser_use_async.lazy import load_on_first_use

if TYPE_CHECKING:
    from browser_use_async.server.executors.reader.executor import ReaderExecutor

__all__ = ["ReaderExecutor"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(__name__, {"ReaderExecutor": "executor"})
