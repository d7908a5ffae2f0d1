"""Where the API is and how long an attempt may take: argument, environment, default."""

import ipaddress
import math
import os

import attrs
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.transport.secret import Secret
from browser_use_async.types.base import Value

__all__ = ["DEFAULT_BASE_URL", "Configuration"]

DEFAULT_BASE_URL = "https://api.browser-use.com/api/v1"
DEFAULT_TIMEOUT = 30.0


@attrs.frozen(eq=False, repr=False)
class Configuration(Value):
    """The settled answers.

    Attributes:
        api_key: The hidden key, or None; `ping` works without one.
        base_url: The URL that ends in `/api/v1`, without a trailing slash.
        timeout: Seconds that one attempt may take.
        allow_insecure_http: Whether `http://` may leave this machine.
    """

    api_key: Secret | None
    base_url: str
    timeout: float
    allow_insecure_http: bool = False

    @classmethod
    def resolve(
        cls,
        api_key: Secret | None,
        base_url: str | None,
        timeout: float | None,
        *,
        allow_insecure_http: bool,
    ) -> "Configuration":
        """Fill what was not given from the environment, then from the defaults.

        Args:
            api_key: Else `BROWSER_USE_API_KEY`.
            base_url: Else `BROWSER_USE_BASE_URL`, else the hosted service.
            timeout: Seconds; else `BROWSER_USE_TIMEOUT`, else 30.
            allow_insecure_http: Whether `http://` may leave this machine.

        Raises:
            ConfigurationError: One of them cannot work.
        """
        key = api_key if api_key is not None else Secret.hide(_environment("API_KEY"))
        if key is not None:
            key.check_as_key()
        url = base_url if base_url is not None else _environment("BASE_URL") or DEFAULT_BASE_URL
        return cls(
            api_key=key,
            base_url=_checked_url(url, allow_insecure_http=allow_insecure_http),
            timeout=_checked_timeout(timeout),
            allow_insecure_http=allow_insecure_http,
        )


def _environment(name: str) -> str | None:
    return os.environ.get(f"BROWSER_USE_{name}") or None


def _checked_timeout(timeout: float | None) -> float:
    value: object = timeout if timeout is not None else _environment("TIMEOUT")
    if value is None:
        return DEFAULT_TIMEOUT
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigurationError(f"timeout must be a number of seconds above 0, not {value!r}")
    return seconds


def _checked_url(base_url: str, *, allow_insecure_http: bool) -> str:
    example = f"it should look like {DEFAULT_BASE_URL}"
    url = _url_or_none(base_url)
    if url is None:
        raise ConfigurationError(f"base_url is not a URL; {example}")
    if url.scheme not in {"http", "https"}:
        raise ConfigurationError(f"base_url has no http:// or https:// in front; {example}")
    if not url.raw_host or " " in base_url or not base_url.isprintable():
        raise ConfigurationError(f"base_url names no host; {example}")
    if url.user is not None or url.password is not None:
        raise ConfigurationError(f"base_url holds a user name or password; {example}")
    if url.query_string or url.fragment:
        raise ConfigurationError(f"base_url has a query or a fragment; {example}")
    if url.scheme == "http" and not allow_insecure_http and not _is_loopback(url.raw_host):
        raise ConfigurationError(
            f"base_url sends the API key to {url.raw_host} unencrypted; use https://, or pass "
            "allow_insecure_http=True if the network in between is yours"
        )
    return str(url).rstrip("/")


def _url_or_none(text: str) -> URL | None:
    # Read by the parser that aiohttp sends with: two parsers can see two hosts in one text.
    try:
        return URL(text)
    except (ValueError, TypeError):
        return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
