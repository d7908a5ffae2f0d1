"""The application for people: one document, whose script shows tasks, schedules and keys."""

import json
from collections.abc import Sequence
from functools import lru_cache

from aiohttp import web

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.server.pages.templates import fragment, html_page
from browser_use_async.server.schedule import SCHEDULE_MODEL
from browser_use_async.server.signed_links import Links
from browser_use_async.types.enums import LlmModel, ProxyCountry

# The paths below `/` at which the same document stands.
SECTIONS = (
    "/overview",
    "/tasks/{task_id}",
    "/schedules",
    "/scripts",
    "/scripts/{script_name}",
    "/profiles",
    "/files",
    "/webhooks",
    "/keys",
)

_SCRIPTS = (
    "vendor/htm-preact.js",
    *(
        f"app/{name}.js"
        for name in (
            "core", "address", "format", "parts", "keyboard", "request", "prose", "json_view",
            "rows", "composer", "tasks", "overview", "recording", "timeline", "task_details",
            "task", "schedules", "scripts", "profiles", "files", "webhooks", "keys", "frame",
        )
    ),
)  # fmt: skip


def application_page(links: Links, executor_name: str, nodes: Sequence[str]) -> web.Response:
    """Return the document. It contains no key and no task, so it needs no authentication.

    Its script calls the API with the key that the user types.

    Args:
        links: Addresses of this server.
        executor_name: The executor, as the page shows it.
        nodes: The addresses of other servers, to which a live page may lead.
    """
    page = _document(links.url, links.base_url, executor_name, *nodes)
    return web.Response(body=page.body, headers=page.headers)


@lru_cache(maxsize=16)  # one for all clients, who may be slow to read it
def _document(url: str, base_url: str, executor_name: str, *nodes: str) -> web.Response:
    values = {
        "server_url": url,
        "base_url": base_url,
        "ping_url": f"{base_url}/ping",
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
        scripts=_SCRIPTS,
        embeddable=False,
        frames=("'self'", *nodes),
    )


def icon() -> web.Response:
    """Return the icon of all pages."""
    headers = {"Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
    return web.Response(text=fragment("icon.svg"), content_type="image/svg+xml", headers=headers)
