"""The page at `/`: what this server is, and how to point a client at it."""

from aiohttp import web

from browser_use_async.server.backend import Backend
from browser_use_async.server.pages.templates import html_page

__all__ = ["home_page"]


def home_page(backend: Backend) -> web.Response:
    """The page. It shows no key and no task: anybody who reaches the port may see it.

    Args:
        backend: The server.
    """
    values = {
        "server_url": backend.links.url,
        "base_url": backend.links.base_url,
        "ping_url": f"{backend.links.base_url}/ping",
        "executor": backend.executor_name,
    }
    return html_page("home.html", values, {})
