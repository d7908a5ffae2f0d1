"""The executor that reads pages by rules, without a language model."""

from browser_use_async.server.executors.reader.executor import ReaderExecutor

__all__ = ["ReaderExecutor"]
