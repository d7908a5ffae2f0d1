"""The endpoint of a remote browser: its address, which is a secret, and what goes wrong there."""

import os
import re
from typing import Literal, Self

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.browser.settings import ChromiumSettings
from browser_use_async.server.executors.protocol import Assignment

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
