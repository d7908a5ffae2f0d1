"""Executors by name."""

import logging

from browser_use_async import system
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.checks import closest
from browser_use_async.server.executors.browser.locate import find_browser, missing_playwright
from browser_use_async.server.executors.protocol import Executor
from browser_use_async.server.executors.remote.settings import CloudSettings
from browser_use_async.server.executors.settings import (
    AgentSettings,
    BrowserEndpoint,
    ChromiumSettings,
)
from browser_use_async.server.setting_kinds import or_environment

_logger = logging.getLogger(__name__)

_NAMES = "auto browser browser_use chromium cloud-v4 plain scripted".split()


def choose_executor(
    choice: str | Executor,
    chromium: ChromiumSettings | None = None,
    agent: AgentSettings | None = None,
    cloud: CloudSettings | None = None,
) -> Executor:
    """The executor with a name. Only this one is imported."""
    if not isinstance(choice, str):
        return choice
    if choice == "auto" and (found := _configured_agent(agent, chromium)) is not None:
        return found
    choice = "chromium" if choice == "browser" else choice
    _check_needs(choice)
    if choice == "chromium" or (choice == "auto" and _has_browser(chromium)):
        from browser_use_async.server.executors.browser.executor import ChromiumExecutor  # noqa: PLC0415

        return ChromiumExecutor(chromium)
    if choice == "browser_use":
        return _agent_executor(agent, chromium)
    if choice in {"auto", "plain"}:
        from browser_use_async.server.executors.plain.executor import PlainExecutor  # noqa: PLC0415

        return PlainExecutor(chromium.egress() if chromium is not None else None)
    if choice == "cloud-v4":
        from browser_use_async.server.executors.remote.executor import CloudExecutor  # noqa: PLC0415

        return CloudExecutor(cloud)
    if choice == "scripted":
        from browser_use_async.server.executors.scripted import ScriptedExecutor  # noqa: PLC0415

        return ScriptedExecutor()
    meant = closest(choice, _NAMES)
    hint = "" if meant is None else f"did you mean {meant!r}? Or "
    raise ConfigurationError(
        f"there is no executor {choice!r}; {hint}take 'auto', 'chromium' (or 'browser'), "
        "'browser_use', 'cloud-v4', 'plain', 'scripted' or an object of yours"
    )


def _configured_agent(
    agent: AgentSettings | None, chromium: ChromiumSettings | None
) -> Executor | None:
    """The agent, if a model is configured."""
    settings = agent or AgentSettings()
    if not or_environment(settings, "llm_base_url"):
        return None
    if (chromium or ChromiumSettings()).endpoint is not None:
        return None  # the agent works in a browser of this machine
    try:
        return choose_executor("browser_use", chromium, settings)
    except ConfigurationError as error:
        if settings.llm_base_url is not None:
            raise
        # The endpoint in the environment may be for another program.
        _logger.warning("tasks are not given to the model of OPENAI_BASE_URL. %s", error)
        return None


def _check_needs(choice: str) -> None:
    """Refuse an executor with a browser where its packages are missing."""
    missing = system.missing_posix("An executor with a browser") or missing_playwright()
    if choice in {"chromium", "browser_use"} and missing is not None:
        raise ConfigurationError(missing)


def _agent_executor(agent: AgentSettings | None, settings: ChromiumSettings | None) -> Executor:
    if settings is not None and settings.endpoint is not None:
        raise ConfigurationError(
            "the executor browser_use works in a browser of this machine; a browser endpoint is "
            "for the executor chromium"
        )
    from browser_use_async.server.executors.agent.executor import BrowserUseExecutor  # noqa: PLC0415
    from browser_use_async.server.executors.agent.script_executor import ScriptExecutor  # noqa: PLC0415
    from browser_use_async.server.executors.browser.executor import ChromiumExecutor  # noqa: PLC0415

    executor = BrowserUseExecutor(agent, settings)
    return ScriptExecutor(executor, ChromiumExecutor(settings, executor.model))


def _has_browser(settings: ChromiumSettings | None) -> bool:
    missing = system.missing_posix("An executor with a browser") or missing_playwright()
    if BrowserEndpoint.find(settings or ChromiumSettings()) is not None:
        if missing is not None:
            raise ConfigurationError(missing)
        return True
    found = find_browser(settings.browser if settings is not None else None)
    if found is None:
        return False
    if missing is not None:
        _logger.warning("pages are read without %s. %s", found, missing)
    return missing is None
