"""What the operator decides about tasks that the hosted service carries out."""

import json
import math
import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Self

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.errors import ConfigurationError

KEY_VARIABLE = "BROWSER_USE_CLOUD_KEY"
"""The environment variable that holds the key of the hosted service."""

DEFAULT_BASE_URL = "https://api.browser-use.com"
"""Where the hosted service is; `/api/v4` follows."""

DEFAULT_CONCURRENCY = 10
"""The tasks at once that an account has on the service before it has paid anything."""


@attrs.frozen
class CloudModel:
    """A model of the hosted service, and what is asked of it.

    Attributes:
        name: What the service calls it.
        params: Parameters by the names that the model's provider has for them, which the service
            forwards unchanged. None leaves those that the service chooses; an empty mapping
            asks for none of these.
    """

    name: str
    params: Mapping[str, Any] | None = None


@attrs.frozen
class CloudSettings:
    """What the operator of a server decides about tasks on the hosted service.

    Attributes:
        api_key: The key of the hosted service; by default that in the environment variable
            `BROWSER_USE_CLOUD_KEY`. Clients of this server never see it.
        base_url: The address before `/api/v4`; another one for a proxy.
        is_lenient: Whether settings that the service cannot follow, and whose absence does no
            harm, are left out and named in the first step, instead of being refused.
        models: The service's models by what tasks ask for in `llm_model`; the one under `*` is
            for all others. A `CloudModel` gives parameters to one.
        max_cost_usd: How many US dollars the service may charge for one task before it ends it;
            by default what the service allows, 25 by its documentation.
        concurrency: How many tasks at once the account may have there, of which the allowed
            number of requests follows.
        poll_seconds: Seconds between two looks at a task.
        settle_seconds: Seconds after which a task that was created is certain to be seen.
        recording_seconds: How long a recording is waited for.
        account_seconds: How long what the service says of the account is not asked again.
    """

    api_key: str | None = attrs.field(default=None, repr=False)
    base_url: str = DEFAULT_BASE_URL
    is_lenient: bool = False
    models: Mapping[str, str | CloudModel] = attrs.field(factory=dict)
    max_cost_usd: Decimal | float | None = None
    concurrency: int = DEFAULT_CONCURRENCY
    poll_seconds: float = 2.0
    settle_seconds: float = 6.0
    recording_seconds: float = 30.0
    account_seconds: float = 5.0

    def checked(self) -> Self:
        """The same with the key of the environment, if there is none.

        Raises:
            ConfigurationError: There is no key, or something cannot be used.
        """
        key = (self.api_key or os.environ.get(KEY_VARIABLE, "")).strip()
        if not key or not key.isascii() or not key.isprintable():
            raise ConfigurationError(
                f"tasks on the hosted service need its key, in {KEY_VARIABLE} or a file"
            )
        _check_address(self.base_url)
        if self.concurrency < 1:
            raise ConfigurationError("the concurrency of the hosted service is a number from 1")
        _check_bound(self.max_cost_usd)
        for each in self.models.values():
            _check_params(each)
        return attrs.evolve(self, api_key=key, base_url=self.base_url.rstrip("/"))

    def model(self, assignment_model: str) -> CloudModel | None:
        """The service's model for what a task asks for, if the operator names one."""
        found = self.models.get(assignment_model, self.models.get("*"))
        return CloudModel(found) if isinstance(found, str) else found


def _check_bound(dollars: Decimal | float | None) -> None:
    if dollars is None:
        return
    if isinstance(dollars, bool) or not 0 < float(dollars) < math.inf:
        raise ConfigurationError(
            "max_cost_usd (--cloud-max-cost-usd) is a number of US dollars greater than 0"
        )


def _check_params(model: str | CloudModel) -> None:
    if isinstance(model, str) or model.params is None:
        return
    try:
        json.dumps(dict(model.params), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"the parameters of {model.name} (--cloud-model) cannot be sent as JSON: {error}"
        raise ConfigurationError(problem) from error


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
