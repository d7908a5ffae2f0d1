"""Executors by name."""

import logging

from browser_use_async import system
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.checks import closest
from browser_use_async.server.executors.browser.locate import find_browser, missing_playwright
from browser_use_async.server.executors.protocol import Executor
from browser_use_async.server.executors.settings import (
    AgentSettings,
    ChromiumSettings,
)
from browser_use_async.server.extras import READS_PAGES, missing_packages
from browser_use_async.server.setting_kinds import or_environment

_logger = logging.getLogger(__name__)

_NAMES = "auto browser browser_use chromium reader scripted".split()


def choose_executor(
    choice: str | Executor,
    chromium: ChromiumSettings | None = None,
    agent: AgentSettings | None = None,
) -> Executor:
    """The executor with a name. Only this one is imported."""
    if not isinstance(choice, str):
        return choice
    if choice == "auto" and (found := _configured_agent(agent, chromium)) is not None:
        return found
    choice = _with_what_it_needs(choice)
    if choice == "chromium" or (choice == "auto" and _has_browser(chromium)):
        from browser_use_async.server.executors.browser.executor import ChromiumExecutor  # noqa: PLC0415

        return ChromiumExecutor(chromium)
    if choice == "browser_use":
        return _agent_executor(agent, chromium)
    if choice in {"auto", "reader"}:
        from browser_use_async.server.executors.reader.executor import ReaderExecutor  # noqa: PLC0415

        return ReaderExecutor(chromium.egress() if chromium is not None else None)
    if choice == "scripted":
        from browser_use_async.server.executors.scripted import ScriptedExecutor  # noqa: PLC0415

        return ScriptedExecutor()
    meant = closest(choice, _NAMES)
    hint = "" if meant is None else f"did you mean {meant!r}? Or "
    raise ConfigurationError(
        f"there is no executor {choice!r}; {hint}take 'auto', 'chromium' (or 'browser'), "
        "'browser_use', 'reader', 'scripted' or an object of yours"
    )


def _configured_agent(
    agent: AgentSettings | None, chromium: ChromiumSettings | None
) -> Executor | None:
    """The agent, if a model is configured."""
    settings = agent or AgentSettings()
    if not or_environment(settings, "llm_base_url"):
        return None
    try:
        return choose_executor("browser_use", chromium, settings)
    except ConfigurationError as error:
        if settings.llm_base_url is not None:
            raise
        # The endpoint in the environment may be for another program.
        _logger.warning("tasks are not given to the model of OPENAI_BASE_URL. %s", error)
        return None


def _with_what_it_needs(choice: str) -> str:
    """The executor, or its replacement if packages are missing."""
    choice = "chromium" if choice == "browser" else choice
    missing = None
    if choice in {"auto", "browser_use", "chromium", "reader"}:
        missing = system.missing_posix("An executor that reads pages")
    if missing is None and choice in {"auto", "chromium", "reader"}:
        missing = missing_packages("An executor that reads pages", *READS_PAGES)
    if missing is None and choice in {"chromium", "browser_use"}:
        missing = missing_playwright()
    if missing is None:
        return choice
    if choice != "auto":
        raise ConfigurationError(missing)
    _logger.warning("tasks play scenarios, and open no pages. %s", missing)
    return "scripted"


def _agent_executor(agent: AgentSettings | None, settings: ChromiumSettings | None) -> Executor:
    from browser_use_async.server.executors.agent.executor import BrowserUseExecutor  # noqa: PLC0415
    from browser_use_async.server.executors.browser.executor import ChromiumExecutor  # noqa: PLC0415
    from browser_use_async.server.executors.scripts.executor import ScriptExecutor  # noqa: PLC0415

    executor = BrowserUseExecutor(agent, settings)
    return ScriptExecutor(executor, ChromiumExecutor(settings, executor.model))


def _has_browser(settings: ChromiumSettings | None) -> bool:
    found = find_browser(settings.browser if settings is not None else None)
    if found is None:
        return False
    missing = missing_playwright()
    if missing is not None:
        _logger.warning("pages are read without %s. %s", found, missing)
    return missing is None
