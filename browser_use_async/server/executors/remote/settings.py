"""What the operator decides about tasks that the hosted service carries out."""

import math
import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, Self

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.errors import ConfigurationError

Version = Literal["v2", "v4"]

KEY_VARIABLE = "BROWSER_USE_CLOUD_KEY"
"""The environment variable that holds the key of the hosted service."""

DEFAULT_BASE_URL = "https://api.browser-use.com"
"""Where the hosted service is; `/api/v2` or `/api/v4` follows."""

DEFAULT_CONCURRENCY = 10
"""The tasks at once that an account has on the service before it has paid anything."""


@attrs.frozen
class CloudSettings:
    """What the operator of a server decides about tasks on the hosted service.

    Attributes:
        api_key: The key of the hosted service; by default that in the environment variable
            `BROWSER_USE_CLOUD_KEY`. Clients of this server never see it.
        base_url: The address before `/api/v2` and `/api/v4`; another one for a proxy.
        is_lenient: Whether settings that the service cannot follow, and whose absence does no
            harm, are left out and named in the first step, instead of being refused.
        models: The service's models by what tasks ask for in `llm_model`; the one under `*` is
            for all others.
        max_cost_usd: How many US dollars the service may charge for one task before it ends it,
            with version 4; by default what it allows itself, 25 as it says.
        concurrency: How many tasks at once the account may have there, of which the allowed
            number of requests follows.
        webhook_secret: The secret of a webhook of the service that leads to `/webhooks/hosted` on
            this server. Its events wake whoever waits for a task; version 4 sends none.
        poll_seconds: Seconds between two looks at a task.
        settle_seconds: Seconds after which a task that was created is certain to be seen.
        recording_seconds: How long a recording is waited for.
        account_seconds: How long what the service says of the account is not asked again.
    """

    api_key: str | None = attrs.field(default=None, repr=False)
    base_url: str = DEFAULT_BASE_URL
    is_lenient: bool = False
    models: Mapping[str, str] = attrs.field(factory=dict)
    max_cost_usd: Decimal | float | None = None
    concurrency: int = DEFAULT_CONCURRENCY
    webhook_secret: str | None = attrs.field(default=None, repr=False)
    poll_seconds: float = 2.0
    settle_seconds: float = 6.0
    recording_seconds: float = 30.0
    account_seconds: float = 5.0

    def checked(self, version: Version) -> Self:
        """The same with the key of the environment, if there is none.

        Args:
            version: The version of the API that is meant.

        Raises:
            ConfigurationError: There is no key, or something cannot be used, or not with the
                version.
        """
        key = (self.api_key or os.environ.get(KEY_VARIABLE, "")).strip()
        if not key or not key.isascii() or not key.isprintable():
            raise ConfigurationError(
                f"tasks on the hosted service need its key, in {KEY_VARIABLE} or a file"
            )
        _check_address(self.base_url)
        if self.concurrency < 1:
            raise ConfigurationError("the concurrency of the hosted service is a number from 1")
        _check_bound(self.max_cost_usd, version)
        return attrs.evolve(self, api_key=key, base_url=self.base_url.rstrip("/"))

    def model(self, assignment_model: str) -> str | None:
        """The service's model for what a task asks for, if the operator names one."""
        return self.models.get(assignment_model, self.models.get("*"))


def _check_bound(dollars: Decimal | float | None, version: Version) -> None:
    if dollars is None:
        return
    if isinstance(dollars, bool) or not 0 < float(dollars) < math.inf:
        raise ConfigurationError(
            "max_cost_usd (--cloud-max-cost-usd) is a number of US dollars greater than 0"
        )
    if version == "v2":
        raise ConfigurationError(
            "version 2 of the hosted service bounds no cost: leave out max_cost_usd "
            "(--cloud-max-cost-usd), or take the executor cloud-v4"
        )


def _check_address(base_url: str) -> None:
    try:
        url = URL(base_url)
        is_usable = url.scheme in {"http", "https"} and bool(url.host) and url.user is None
    except ValueError:
        url, is_usable = URL(), False
    if not is_usable:
        raise ConfigurationError(
            "the address of the hosted service is written as https://host, without a user name"
        )
    if url.scheme == "http" and not is_loopback(url.host or ""):
        raise ConfigurationError(
            "the key of the hosted service travels over https only, except on this machine"
        )
