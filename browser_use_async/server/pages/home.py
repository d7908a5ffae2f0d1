"""The application for people: one document, whose script shows tasks, schedules and keys."""

import json
from collections.abc import Sequence

from aiohttp import web

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.server.pages.links import Links
from browser_use_async.server.pages.templates import fragment, html_page
from browser_use_async.server.storage.schedule import SCHEDULE_MODEL
from browser_use_async.types.enums import LlmModel, ProxyCountry

# The paths below `/` at which the same document stands.
SECTIONS = (
    "/overview",
    "/tasks/{task_id}",
    "/batches",
    "/schedules",
    "/scripts",
    "/scripts/{script_name}",
    "/profiles",
    "/files",
    "/webhooks",
    "/keys",
)


def application_page(links: Links, executor_name: str, nodes: Sequence[str]) -> web.Response:
    """Return the document. It contains no key and no task, so it needs no authentication.

    Its script calls the API with the key that the user types.

    Args:
        links: Addresses of this server.
        executor_name: The executor, as the page shows it.
        nodes: The addresses of other servers, to which a live page may lead.
    """
    values = {
        "server_url": links.url,
        "base_url": links.base_url,
        "ping_url": f"{links.base_url}/ping",
        "api_prefix": API_PREFIX,
        "executor": executor_name,
        "schedule_model": str(SCHEDULE_MODEL),
        "models": json.dumps([str(each) for each in LlmModel]),
        "countries": json.dumps([str(each) for each in ProxyCountry]),
    }
    # Clickjacking: a page of another server must not embed this one in a frame.
    return html_page(
        "app.html",
        values,
        {},
        styles=("app/app.css", "app/sections.css"),
        script="app/frame.js",
        embeddable=False,
        frames=("'self'", *nodes),
    )


def icon() -> web.Response:
    """Return the icon of all pages."""
    headers = {"Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
    return web.Response(text=fragment("icon.svg"), content_type="image/svg+xml", headers=headers)
