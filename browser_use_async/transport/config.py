"""What a session is configured with: the API's address and key, limits, and its runtime."""

import math
import os
import random
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import attrs
from yarl import URL

from browser_use_async.api.limits import check_counts, check_seconds, is_loopback
from browser_use_async.errors import ConfigurationError
from browser_use_async.types.secrets import Secret
from browser_use_async.version import __version__

DEFAULT_BASE_URL = "https://api.browser-use.com/api/v1"
DEFAULT_TIMEOUT = 30.0
USER_AGENT = f"browser-use-async/{__version__} Python/{sys.version.partition(' ')[0]}"


@attrs.frozen
class Configuration:
    """The settings of a session after argument, environment and default were merged."""

    api_key: Secret | None  # None is allowed, because `ping` works without a key
    base_url: str  # ends in `/api/v1`, without a trailing slash
    timeout: float  # seconds of one attempt
    allow_insecure_http: bool = False  # whether `http://` may leave this machine

    @classmethod
    def resolve(
        cls,
        api_key: Secret | None,
        base_url: str | None,
        timeout: float | None,
        *,
        allow_insecure_http: bool,
    ) -> "Configuration":
        """Fill what was not given from the environment, then from the defaults."""
        key = api_key if api_key is not None else Secret.hide(_environment("API_KEY"))
        if key is not None:
            key.check_as_key()
        return cls(
            api_key=key,
            base_url=_checked_url(base_url, allow_insecure_http=allow_insecure_http),
            timeout=_checked_timeout(timeout),
            allow_insecure_http=allow_insecure_http,
        )


def missing_key() -> ConfigurationError:
    """What to raise where a key is needed and there is none."""
    return ConfigurationError(
        "no API key: pass api_key=, or set BROWSER_USE_API_KEY; nothing was sent. "
        "`browser-use-async serve` runs a server of your own and prints its key"
    )


def _environment(name: str) -> str | None:
    # An empty variable counts as unset, as shells and container files leave them behind.
    return os.environ.get(f"BROWSER_USE_{name}") or None


def _named(argument: object, name: str) -> tuple[str, object]:
    """A setting with where it stands: an argument of this name, or else the environment."""
    if argument is not None:
        return name, argument
    return f"BROWSER_USE_{name.upper()}", _environment(name.upper())


def _checked_timeout(timeout: float | None) -> float:
    # What an error names is where the value stands: a variable is easily forgotten.
    name, value = _named(timeout, "timeout")
    if value is None:
        return DEFAULT_TIMEOUT
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    # NaN compares false, so that it is refused here as well.
    if not 0 < seconds < math.inf:
        raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}")
    return seconds


def _checked_url(argument: str | None, *, allow_insecure_http: bool) -> str:
    name, given = _named(argument, "base_url")
    base_url = DEFAULT_BASE_URL if given is None else given
    example = f"it should look like {DEFAULT_BASE_URL}"
    if not isinstance(base_url, str) or (url := _url_or_none(base_url)) is None:
        raise ConfigurationError(f"{name} is not a URL; {example}")
    if url.scheme not in {"http", "https"}:
        raise ConfigurationError(f"{name} has no http:// or https:// in front; {example}")
    if not url.raw_host or " " in base_url or not base_url.isprintable():
        raise ConfigurationError(f"{name} names no host; {example}")
    if url.user is not None or url.password is not None:
        raise ConfigurationError(f"{name} holds a user name or password; {example}")
    if url.query_string or url.fragment:
        raise ConfigurationError(f"{name} has a query or a fragment; {example}")
    if url.scheme == "http" and not allow_insecure_http and not is_loopback(url.raw_host):
        raise ConfigurationError(
            f"{name} sends the API key to {url.raw_host} unencrypted; use https://, or pass "
            "allow_insecure_http=True (--allow-insecure-http) if the network in between is yours"
        )
    return str(url).rstrip("/")


def _url_or_none(text: str) -> URL | None:
    # Read by the parser that aiohttp sends with: two parsers can see two hosts in one text.
    try:
        return URL(text)
    except (ValueError, TypeError):
        return None


@attrs.frozen(kw_only=True)
class CallLimits:
    """How many calls a session makes at once and how fast, and how long it waits for a slot.

    The pace is learned: when the service answers 429 fewer calls are made at once, and more again
    as it answers well. When it names a pause with `Retry-After`, all calls of the session sit it
    out, one of them tries, and the others follow spread out.

    Attributes:
        max_in_flight: The most calls under way at once.
        calls_per_second: The most calls begun in a second, evenly spaced; None for no such bound.
        slot_wait: Seconds for which `submit` and `run_and_wait` wait for a free agent slot when
            the service says that too many tasks run at once; 0 lets them fail at once. Only
            run-task is held back meanwhile.
    """

    max_in_flight: int = 100
    calls_per_second: float | None = None
    slot_wait: float = 3600.0

    def __attrs_post_init__(self) -> None:
        check_counts(max_in_flight=self.max_in_flight)
        check_seconds(slot_wait=self.slot_wait)
        if self.calls_per_second is not None and not 0 < self.calls_per_second < math.inf:
            raise ConfigurationError(
                f"calls_per_second must be a number above 0, not {self.calls_per_second!r}"
            )


# Called with the keyword arguments of `aiohttp.TCPConnector`.
MakeConnector = Callable[..., aiohttp.BaseConnector]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen
class Runtime:
    """What a session takes from outside; a simulation passes its own clock and network."""

    rng: random.Random = attrs.field(factory=random.Random)  # for the jitter of pauses
    # The wall clock, in UTC. Durations are measured by the event loop's clock instead.
    now: Callable[[], datetime] = _utc_now
    connector: MakeConnector = aiohttp.TCPConnector  # for the sessions that the transport owns
    # Called with a function that opens the ledger of a batch; returns its writer. None: a thread
    start_writer: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None
