"""The client of commands for the administration of a bundled server."""

from pathlib import Path

import click
from yarl import URL

from browser_use_async.cli.connect import configured
from browser_use_async.cli.options import ServerOptions, option
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.keys.admin_client import AdminClient

_NO_SERVER = (
    "this command needs a bundled server: name a running one with --base-url, "
    "BROWSER_USE_BASE_URL, `browser-use-async login` or --admin-socket"
)
_REMEDY = "run `browser-use-async login`, set BROWSER_USE_API_KEY, or pass --api-key file:PATH"
ADMIN_SOCKET = option(
    "--admin-socket FILE",
    "the Unix socket of the server's administration (`serve --admin-socket`)",
    type=click.Path(path_type=Path),
)


def admin_client(server: ServerOptions) -> AdminClient:
    """A client for the administration of the server in the options.

    Raises:
        ConfigurationError: The options name no server, or there is no key.
    """
    configuration, socket = configured(server), server.admin_socket
    if server.local or ("base_url" not in configuration.places and socket is None):
        raise ConfigurationError(_NO_SERVER)
    if configuration.api_key is None:
        raise configuration.missing_key(_REMEDY)
    origin = "" if socket is not None else str(URL(configuration.base_url).origin())
    return AdminClient(origin, configuration.api_key.reveal(), socket)
