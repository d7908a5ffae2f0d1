"""What the operator decides about browsers and agents, and where a remote browser is."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.records import Assignment

VARIABLE = "BROWSER_USE_BROWSER_ENDPOINT"
"""The environment variable that holds the endpoint of a remote browser."""

CONNECT_SECONDS = 20.0
"""How long a remote browser may take to be there."""

_SCHEMES = frozenset({"ws", "wss", "http", "https"})
_STATUS = re.compile(r"(?:WebSocket error: \S+|Unexpected status) ([45]\d\d)\b")
_REFUSALS = {
    401: "it refuses the key (401)",
    402: "it asks to be paid (402)",
    403: "it refuses the key (403)",
    404: "it has no browser under this path (404)",
    428: "its version of Playwright is not the one of this server (428)",
    429: "it has too many connections, or too many were made (429)",
}
_FAILURES = {
    "ECONNREFUSED": "nothing listens there",
    "ENOTFOUND": "its host name is not known",
    "EAI_AGAIN": "its host name is not known",
    "ECONNRESET": "it closed the connection",
    "socket hang up": "it closed the connection",
    "EHOSTUNREACH": "it cannot be reached",
    "ENETUNREACH": "it cannot be reached",
    "ETIMEDOUT": "it cannot be reached",
    "certificate": "its certificate is not trusted",
    "SSL": "it does not speak TLS as it should",
    "Timeout": f"it was not ready within {CONNECT_SECONDS:g} s",
}
_OTHER_PROTOCOL = {
    "cdp": "it does not speak the DevTools protocol as a browser does; a Playwright server needs "
    "--browser-protocol playwright",
    "playwright": "it is no Playwright server; a browser's DevTools endpoint needs "
    "--browser-protocol cdp",
}
DEFAULT_MEMORY_MB = 2048
"""What a browser may take with one task in it: the heaviest of usual pages take half as much."""

DEFAULT_TIMEOUT = 90
"""Seconds that a model may take for one answer, unless the operator decides otherwise."""


@attrs.frozen
class ChromiumSettings:
    """What the operator of a server decides about its browser.

    Attributes:
        browser: The browser's file, or its name in `PATH`; by default the one that the
            environment variable `BROWSER_USE_SERVER_CHROMIUM` names, or Chromium or Chrome under
            one of their usual names.
        allow_private_addresses: Whether pages on this machine and in private networks may be
            opened, by tasks, searches and webhooks; or which of them, as `http://host:port`.
        allow_named_addresses: Whether, of this machine, those may be opened that the request
            itself names with their port. By default they may if only this machine reaches the
            server.
        proxies: Proxies by country code, such as `{"us": "http://name:password@proxy:3128"}`;
            one under `*` is for all other countries. Without one connections are direct.
        ad_hosts: A hosts file with more hosts that `use_adblock` blocks.
        max_browsers: How many tasks may have a browser at once; the others wait. By default as
            many as fit into the memory that is free.
        browser_memory_mb: How many MB a browser may take with one task in it; each further task
            of its owner adds 250. The page that takes most is ended beyond that, and its task
            fails. Watched on Linux; usual pages take at most half of the default.
        endpoint: The address of a remote browser, which is used instead of one of this machine,
            with its key; by default that in the environment variable
            `BROWSER_USE_BROWSER_ENDPOINT`, if there is one. Each task has a connection, and
            `max_browsers` is 1 unless it is given.
        endpoint_protocol: What the remote browser speaks: the DevTools protocol or, if it is a
            Playwright server, Playwright's.
        sandbox: Whether pages run in Chromium's sandbox. A server that runs as root starts the
            browser as the user `nobody` for that.
        trace: Of which tasks a Playwright trace is an output file, `trace.zip`, with pictures,
            pages and requests. There is none of tasks with secrets.
    """

    browser: str | os.PathLike[str] | None = None
    allow_private_addresses: bool | Sequence[str] = False
    allow_named_addresses: bool | None = None
    proxies: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    ad_hosts: str | os.PathLike[str] | None = None
    max_browsers: int | None = None
    browser_memory_mb: int = DEFAULT_MEMORY_MB
    endpoint: str | None = attrs.field(default=None, repr=False)
    endpoint_protocol: Literal["cdp", "playwright"] = "cdp"
    sandbox: bool = True
    trace: Literal["always", "failure", "off"] = "off"

    def where(self, *, is_exposed: bool) -> "ChromiumSettings":
        """The same, with what depends on who reaches the server.

        Args:
            is_exposed: Whether other machines do.
        """
        if self.allow_named_addresses is not None:
            return self
        return attrs.evolve(self, allow_named_addresses=not is_exposed)

    def egress(self) -> Egress:
        """How connections leave this machine under these settings.

        Raises:
            ConfigurationError: One of them cannot be used.
        """
        return Egress(
            allow_private_addresses=self.allow_private_addresses,
            allow_named_addresses=bool(self.allow_named_addresses),
            proxies=self.proxies,
            ad_hosts=Path(self.ad_hosts) if self.ad_hosts is not None else None,
        )


@attrs.frozen
class BrowserEndpoint:
    """Where a remote browser is. Its address is a secret: most hold a key.

    Attributes:
        url: The whole address.
        protocol: What is spoken there.
    """

    url: str = attrs.field(repr=False)
    protocol: Literal["cdp", "playwright"] = "cdp"

    @classmethod
    def find(cls, settings: ChromiumSettings) -> Self | None:
        """The endpoint of the settings or of `BROWSER_USE_BROWSER_ENDPOINT`; None without one."""
        # No name for the text itself: reports of crashes show the variables of a function.
        found = cls(settings.endpoint or os.environ.get(VARIABLE, ""), settings.endpoint_protocol)
        if not found.url:
            return None
        if not found.is_usable:
            raise ConfigurationError(
                "the endpoint of a browser is an address such as wss://host/?token=KEY, with ws, "
                "wss, http or https before it"
            )
        return found

    @property
    def is_usable(self) -> bool:
        """Whether it is an address."""
        try:
            url = URL(self.url)
            return url.scheme in _SCHEMES and bool(url.host) and url.port is not None
        except ValueError:
            return False

    @property
    def is_open_to_readers(self) -> bool:
        """Whether it leads to another machine without TLS."""
        url = URL(self.url)
        return url.scheme in {"ws", "http"} and not is_loopback(url.host or "")

    def __str__(self) -> str:
        url = URL(self.url)
        return f"{url.scheme}://{url.host_subcomponent}:{url.port}"

    def note(self, assignment: Assignment) -> str:
        """What the first step says about it."""
        note = (
            f"The browser is a remote one, at {URL(self.url).host}. Allowed domains, private "
            "addresses and advertising are judged when it asks for something, and not where it "
            "connects to."
        )
        if assignment.use_proxy and assignment.proxy_requested:
            note += " Connections leave from where it is, through no proxy of this server."
        return note

    def failure(self, text: str) -> str:
        """Why there is no connection, as a clause without the address."""
        status = _STATUS.search(text)
        if status is not None:
            return _REFUSALS.get(int(status[1]), f"it answered {status[1]}")
        known = (words for sign, words in _FAILURES.items() if sign in text)
        return next(known, _OTHER_PROTOCOL[self.protocol])


@attrs.frozen
class AgentSettings:
    """What the operator of a server decides about its agents.

    Attributes:
        llm_base_url: An OpenAI-compatible endpoint; by default that in the environment variable
            `OPENAI_BASE_URL`.
        llm_model: The model for every task. Without it a task's own `llm_model` is used where the
            endpoint knows it, and the endpoint's only model where it has but one.
        llm_key: The endpoint's key; by default that in `OPENAI_API_KEY`, if there is one.
        llm_timeout: Seconds that the model may take for one answer.
        llm_sees_pictures: Whether the model is shown screenshots; False for one that reads only.
        python: The Python that has browser-use; by default the one that runs the server.
    """

    llm_base_url: str | None = None
    llm_model: str | None = None
    llm_key: str | None = attrs.field(default=None, repr=False)
    llm_timeout: int = DEFAULT_TIMEOUT
    llm_sees_pictures: bool = True
    python: str | os.PathLike[str] | None = None
