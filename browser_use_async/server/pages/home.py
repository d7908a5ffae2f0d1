"""The pages at `/` and `/docs`: the tasks of this server, and every call with its price."""

from html import escape

from aiohttp import web

from browser_use_async.api.endpoint_table import (
    API_PREFIX,
    CREATE_SCHEDULED_TASK,
    ENDPOINTS,
    RUN_TASK,
    SEARCH_URL,
    SIMPLE_SEARCH,
    Endpoint,
)
from browser_use_async.prices import (
    STEP_CENTS,
    TASK_START_CENTS,
    search_url_cents,
    simple_search_cents,
)
from browser_use_async.server.backend import Backend
from browser_use_async.server.keys.scopes import SCOPES
from browser_use_async.server.pages.templates import fragment, html_page

_STEPS = f"{min(STEP_CENTS.values())} to {max(STEP_CENTS.values())} ¢ per step, by model"
_TASK = f"{TASK_START_CENTS} ¢, and {_STEPS}"
_PRICES: dict[Endpoint, str] = {
    RUN_TASK: _TASK,
    CREATE_SCHEDULED_TASK: f"each run: {_TASK}",
    SIMPLE_SEARCH: f"{simple_search_cents(1, 1)} ¢ per website and level of depth",
    SEARCH_URL: f"{search_url_cents(1)} ¢ per level of depth",
}


def home_page(backend: Backend) -> web.Response:
    """Return the page at `/`, which holds no key and no task: it needs no authentication.

    Its script calls the API with the key that the user types.
    """
    values = {
        "server_url": backend.links.url,
        "base_url": backend.links.base_url,
        "ping_url": f"{backend.links.base_url}/ping",
        "api_prefix": API_PREFIX,
        "executor": backend.executor_name,
    }
    # Clickjacking: a page of another server must not embed this one in a frame.
    return html_page(
        "home.html", values, {}, styles=("home.css",), scripts=("home.js",), embeddable=False
    )


def icon() -> web.Response:
    """Return the icon of all pages."""
    headers = {"Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
    return web.Response(text=fragment("icon.svg"), content_type="image/svg+xml", headers=headers)


def calls_page(backend: Backend) -> web.Response:
    """Return the page at `/docs`, which needs no authentication either."""
    values = {"server_url": backend.links.url, "base_url": backend.links.base_url}
    return html_page("calls.html", values, {"sections": "\n".join(_sections())})


def _sections() -> list[str]:
    names = dict.fromkeys(endpoint.section for endpoint in ENDPOINTS)
    return [_section(name) for name in names]


def _section(name: str) -> str:
    rows = "\n".join(_row(endpoint) for endpoint in ENDPOINTS if endpoint.section == name)
    return f"<h2>{escape(name)}</h2>\n<ul>\n{rows}\n</ul>"


def _row(endpoint: Endpoint) -> str:
    notes = [_PRICES.get(endpoint, "free")]
    if endpoint.subscription:
        notes.append("needs a subscription")
    if not endpoint.authenticated:
        notes.append("needs no key")
    elif (scope := SCOPES[endpoint.name]) is not None:
        notes.append(f"needs the scope {scope}")
    path = escape(API_PREFIX + endpoint.path)
    return (
        f"<li><p><b>{endpoint.method}</b> <code>{path}</code></p>"
        f"<p>{escape(endpoint.summary)}</p>"
        f'<p class="note">{escape("; ".join(notes))}</p></li>'
    )
