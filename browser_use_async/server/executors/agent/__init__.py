"""The open-source browser-use agent at work in a real browser, with a language model of yours."""

from browser_use_async.server.executors.agent.executor import BrowserUseExecutor

__all__ = ["BrowserUseExecutor"]
