"""What the operator decides about the browser."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs

from browser_use_async.server.egress.proxy import Egress


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
