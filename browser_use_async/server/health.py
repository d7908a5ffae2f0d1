"""Whether a server can do its work, for load balancers and whatever starts it again."""

import asyncio

from aiohttp import web

from browser_use_async.server.responses import RefusalError, json_response
from browser_use_async.server.storage.database import Database

_DATABASE_SECONDS = 2.0
"""Seconds that the database has for its answer: probes do not wait longer either."""


async def health_response(database: Database) -> web.Response:
    """Answer 200, or 503 when the database does not answer; anybody may ask, so no details."""
    try:
        async with asyncio.timeout(_DATABASE_SECONDS):
            await database.rows("SELECT COUNT(*) FROM server_keys")
    except (RefusalError, TimeoutError):
        return json_response({"status": "unavailable"}, 503)
    return json_response({"status": "ok"})
