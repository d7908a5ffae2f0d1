"""How the connections of tasks leave this machine, as the operator has decided."""

import logging
from pathlib import Path

from browser_use_async.server.executors.chromium.gateway import Upstream
from browser_use_async.server.executors.chromium.rules import (
    AdHosts,
    NetworkRules,
    PrivateAddresses,
)
from browser_use_async.server.executors.chromium.settings import ChromiumSettings
from browser_use_async.server.executors.protocol import Assignment
from browser_use_async.server.reading.domains import AllowedDomains

_COUNTRIES = {
    "us": "the United States",
    "uk": "the United Kingdom",
    "fr": "France",
    "it": "Italy",
    "jp": "Japan",
    "au": "Australia",
    "de": "Germany",
    "fi": "Finland",
    "ca": "Canada",
    "in": "India",
}
_logger = logging.getLogger(__name__)


class WaysOut:
    """The rules and the proxy of each task.

    Args:
        settings: What the operator decides about the browser.

    Raises:
        ConfigurationError: A setting cannot be used.
    """

    def __init__(self, settings: ChromiumSettings) -> None:
        self._proxies = {
            country.lower(): Upstream.of(address) for country, address in settings.proxies.items()
        }
        self._private = PrivateAddresses(settings.allow_private_addresses)
        self._opens_named = bool(settings.allow_named_addresses)
        self._ads = AdHosts(Path(settings.ad_hosts) if settings.ad_hosts is not None else None)

    def rules(self, assignment: Assignment) -> NetworkRules:
        """Where a task's browser may go.

        Args:
            assignment: The task.
        """
        named = self._opens_named
        return NetworkRules(
            AllowedDomains(assignment.allowed_domains),
            self._private.and_those_of(assignment.task) if named else self._private,
            self._ads if assignment.use_adblock else None,
        )

    def upstream(self, assignment: Assignment) -> tuple[Upstream | None, str]:
        """The proxy of a task, and a sentence about it; empty if it asks for none.

        Args:
            assignment: The task.
        """
        if not assignment.use_proxy:
            return None, ""
        country = assignment.proxy_country_code.lower()
        upstream = self._proxies.get(country) or self._proxies.get("*")
        if upstream is not None:
            return upstream, f"Connections go through the operator's proxy for {country}."
        # Proxies are on by default: who did not ask for one learns nothing from its absence.
        if not assignment.proxy_requested:
            return None, ""
        name = _COUNTRIES.get(country)
        where = country if name is None else f"{name} ({country})"
        way_out = f"This server has no proxy for {where}, so connections are direct."
        _logger.info("task %s: %s", assignment.task_id, way_out)
        return None, way_out
