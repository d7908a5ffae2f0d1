"""The table of executors: what is said of each stands in its row, and nowhere else."""

import logging
from collections.abc import Callable, Mapping
from enum import StrEnum

import attrs

from browser_use_async import system
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.checks import closest
from browser_use_async.server.executors.browser.locate import (
    find_browser,
    missing_playwright,
    named_browser,
    require_browser,
)
from browser_use_async.server.executors.protocol import Executor
from browser_use_async.server.executors.settings import AgentSettings, ChromiumSettings

_logger = logging.getLogger(__name__)

AUTO = "auto"
"""The choice of the first executor whose requirements are there."""


class FieldUse(StrEnum):
    """What an executor does with a field of a task that is given."""

    FOLLOWS = "follows"
    REFUSES = "refuses"  # `check` says so before the task is paid for
    IGNORES = "ignores"


@attrs.frozen(kw_only=True)
class ExecutorRow:
    """An executor that has a name."""

    name: str
    help: str  # what carries the tasks out, as a clause behind its name
    needs: str  # what it needs beside the package, for people
    make: Callable[[ChromiumSettings | None, AgentSettings | None], Executor]
    fields: Mapping[str, FieldUse]  # by the name of the field, with each field of a task
    also: tuple[str, ...] = ()  # other names of it
    has_browser: bool = False  # which needs Playwright, and the groups of processes of POSIX

    def missing(self) -> str | None:
        """The sentence that says what is missing; None if nothing is."""
        if not self.has_browser:
            return None
        return _missing_for_browser()


def _missing_for_browser() -> str | None:
    return system.missing_posix("An executor with a browser") or missing_playwright()


def _uses(**fields: str) -> dict[str, FieldUse]:
    found = [(name, FieldUse(use)) for use, names in fields.items() for name in names.split()]
    assert len(dict(found)) == len(found), "a field is named twice"
    return dict(found)


def _agent(chromium: ChromiumSettings | None, agent: AgentSettings | None) -> Executor:
    from browser_use_async.server.executors.agent.executor import BrowserUseExecutor  # noqa: PLC0415
    from browser_use_async.server.executors.agent.script_executor import ScriptExecutor  # noqa: PLC0415
    from browser_use_async.server.executors.browser.executor import ChromiumExecutor  # noqa: PLC0415

    executor = BrowserUseExecutor(agent, chromium)
    return ScriptExecutor(executor, ChromiumExecutor(chromium, executor.model))


def _chromium(chromium: ChromiumSettings | None, _agent: AgentSettings | None) -> Executor:
    from browser_use_async.server.executors.browser.executor import ChromiumExecutor  # noqa: PLC0415

    return ChromiumExecutor(chromium)


def _plain(chromium: ChromiumSettings | None, _agent: AgentSettings | None) -> Executor:
    from browser_use_async.server.executors.plain.executor import PlainExecutor  # noqa: PLC0415

    return PlainExecutor(chromium.egress() if chromium is not None else None)


def _scripted(_chromium: ChromiumSettings | None, _agent: AgentSettings | None) -> Executor:
    from browser_use_async.server.executors.scripted import ScriptedExecutor  # noqa: PLC0415

    return ScriptedExecutor()


EXECUTORS: tuple[ExecutorRow, ...] = (
    ExecutorRow(
        name="browser_use",
        help="the open-source agent with your language model, in a real browser",
        needs="a model, Chromium, the extras `browser` and `local-agent`",
        make=_agent,
        has_browser=True,
        fields=_uses(
            follows="task secrets allowed_domains browser_profile_id save_browser_data "
            "structured_output_json llm_model use_adblock use_proxy proxy_country_code "
            "highlight_elements included_file_names browser_viewport_width "
            "browser_viewport_height max_agent_steps enable_public_share metadata",
        ),
    ),
    ExecutorRow(
        name="chromium",
        also=("browser",),
        help="a real browser that follows step lines",
        needs="Chromium, the extra `browser`",
        make=_chromium,
        has_browser=True,
        fields=_uses(
            follows="task secrets allowed_domains browser_profile_id save_browser_data "
            "structured_output_json use_adblock use_proxy proxy_country_code "
            "highlight_elements included_file_names browser_viewport_width "
            "browser_viewport_height max_agent_steps enable_public_share metadata",
            ignores="llm_model",
        ),
    ),
    ExecutorRow(
        name="plain",
        help="opens pages, follows links and reads, without a browser",
        needs="nothing",
        make=_plain,
        fields=_uses(
            follows="task allowed_domains browser_profile_id save_browser_data "
            "structured_output_json use_adblock included_file_names max_agent_steps "
            "enable_public_share metadata",
            ignores="secrets llm_model use_proxy proxy_country_code "
            "highlight_elements browser_viewport_width browser_viewport_height",
        ),
    ),
    ExecutorRow(
        name="scripted",
        help="plays the scenarios of tests",
        needs="nothing",
        make=_scripted,
        fields=_uses(
            follows="task save_browser_data structured_output_json max_agent_steps "
            "enable_public_share metadata",
            ignores="secrets allowed_domains browser_profile_id llm_model use_adblock use_proxy "
            "proxy_country_code highlight_elements included_file_names browser_viewport_width "
            "browser_viewport_height",
        ),
    ),
)
"""All executors that have a name, the first choice of `auto` first."""

_ROWS = {name: row for row in EXECUTORS for name in (row.name, *row.also)}
CHOICES = (AUTO, *_ROWS)
"""The names that may be given."""


def in_words(*, quoted: bool = False) -> str:
    """The choices in a sentence, without the other names of one."""
    names = [AUTO, *(row.name for row in EXECUTORS)]
    *most, last = map(repr, names) if quoted else names
    return f"{', '.join(most)} or {last}"


def described() -> str:
    """What each executor is, in a sentence of Markdown."""
    clauses = []
    for row in EXECUTORS:
        other = "".join(f" (or `{name}`)" for name in row.also)
        clauses.append(f"`{row.name}`{other}: {row.help}")
    return "; ".join(clauses)


def has_browser(choice: str | Executor) -> bool:
    """Whether tasks of a choice may be given to a browser of this machine."""
    row = _ROWS.get(choice) if isinstance(choice, str) else None
    return choice == AUTO or (row is not None and row.has_browser)


def choose_executor(
    choice: str | Executor,
    chromium: ChromiumSettings | None = None,
    agent: AgentSettings | None = None,
) -> Executor:
    """The executor with a name. Only this one is imported.

    Raises:
        ConfigurationError: There is no such name, or something is missing that it needs.
    """
    if not isinstance(choice, str):
        return choice
    if choice == AUTO:
        found = _configured_agent(chromium, agent)
        return found or choose_executor(without_model(chromium), chromium)
    row = _ROWS.get(choice)
    if row is None:
        meant = closest(choice, CHOICES)
        hint = "" if meant is None else f"did you mean {meant!r}? Or "
        raise ConfigurationError(
            f"there is no executor {choice!r}; {hint}take {in_words(quoted=True)}, or an object "
            "of yours"
        )
    if (missing := row.missing()) is not None:
        raise ConfigurationError(missing)
    return row.make(chromium, agent)


def _configured_agent(
    chromium: ChromiumSettings | None, agent: AgentSettings | None
) -> Executor | None:
    """The agent, if a model is configured."""
    settings = agent or AgentSettings()
    if not settings.llm_base_url:
        return None
    try:
        return choose_executor("browser_use", chromium, settings)
    except ConfigurationError as error:
        if settings.llm_base_url != AgentSettings().llm_base_url:
            raise
        # The endpoint in the environment may be for another program.
        _logger.warning("tasks are not given to the model of OPENAI_BASE_URL. %s", error)
        return None


def without_model(chromium: ChromiumSettings | None) -> str:
    """The name of the executor of a server that has no model: in a browser where there is one.

    Raises:
        ConfigurationError: The browser that is named cannot be used.
    """
    path = chromium.browser if chromium is not None else None
    found = find_browser(path)
    if found is None:
        return "plain"
    problem = _missing_for_browser()
    try:
        if problem is None:
            require_browser(found)
            return "chromium"
    except ConfigurationError as error:
        if named_browser(path):
            raise
        problem = str(error)
    _logger.warning("pages are read without %s. %s", found, problem)
    return "plain"
