"""The server's applications at their addresses, until they are closed."""

import asyncio
import socket
from contextlib import AsyncExitStack

from aiohttp import web

from browser_use_async.server.access_log import LOGGER as ACCESS_LOG
from browser_use_async.server.access_log import AccessLogger
from browser_use_async.server.connections import HEAD_SECONDS, Connections, most_connections
from browser_use_async.server.listen_address import AdminAddress, ListenAddress

# Seconds for requests under way when the server closes.
_CLOSE_SECONDS = 2.0


async def prepare_service(
    stack: AsyncExitStack,
    application: web.Application,
    address: ListenAddress,
    listener: socket.socket,
) -> asyncio.Server:
    """Get everything ready to answer at an address; nobody is answered before it serves."""
    serving = web.AppRunner(application, shutdown_timeout=_CLOSE_SECONDS)
    stack.push_async_callback(serving.cleanup)
    await serving.setup()
    assert serving.server is not None
    connections = Connections(most_connections()).factory(
        serving.server, access_log=ACCESS_LOG, access_log_class=AccessLogger
    )
    tls = address.tls
    listening = await asyncio.get_running_loop().create_server(
        connections,
        sock=listener,
        backlog=128,
        ssl=tls,
        # Connections count from the end of the handshake on.
        ssl_handshake_timeout=HEAD_SECONDS if tls is not None else None,
        start_serving=False,
    )
    stack.callback(listening.close)
    return listening


async def serve_administration(
    stack: AsyncExitStack, application: web.Application, address: AdminAddress
) -> str | None:
    """Answer at the address for administration; gives it if it is a port."""
    listener = address.open()
    stack.callback(address.remove)
    stack.callback(listener.close)
    serving = web.AppRunner(
        application,
        access_log=ACCESS_LOG,
        access_log_class=AccessLogger,
        shutdown_timeout=_CLOSE_SECONDS,
    )
    stack.push_async_callback(serving.cleanup)
    await serving.setup()
    await web.SockSite(serving, listener).start()
    return address.url(listener)
