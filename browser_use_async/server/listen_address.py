"""The address to listen on, and the checks before other machines can reach it."""

import os
import secrets
import socket
import ssl
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.access import AllowedHosts

# The minimum length of every key.
MIN_KEY = 16
# The minimum length of the key of a server that other machines can reach.
MIN_EXPOSED_KEY = 24

_THIS_MACHINE = ("127.0.0.0/8", "::1")
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound to here


@attrs.frozen
class ListenAddress:
    """A validated address to listen on; use `validated` to create one."""

    host: str
    port: int  # the port; 0 takes a free one
    api_key: str = attrs.field(repr=False)  # the key that clients need
    tls: ssl.SSLContext | None  # the TLS context, or None for plain HTTP
    public_url: str | None  # the address that clients use, or None for its own
    is_exposed: bool  # whether other machines can reach it
    proxies: tuple[IPv4Network | IPv6Network, ...]  # where proxies in front have their addresses

    @property
    def behind_proxy(self) -> bool:
        """Whether a proxy passes requests on."""
        return bool(self.proxies)

    @classmethod
    def validated(
        cls,
        *,
        host: str,
        port: int,
        api_key: str | None,
        allow_any_host: bool,
        tls_cert: str | os.PathLike[str] | None,
        tls_key: str | os.PathLike[str] | None,
        public_url: str | None,
        behind_proxy: bool,
        trusted_proxies: Sequence[str] = (),
    ) -> "ListenAddress":
        """Check that the address is safe to listen on, and return it.

        Raises:
            ConfigurationError: Others would reach it without a key of the operator's, or in the
                clear; or something of this makes no sense.
        """
        host, is_here = _checked_host(host, allow_any_host)
        public_url = public_url if public_url is None else _checked_public_url(public_url)
        tls = _tls(tls_cert, tls_key)
        if behind_proxy and public_url is None:
            raise ConfigurationError(
                "behind_proxy needs public_url, the https address of the proxy, which then stands "
                "in live_url and in links to files"
            )
        is_exposed = not is_here or behind_proxy
        if is_exposed:
            _check_exposed(api_key, is_encrypted=tls is not None or behind_proxy)
        return cls(
            host,
            _checked_port(port),
            _checked_key(api_key),
            tls,
            public_url,
            is_exposed,
            _proxies(behind_proxy, trusted_proxies),
        )

    def open(self) -> socket.socket:
        """Return a listening socket.

        Raises:
            ConfigurationError: The address is not to be had.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {self.host} port {self.port}: {error}; port 0 takes a free one"
            ) from error

    def allowed_hosts(self, *urls: str) -> AllowedHosts:
        """The hosts that a server at these URLs answers for."""
        return AllowedHosts(
            {self.host, *(URL(url).raw_host or "" for url in urls)},
            any_address=self.host in _EVERY_ADDRESS,
        )

    def url(self, listener: socket.socket) -> str:
        """The scheme, host and port that clients use."""
        if self.public_url is not None:
            return self.public_url
        address: tuple[str, int] = listener.getsockname()[:2]
        host, port = address
        # A client cannot connect to the wildcard address.
        host = _EVERY_ADDRESS.get(host, host)
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@attrs.frozen
class AdminSocket:
    """The Unix socket on which administration listens, for this machine only."""

    path: Path

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> "AdminSocket":
        """The socket at a path, which stays the same if the working directory changes."""
        return cls(Path(path).absolute())

    def open(self) -> socket.socket:
        """Return a listening socket, which only the server's user may open.

        Raises:
            ConfigurationError: The path cannot be used.
        """
        try:
            return _unix_listener(self.path)
        except OSError as error:
            raise ConfigurationError(
                f"administration cannot listen on {self.path}: {error}"
            ) from error

    def remove(self) -> None:
        """Delete the file of the socket."""
        self.path.unlink(missing_ok=True)


def _proxies(behind_proxy: bool, given: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    if given and not behind_proxy:
        raise ConfigurationError(
            "trusted_proxies are of a server with a proxy in front: add behind_proxy=True "
            "(--behind-proxy)"
        )
    if isinstance(given, str):
        raise ConfigurationError("trusted_proxies must be a list of addresses or networks")
    try:
        return tuple(map(ip_network, given or _THIS_MACHINE)) if behind_proxy else ()
    except ValueError as error:
        raise ConfigurationError(
            f"trusted_proxies must be addresses, such as 10.0.0.5, or networks, such as "
            f"10.1.0.0/16: {error}"
        ) from None


def _unix_listener(path: Path) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigurationError(
            "this system has no Unix sockets, on which administration behind a proxy listens"
        )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead_socket(path)
        # The file gets its mode as it is made: changed afterwards, it would be open until then.
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


def _checked_host(host: str, allow_any_host: bool) -> tuple[str, bool]:
    """Return the address, and whether only this machine can reach it."""
    if host == "localhost":
        # The name has two addresses, for which port 0 would take two different ports.
        return "127.0.0.1", True
    is_local = is_loopback(host)
    if not is_local and not allow_any_host:
        raise ConfigurationError(
            f"{host} is reachable from other machines; listen on 127.0.0.1, or say "
            "allow_any_host=True (--allow-any-host) if everybody there who has the key may have "
            "pages opened from this machine"
        )
    return host, is_local


def _checked_port(port: int) -> int:
    if not 0 <= port <= 65535:
        raise ConfigurationError(f"there is no port {port}; port 0 takes a free one")
    return port


def _checked_key(api_key: str | None) -> str:
    if api_key is None:
        return f"bu_local_{secrets.token_urlsafe(24)}"
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        # The key travels in the Authorization header.
        raise ConfigurationError("the API key must be printable ASCII without spaces")
    if len(api_key) < MIN_KEY:
        raise ConfigurationError(
            f"the API key has fewer than {MIN_KEY} characters, which programs can guess; leave it "
            "out for a random one, or take python3 -c 'import secrets; "
            "print(secrets.token_urlsafe(32))'"
        )
    return api_key


def _check_exposed(api_key: str | None, *, is_encrypted: bool) -> None:
    if api_key is None or len(api_key) < MIN_EXPOSED_KEY:
        raise ConfigurationError(
            "a server that other machines reach needs a key of your own of at least "
            f"{MIN_EXPOSED_KEY} characters: api_key (--api-key-file). A good one comes from "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    if not is_encrypted:
        raise ConfigurationError(
            "a server that other machines reach would send keys and live pages in the clear: "
            "pass tls_cert and tls_key (--tls-cert, --tls-key), or, if a proxy encrypts in front "
            "of it, behind_proxy=True and its public_url (--behind-proxy, --public-url)"
        )


def _checked_public_url(public_url: str) -> str:
    try:
        url = URL(public_url)
    except (ValueError, TypeError):
        url = URL()
    host = url.raw_host or ""
    here = is_loopback(host)
    if not host or url.scheme not in ({"http", "https"} if here else {"https"}):
        raise ConfigurationError(
            "public_url must be the https address that others use, such as https://tasks.example"
        )
    if url.user is not None or url.password is not None or url != url.origin() / "":
        raise ConfigurationError("public_url is scheme, host and port, and nothing behind them")
    return str(url.origin())


def _tls(
    tls_cert: str | os.PathLike[str] | None, tls_key: str | os.PathLike[str] | None
) -> ssl.SSLContext | None:
    if tls_cert is None and tls_key is None:
        return None
    if tls_cert is None or tls_key is None:
        raise ConfigurationError(
            "tls_cert and tls_key (--tls-cert, --tls-key) come together: the files of the "
            "certificate and of its private key"
        )
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
