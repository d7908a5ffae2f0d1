"""The page at `/`: the tasks of this server, and how to point a client at it."""

from aiohttp import web

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.server.backend import Backend
from browser_use_async.server.pages.templates import fragment, html_page

__all__ = ["home_page", "icon"]


def home_page(backend: Backend) -> web.Response:
    """The page. It holds no key and no task: anybody who reaches the port may see it.

    Its script asks the API, with the key that the person types.
    """
    values = {
        "server_url": backend.links.url,
        "base_url": backend.links.base_url,
        "ping_url": f"{backend.links.base_url}/ping",
        "api_prefix": API_PREFIX,
        "executor": backend.executor_name,
    }
    # In a frame of another server's page a person could be led to click what they do not see.
    return html_page(
        "home.html", values, {}, styles=("home.css",), scripts=("home.js",), embeddable=False
    )


def icon() -> web.Response:
    """What browsers show in the tabs of all pages."""
    headers = {"Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
    return web.Response(text=fragment("icon.svg"), content_type="image/svg+xml", headers=headers)
