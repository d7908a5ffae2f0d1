"""Where a server listens: the settings, the address, and the socket of the administration."""

import os
import secrets
import socket
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.server import setting_kinds as kinds
from browser_use_async.server.http.access import AllowedHosts, origin_of
from browser_use_async.server.http.connections import MOST_OF_ADDRESS
from browser_use_async.server.setting_kinds import setting

# The minimum length of every key.
MIN_KEY = 16
# The minimum length of the key of a server that other machines can reach.
MIN_EXPOSED_KEY = 24

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound to here


def _networks(field: str, value: Any) -> None:
    checks.texts(field, value, "addresses or networks")
    try:
        for each in value:
            ip_network(each)
    except ValueError as error:
        raise ConfigurationError(
            f"{field} must be addresses, such as 10.0.0.5, or networks, such as "
            f"10.1.0.0/16: {error}"
        ) from None


@attrs.frozen(kw_only=True, slots=False)
class ListenSettings:
    """Where a server listens, and the requirements before other machines can reach it.

    Raises:
        ConfigurationError: Others would reach it without a key of the operator, or without
            encryption; or a setting is invalid.
    """

    host: str = setting(
        "127.0.0.1",
        kinds.Kind(unit="address", metavar="HOST", check=checks.text),
        "the address to listen on",
        more="Another than this machine's needs a key of at least "
        f"{MIN_EXPOSED_KEY} characters, and TLS, by the server or by a proxy: clients with the key "
        "can have pages opened from this machine.",
        option="--host",
        explained=True,
    )
    port: int = setting(
        0,
        kinds.whole(0, 65_535, unit="port", metavar="PORT"),
        "the port; 0 takes a free one",
        more="By default a free one; for `serve` 8765.",
        option="--port",
        leads=True,
        served=8765,
    )
    api_key: str | None = setting(
        None,
        kinds.secret(),
        "the key that clients need",
        more=f"At least {MIN_KEY} characters, and {MIN_EXPOSED_KEY} if other machines can reach "
        "the server.",
        option="--api-key",
        leads=True,
        otherwise="random",
    )
    tls_cert: str | os.PathLike[str] | None = setting(
        None,
        kinds.PATH,
        "the server's certificate, as PEM",
        more="With its chain of certificates.",
        option="--tls-cert",
    )
    tls_key: str | os.PathLike[str] | None = setting(
        None,
        kinds.PATH,
        "its private key, as PEM",
        more="Without a password.",
        option="--tls-key",
    )
    public_url: str | None = setting(
        None,
        kinds.URL_TEXT,
        "the address that other machines use",
        more="An https address such as `https://tasks.example`, which is used in links.",
        option="--public-url",
    )
    trusted_proxies: Sequence[str] = setting(
        (),
        kinds.Kind(unit="addresses", metavar="ADDRESS", check=_networks, gather=tuple),
        "a proxy in front of the server, which does TLS",
        more="Its address as the server sees it, or its network; `127.0.0.1` for a proxy on this "
        "machine. It can be repeated, and needs `public_url`. The server trusts the header "
        "`X-Forwarded-For` of these proxies alone.",
        option="--trusted-proxy",
    )
    admin_socket: str | os.PathLike[str] | None = setting(
        None,
        kinds.PATH,
        "a Unix socket for the routes below /admin",
        more="Only the server's user can open it. Behind a proxy, these routes are refused at "
        "`host` and `port`.",
        option="--admin-socket",
    )

    def __attrs_post_init__(self) -> None:
        if self.public_url is not None:
            public_origin(self.public_url)
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigurationError(
                "tls_cert and tls_key (--tls-cert, --tls-key) come together: the files of the "
                "certificate and of its private key"
            )
        if self.behind_proxy and self.public_url is None:
            raise ConfigurationError(
                "trusted_proxies need public_url, the https address of the proxy, which then "
                "stands in live_url and in links to files"
            )
        if self.is_exposed:
            is_encrypted = self.tls_cert is not None or self.behind_proxy
            _check_exposed(self.api_key, is_encrypted=is_encrypted)
        _check_key(self.api_key)

    @property
    def behind_proxy(self) -> bool:
        """Whether a proxy in front of the server does TLS, and passes requests on."""
        return bool(self.trusted_proxies)

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can reach the server."""
        return self.behind_proxy or (self.host != "localhost" and not is_loopback(self.host))

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of proxies in front of the server."""
        return tuple(map(ip_network, self.trusted_proxies))

    @property
    def connections_of_address(self) -> int | None:
        """How many connections an address may have at once; None for any number."""
        return MOST_OF_ADDRESS if self.is_exposed and not self.behind_proxy else None


class ListenAddress:
    """An address to listen on, with the key that clients need and the TLS context.

    Raises:
        ConfigurationError: The certificate cannot be used.
    """

    def __init__(self, settings: ListenSettings) -> None:
        # The name has two addresses, for which port 0 would be two different ports.
        self._host = "127.0.0.1" if settings.host == "localhost" else settings.host
        self._settings = settings
        self.api_key = settings.api_key or f"bu_local_{secrets.token_urlsafe(24)}"
        self.tls = _tls(settings.tls_cert, settings.tls_key)

    def open(self) -> socket.socket:
        """Return a listening socket.

        Raises:
            ConfigurationError: The address cannot be used.
        """
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            return socket.create_server((self._host, self._settings.port), family=family)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {self._host} port {self._settings.port}: {error}; port 0 takes "
                "a free one"
            ) from error

    def allowed_hosts(self, *urls: str) -> AllowedHosts:
        """The hosts that a server at these URLs answers for."""
        return AllowedHosts(
            {self._host, *(URL(url).raw_host or "" for url in urls)},
            any_address=self._host in _EVERY_ADDRESS,
        )

    def url(self, listener: socket.socket) -> str:
        """The scheme, host and port that clients use."""
        if self._settings.public_url is not None:
            return public_origin(self._settings.public_url)
        address: tuple[str, int] = listener.getsockname()[:2]
        host, port = address
        # A client cannot connect to the wildcard address.
        host = _EVERY_ADDRESS.get(host, host)
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextmanager
def open_admin_socket(place: str | os.PathLike[str]) -> Generator[socket.socket]:
    """Listen on a Unix socket that only the server's user may open; its file is deleted at the end.

    Raises:
        ConfigurationError: The path cannot be used.
    """
    path = Path(place).absolute()  # the working directory may change
    try:
        listener = _unix_listener(path)
    except OSError as error:
        raise ConfigurationError(f"administration cannot listen on {path}: {error}") from error
    try:
        with listener:
            yield listener
    finally:
        path.unlink(missing_ok=True)


def _unix_listener(path: Path) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigurationError(
            "this system has no Unix sockets, on which administration behind a proxy listens"
        )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead_socket(path)
        # The file is created with its mode: set afterwards, it would be open until then.
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_dead_socket(path: Path) -> None:
    """Delete what a killed server has left; a socket with a listener stays."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()


def _tls(
    tls_cert: str | os.PathLike[str] | None, tls_key: str | os.PathLike[str] | None
) -> ssl.SSLContext | None:
    if tls_cert is None or tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a callback, OpenSSL would ask for the password on the terminal.
        context.load_cert_chain(tls_cert, tls_key, password=_no_password)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
        raise ConfigurationError(
            f"the certificate {os.fspath(tls_cert)} and the key {os.fspath(tls_key)} cannot be "
            f"used: {reason}"
        ) from None
    return context


def _no_password() -> str:
    raise ValueError("the private key is encrypted; take one without a password")


def _check_key(api_key: str | None) -> None:
    if api_key is None:
        return
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        # The key travels in the Authorization header.
        raise ConfigurationError("the API key must be printable ASCII without spaces")
    if len(api_key) < MIN_KEY:
        raise ConfigurationError(
            f"the API key has fewer than {MIN_KEY} characters, which programs can guess; leave it "
            "out for a random one, or take python3 -c 'import secrets; "
            "print(secrets.token_urlsafe(32))'"
        )


def _check_exposed(api_key: str | None, *, is_encrypted: bool) -> None:
    if api_key is None or len(api_key) < MIN_EXPOSED_KEY:
        raise ConfigurationError(
            "a server that other machines reach needs a key of your own of at least "
            f"{MIN_EXPOSED_KEY} characters: api_key (--api-key). A good one comes from "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    if not is_encrypted:
        raise ConfigurationError(
            "a server that other machines reach would send keys and live pages in the clear: "
            "pass tls_cert and tls_key (--tls-cert, --tls-key), or, if a proxy encrypts in front "
            "of it, trusted_proxies and public_url (--trusted-proxy, --public-url)"
        )


def public_origin(public_url: str) -> str:
    """The address that others use, without what may stand behind it."""
    origin = origin_of(public_url.removesuffix("/"))
    if origin is None or not (origin.startswith("https:") or is_loopback(URL(origin).host or "")):
        raise ConfigurationError(
            "public_url must be the https address that others use, such as https://tasks.example, "
            "and nothing behind it"
        )
    return origin
