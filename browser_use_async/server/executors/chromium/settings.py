"""What the operator decides about the browser."""

import os
from collections.abc import Mapping, Sequence

import attrs


@attrs.frozen
class ChromiumSettings:
    """What the operator of a server decides about its browser.

    Attributes:
        browser: The browser's file, or its name in `PATH`; by default the one that the
            environment variable `BROWSER_USE_SERVER_CHROMIUM` names, or Chromium or Chrome under
            one of their usual names.
        allow_private_addresses: Whether pages on this machine and in private networks may be
            opened; or which of them, as `http://host:port`.
        allow_named_addresses: Whether a task may open, of these, the ones that its own text names
            with their port. By default it may if only this machine reaches the server.
        proxies: Proxies by country code, such as `{"us": "http://name:password@proxy:3128"}`;
            one under `*` is for all other countries. Without one connections are direct.
        ad_hosts: A hosts file with more hosts that `use_adblock` blocks.
        max_browsers: How many tasks may have a browser at once; the others wait. By default as
            many as fit into the memory that is free.
    """

    browser: str | os.PathLike[str] | None = None
    allow_private_addresses: bool | Sequence[str] = False
    allow_named_addresses: bool | None = None
    proxies: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    ad_hosts: str | os.PathLike[str] | None = None
    max_browsers: int | None = None

    def where(self, *, is_exposed: bool) -> "ChromiumSettings":
        """The same, with what depends on who reaches the server.

        Args:
            is_exposed: Whether other machines do.
        """
        if self.allow_named_addresses is not None:
            return self
        return attrs.evolve(self, allow_named_addresses=not is_exposed)
