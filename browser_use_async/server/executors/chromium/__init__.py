"""The executor that works in a real browser, by rules and without a language model."""

from browser_use_async.server.executors.chromium.executor import ChromiumExecutor
from browser_use_async.server.executors.chromium.finding import find_browser
from browser_use_async.server.executors.chromium.settings import ChromiumSettings

__all__ = ["ChromiumExecutor", "ChromiumSettings", "find_browser"]
