"""The scripts of the pages: ES modules at an address that names their contents."""

import hashlib
import json
from functools import cache
from importlib.resources import files

from aiohttp import web

SCRIPT_PATH = "/assets/{version}/{folder}/{name}"
"""The path of each script."""

_FOLDERS = ("app", "live", "vendor")
_ENDING = ".js"
# The name by which scripts import the one that is not ours.
_LIBRARY, _LIBRARY_FILE = "htm/preact", "vendor/htm-preact.js"
# Other contents have another address.
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


def script(version: str, folder: str, name: str) -> web.Response:
    """Return a script.

    Raises:
        HTTPNotFound: There is none of this name, or it has other contents by now.
    """
    body = _contents().get(f"{folder}/{name}")
    if body is None or version != _version():
        raise web.HTTPNotFound
    return web.Response(
        body=body, content_type="text/javascript", charset="utf-8", headers=_HEADERS
    )


def script_elements(name: str, nonce: str) -> str:
    """Return the HTML that runs a script and what it imports.

    Args:
        name: The script, as a path below the assets.
        nonce: What the page's content policy allows; the scripts that are imported inherit it.
    """
    return (
        f'<script type="importmap" nonce="{nonce}">{_import_map()}</script>\n'
        f'<script type="module" nonce="{nonce}" src="{_address(name)}"></script>'
    )


@cache
def _contents() -> dict[str, bytes]:
    assets = files("browser_use_async.server.pages").joinpath("assets")
    return {
        f"{folder}/{each.name}": each.read_bytes()
        for folder in _FOLDERS
        for each in assets.joinpath(folder).iterdir()
        if each.name.endswith(_ENDING)
    }


@cache
def _version() -> str:
    digest = hashlib.sha256()
    for name, body in sorted(_contents().items()):
        digest.update(f"{name} {len(body)}\n".encode() + body)
    return digest.hexdigest()[:16]


def _address(name: str) -> str:
    folder, _, file = name.partition("/")
    return SCRIPT_PATH.format(version=_version(), folder=folder, name=file)


@cache
def _import_map() -> str:
    return json.dumps({"imports": {_LIBRARY: _address(_LIBRARY_FILE)}})
