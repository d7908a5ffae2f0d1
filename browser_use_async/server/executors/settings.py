"""The operator's settings of browsers and agents."""

import os
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Literal

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.server import setting_kinds as kinds
from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.secrets.sources import is_source, read_secret
from browser_use_async.server.setting_kinds import setting

DEFAULT_SLOTS = 10
"""Tasks at once of a server that shares its database, unless it is told how many."""

CHROMIUM_VARIABLE = "BROWSER_USE_SERVER_CHROMIUM"
"""The environment variable that names the browser."""


def _openings(field: str, value: object) -> None:
    if not isinstance(value, bool):
        checks.texts(field, value, "addresses")


def _proxies_of(text: str) -> list[tuple[str, str]]:
    """The proxies in an option, or in the file or variable behind it."""
    lines = read_secret(text).splitlines()
    found = list[tuple[str, str]]()
    for number, line in enumerate(lines, start=1):
        words = () if line.lstrip().startswith("#") else line.split()
        place = f"line {number}: " if is_source(text) else ""
        found += [_proxy(word, place) for word in words]
    return found


def _proxy(text: str, place: str) -> tuple[str, str]:
    # No message shows the address, which may contain a password.
    country, separator, address = text.partition("=")
    # `*` is the proxy for all countries without one of their own.
    if not separator or not address or (country != "*" and not country.isalpha()):
        raise ConfigurationError(f"{place}write a country code, = and the address of a proxy")
    return country.lower(), address


_OPENINGS = kinds.Kind(unit="yes or no, or addresses", check=_openings, is_flag=True)
_PROXIES = kinds.Kind(
    unit="URL by country",
    metavar="COUNTRY=URL",
    check=checks.texts_by_name,
    parse=_proxies_of,
    gather=lambda values: dict(chain.from_iterable(values)),
    reveals=lambda text: not is_source(text) and "@" in text,
)


@attrs.frozen
class ChromiumSettings:
    """The operator's settings of the browser; the docs have a table of them."""

    browser: str | os.PathLike[str] | None = setting(
        None,
        kinds.PATH,
        "the Chromium or Chrome to start",
        more="A file, or a name in `PATH`; by default Chromium or Chrome under a usual name.",
        variable=CHROMIUM_VARIABLE,
    )
    allow_private_addresses: bool | Sequence[str] = setting(
        False,
        _OPENINGS,
        "let tasks open this machine and private networks",
        more="For tasks, searches and webhooks. A program may list single addresses, such as "
        "`http://host:port`; the example site of `serve` is always allowed.",
        option="--allow-private-addresses",
        explained=True,
    )
    proxies: Mapping[str, str] = setting(
        attrs.Factory(dict),
        _PROXIES,
        "the proxy of tasks for this country; * is any",
        more="For tasks with `use_proxy`, such as `us=http://name:password@proxy:3128`; it can be "
        "repeated. Without one connections are direct.",
        option="--proxy",
    )
    max_browsers: int | None = setting(
        None,
        kinds.COUNT,
        "tasks with a browser at once",
        option="--max-browsers",
        explained=True,
        more="Others wait. Of several servers with one database each carries out so many tasks at "
        f"once, or {DEFAULT_SLOTS}.",
        otherwise="by memory",
    )
    sandbox: bool = setting(
        True,
        kinds.FLAG,
        "run pages without Chromium's sandbox",
        more="For machines on which the sandbox cannot work. A page that exploits the browser then "
        "has the rights of the browser's user, which is `nobody` if the server runs as root.",
        option="--no-sandbox",
    )
    trace: Literal["always", "failure", "off"] = setting(
        "off",
        kinds.one_of("always", "failure", "off"),
        "which tasks get a Playwright trace as an output file, `trace.zip`",
        more="It has pictures, pages and requests. Tasks with secrets get none.",
    )

    allow_named_addresses: bool | None = attrs.field(
        default=None,
        kw_only=True,
        validator=lambda _, field, value: checks.optional(checks.flag)(field.name, value),
    )
    """Whether a request may open an address of this machine that it names with its port.

    No setting: the server decides it by who can reach it.
    """

    def egress(self) -> Egress:
        """The egress of this machine under these settings.

        Raises:
            ConfigurationError: A setting is invalid.
        """
        return Egress(
            allow_private_addresses=self.allow_private_addresses,
            allow_named_addresses=bool(self.allow_named_addresses),
            proxies=self.proxies,
        )


_AGENT = "browser_use"


@attrs.frozen
class AgentSettings:
    """The operator's settings of agents; the docs have a table of them."""

    llm_base_url: str | None = setting(
        None,
        kinds.URL_TEXT,
        "the endpoint of the model",
        more="OpenAI-compatible, such as `http://127.0.0.1:11434/v1`. With it `auto` chooses the "
        "agent.",
        option="--llm-base-url",
        leads=True,
        variable="OPENAI_BASE_URL",
        executor=_AGENT,
    )
    llm_model: str | None = setting(
        None,
        kinds.TEXT,
        "the model for every task",
        more="Tasks may then name any text in `llm_model`; one that is not in the price list costs "
        "as much as the default. Without this option the task's own `llm_model` is used if the "
        "endpoint has it, and else the endpoint's model if it has only one.",
        option="--llm-model",
        explained=True,
        executor=_AGENT,
    )
    llm_key: str | None = setting(
        None,
        kinds.secret(),
        "the key of that endpoint",
        option="--llm-key",
        explained=True,
        variable="OPENAI_API_KEY",
        executor=_AGENT,
    )
    llm_sees_pictures: bool = setting(
        True,
        kinds.FLAG,
        "show the model no screenshots",
        more="For a model that reads only text.",
        option="--llm-reads-only",
        executor=_AGENT,
    )
    python: str | os.PathLike[str] | None = setting(
        None,
        kinds.PATH,
        "a Python that has browser-use",
        option="--agent-python",
        variable="BROWSER_USE_AGENT_PYTHON",
        otherwise="this one",
        executor=_AGENT,
    )
