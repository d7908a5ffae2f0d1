"""The address to listen on, its certificate, and the socket of the administration."""

import os
import secrets
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.http.access import AllowedHosts
from browser_use_async.server.settings.settings import ListenSettings, public_origin

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound to here


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
