"""The configuration of a session: the API's address and key, limits, and its runtime."""

import math
import os
import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
import attrs
from yarl import URL

from browser_use_async.api.limits import check_counts, check_seconds, is_loopback, is_seconds
from browser_use_async.errors import ConfigurationError
from browser_use_async.types.secrets import Secret
from browser_use_async.version import __version__

DEFAULT_BASE_URL = "https://api.browser-use.com/api/v1"
# For those who meant another server, and set no address.
DEFAULT_IS_GONE = (
    "the hosted v1 at this default address was reported to answer 404 in 2026: run "
    "`browser-use-async login` or set BROWSER_USE_BASE_URL to use another server"
)
DEFAULT_TIMEOUT = 30.0
USER_AGENT = f"browser-use-async/{__version__} Python/{sys.version.partition(' ')[0]}"


_REMEDY = (
    "pass api_key=, set BROWSER_USE_API_KEY, or run `browser-use-async login`; nothing was sent. "
    "`browser-use-async serve` runs a server of your own and prints its key"
)


@attrs.frozen
class Configuration:
    """The settings of a session: arguments, else the environment, else the file, else defaults."""

    api_key: Secret | None  # None is allowed, because `ping` works without a key
    base_url: str  # ends in `/api/v1`, without a trailing slash
    timeout: float  # seconds of one attempt
    allow_insecure_http: bool = False  # whether `http://` may leave this machine
    # The source of each value: an argument, a variable, a path. Defaults are left out.
    places: Mapping[str, str] = attrs.field(factory=dict[str, str], eq=False)
    unused_key: str = attrs.field(default="", eq=False)  # why that of the file is not used

    @classmethod
    def resolve(
        cls,
        api_key: Secret | None,
        base_url: str | None,
        timeout: float | None,
        *,
        allow_insecure_http: bool,
    ) -> "Configuration":
        """Take missing values from the environment, the configuration file and defaults.

        Raises:
            ConfigurationError: A value is invalid, or the file is needed and cannot be used.
        """
        key, url = _given(api_key, "api_key"), _given(base_url, "base_url")
        seconds, unused = _given(timeout, "timeout"), ""
        saved = None
        if key is None or url is None:
            # Loaded only where it is needed, which is in few programs.
            from browser_use_async.config_file import ConfigFile  # noqa: PLC0415

            saved = ConfigFile.read()
        if url is None and saved is not None and saved.base_url is not None:
            url = _Setting(saved.base_url, f"base_url in {saved.path}")
        address = _checked_url(url, allow_insecure_http=allow_insecure_http)
        if key is None and saved is not None and saved.api_key is not None:
            # A key is a secret between its user and one server: another server must not see it.
            if saved.base_url is None or _normal(saved.base_url) == address:
                key = _Setting(saved.api_key, f"api_key in {saved.path}")
            else:
                unused = f" (that in {saved.path} is for {saved.base_url}, not for {address})"
        secret = None
        if key is not None:
            secret = key.value if isinstance(key.value, Secret) else Secret(str(key.value))
            secret.check_as_key()
        found = {"api_key": key, "base_url": url, "timeout": seconds}
        return cls(
            api_key=secret,
            base_url=address,
            timeout=_checked_timeout(seconds),
            allow_insecure_http=allow_insecure_http,
            places={name: each.place for name, each in found.items() if each is not None},
            unused_key=unused,
        )

    def missing_key(self, remedy: str = _REMEDY) -> ConfigurationError:
        """The error of a missing key."""
        return ConfigurationError(f"no API key{self.unused_key}: {remedy}")


@attrs.frozen
class _Setting:
    """A value and its source, which errors name: a variable is easily forgotten."""

    value: object = attrs.field(repr=False)  # which may be the key
    place: str


def _given(argument: object, name: str) -> _Setting | None:
    if argument is not None:
        return _Setting(argument, name)
    variable = f"BROWSER_USE_{name.upper()}"
    text = os.environ.get(variable)
    # An empty variable counts as unset, as shells and container files leave them behind.
    return _Setting(text, variable) if text else None


def _checked_timeout(setting: _Setting | None) -> float:
    if setting is None:
        return DEFAULT_TIMEOUT
    try:
        seconds = float(str(setting.value))
    except ValueError:
        seconds = math.nan
    # NaN compares false, so that it is refused here as well.
    if not 0 < seconds < math.inf:
        raise ConfigurationError(
            f"{setting.place} must be a number of seconds above 0, not {setting.value!r}"
        )
    return seconds


def _checked_url(setting: _Setting | None, *, allow_insecure_http: bool) -> str:
    if setting is None:
        return DEFAULT_BASE_URL
    name, base_url = setting.place, setting.value
    example = f"it should look like {DEFAULT_BASE_URL}"
    if not isinstance(base_url, str) or (url := _url_or_none(base_url)) is None:
        raise ConfigurationError(f"{name} is not a URL; {example}")
    if url.scheme not in {"http", "https"}:
        raise ConfigurationError(f"{name} has no http:// or https:// in front; {example}")
    if not url.raw_host or " " in base_url or not base_url.isprintable():
        raise ConfigurationError(f"{name} names no host; {example}")
    if url.user is not None or url.password is not None:
        raise ConfigurationError(f"{name} contains a user name or password; {example}")
    if url.query_string or url.fragment:
        raise ConfigurationError(f"{name} has a query or a fragment; {example}")
    if url.scheme == "http" and not allow_insecure_http and not is_loopback(url.raw_host):
        raise ConfigurationError(
            f"{name} sends the API key to {url.raw_host} unencrypted; use https://, or pass "
            "allow_insecure_http=True (--allow-insecure-http) if the network in between is yours"
        )
    return str(url).rstrip("/")


def _normal(base_url: str) -> str | None:
    url = _url_or_none(base_url)
    return None if url is None else str(url).rstrip("/")


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
        slot_timeout: Seconds for which `submit` and `run_and_wait` wait for a free agent slot when
            the service says that too many tasks run at once; 0 lets them fail at once. Only
            run-task is held back meanwhile.
    """

    max_in_flight: int = 100
    calls_per_second: float | None = None
    slot_timeout: float = 3600.0

    def __attrs_post_init__(self) -> None:
        check_counts(max_in_flight=self.max_in_flight)
        check_seconds(slot_timeout=self.slot_timeout)
        pace = self.calls_per_second
        if pace is not None and not (is_seconds(pace) and pace > 0):
            raise ConfigurationError(f"calls_per_second must be a number above 0, not {pace!r}")


# Called with the keyword arguments of `aiohttp.TCPConnector`.
MakeConnector = Callable[..., aiohttp.BaseConnector]


_UTC_NOW = partial(datetime.now, UTC)


@attrs.frozen
class Runtime:
    """What a session takes from outside; a simulation passes its own clock and network."""

    rng: random.Random = attrs.field(factory=random.Random)  # for the jitter of pauses
    # The wall clock, in UTC. Durations are measured by the event loop's clock instead.
    now: Callable[[], datetime] = _UTC_NOW
    connector: MakeConnector = aiohttp.TCPConnector  # for the sessions that the transport owns
    # Called with a function that opens the ledger of a batch; returns its writer. None: a thread
    start_writer: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None
    # Seconds to look for the task of a lost answer, where the service keeps no keys. None: those of
    # the reconciler. Only a control that must fail, or a test in real time, gives less.
    settle_window: float | None = None
