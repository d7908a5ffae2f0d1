"""The open-source browser-use agent at work in a real browser, with a language model of yours."""

from browser_use_async.server.executors.agent.executor import BrowserUseExecutor
from browser_use_async.server.executors.agent.settings import AgentSettings

__all__ = ["AgentSettings", "BrowserUseExecutor"]
