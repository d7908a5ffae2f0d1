"""Where events are sent to."""

import hashlib
import ipaddress
import uuid
from typing import Any

import attrs
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.webhooks.signature import key_of

__all__ = ["Webhook"]


def _check_url(_webhook: object, _field: object, url: Any) -> None:
    try:
        target = URL(url) if isinstance(url, str) else URL()
        host, _port = target.host, target.port
    except ValueError:
        raise ConfigurationError("url: it is no address") from None
    if target.scheme not in {"http", "https"} or not host:
        raise ConfigurationError("url: a webhook needs an address that begins with https://")
    if target.user is not None or target.password is not None:
        raise ConfigurationError("url: an address with a user name or password is not called")
    if target.scheme == "http" and not _is_loopback(host):
        raise ConfigurationError(
            f"url: http:// is for this machine only, and {host} is another; use https://"
        )


def _check_secret(_webhook: object, _field: object, secret: Any) -> None:
    try:
        key_of(secret)
    except ConfigurationError as error:
        raise ConfigurationError(f"secret: {error}") from None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@attrs.frozen(repr=False)
class Webhook:
    """An address that is told what becomes of the tasks of a bundled server.

    Neither the secret nor the path and query of the address, which may hold another secret, are
    in its representation.

    Raises:
        ConfigurationError: The address or the secret cannot be used.
    """

    url: str = attrs.field(validator=_check_url)
    secret: str = attrs.field(validator=_check_secret)
    id: str = attrs.field(factory=lambda: str(uuid.uuid4()), kw_only=True)

    @property
    def origin(self) -> str:
        """Scheme, host and port of the address: what may be logged."""
        return str(URL(self.url).origin())

    @property
    def address(self) -> str:
        """What the address is known by where it may not be told: 64 hexadecimal digits."""
        return hashlib.sha256(self.url.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Webhook({self.origin}, id={self.id})"
