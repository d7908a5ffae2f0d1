"""HTML pages with inline styles, the scripts of this server, and a strict content policy."""

import base64
import hashlib
import html
import secrets
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import Template

from aiohttp import web

from browser_use_async.server.pages.scripts import script_elements

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the address of a live page is a secret
    "X-Content-Type-Options": "nosniff",
}


@cache
def fragment(name: str) -> str:
    """Return a file from the assets."""
    assets = files("browser_use_async.server.pages").joinpath("assets")
    return assets.joinpath(name).read_text(encoding="utf-8")


def html_page(
    template: str,
    values: Mapping[str, str],
    markup: Mapping[str, str],
    *,
    styles: Sequence[str] = (),
    script: str | None = None,
    embeddable: bool = True,
    frames: Sequence[str] = (),
) -> web.Response:
    """Render a template; one with `frames` shows recordings and live pages of these sources.

    `script` is the one that the page runs, as a path below the assets.
    """
    style = "".join(map(fragment, ("page.css", *styles)))
    nonce = secrets.token_urlsafe(16)
    allowed_scripts = "'none'" if script is None else f"'nonce-{nonce}'"
    # Values are escaped here; `markup` is HTML already, built from escaped parts.
    text = Template(fragment(template)).substitute(
        {name: html.escape(value) for name, value in values.items()},
        **markup,
        style=style,
        script="" if script is None else script_elements(script, nonce),
    )
    # Nothing is loaded from elsewhere, and no script runs without the nonce of this one answer, so
    # that a task's text could not run scripts even if it were not escaped. It stands before all
    # texts, which could otherwise take it over. Frames are blob: URLs.
    policy = (
        "default-src 'none'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
        f"form-action 'none'; style-src {_allowed(style)}; "
        f"script-src {allowed_scripts}"
    )
    if frames:
        policy += f"; frame-src {' '.join(frames)}; media-src 'self'"
    if not embeddable:
        policy += "; frame-ancestors 'none'"
    return web.Response(
        body=text.encode("utf-8", "replace"),  # an output may hold half a surrogate pair
        content_type="text/html",
        charset="utf-8",
        headers={**_HEADERS, "Content-Security-Policy": policy},
    )


@cache
def _allowed(source: str) -> str:
    """The content policy that allows exactly this inline style."""
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
