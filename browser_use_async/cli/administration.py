"""How commands reach the administration of a bundled server."""

import os
from pathlib import Path

import click
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.cli.options import ServerOptions, option
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.keys.admin_client import AdminClient
from browser_use_async.types.secrets import Secret

_NO_SERVER = (
    "this is asked of a bundled server: name a running one with --base-url (or "
    "BROWSER_USE_BASE_URL) or --admin-socket"
)
_NO_KEY = "no API key: set BROWSER_USE_API_KEY, or pass --api-key file:PATH"
ADMIN_SOCKET = option(
    "--admin-socket FILE",
    "the Unix socket on which the running server's administration listens",
    type=click.Path(path_type=Path),
)


def admin_client(server: ServerOptions, socket: Path | None) -> AdminClient:
    """A client of the administration of the server that the options name.

    Raises:
        ConfigurationError: They name none, or there is no key.
    """
    key = server.given_key() or os.environ.get("BROWSER_USE_API_KEY")
    base_url = server.base_url or os.environ.get("BROWSER_USE_BASE_URL")
    if server.local or (base_url is None and socket is None):
        raise ConfigurationError(_NO_SERVER)
    if not key:
        raise ConfigurationError(_NO_KEY)
    Secret(key).check_as_key()
    if socket is not None:
        return AdminClient("", key, socket)
    origin = _origin(base_url or "", allow_insecure_http=server.allow_insecure_http)
    return AdminClient(origin, key, None)


def _origin(base_url: str, *, allow_insecure_http: bool) -> str:
    try:
        url = URL(base_url)
        origin, host = str(url.origin()), url.host or ""
    except ValueError:
        raise ConfigurationError("--base-url must be the address of a server") from None
    if url.scheme != "https" and not is_loopback(host) and not allow_insecure_http:
        raise ConfigurationError(
            f"{origin} would get the key in the clear; use https://, or ask on its machine"
        )
    return origin
