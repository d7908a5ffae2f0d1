"""The API sections Files, Search, User and Health Check."""

import unicodedata
from typing import Any

from browser_use_async import types
from browser_use_async.api import endpoint_table as table
from browser_use_async.api.limits import content_type_of, is_supported_content_type
from browser_use_async.prices import search_url_cents, simple_search_cents
from browser_use_async.server.errors import (
    UnavailableError,
    UnsupportedError,
    WebsiteUnavailableError,
    invalid_field,
)
from browser_use_async.server.html.visit import PageNotOpenedError
from browser_use_async.server.http.routes import operation
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage.account import Charge

_LONGEST_NAME = 255
# Names of devices on Windows, with any extension.
_RESERVED = frozenset(
    {
        "con",
        "prn",
        "aux",
        "nul",
        *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
    }
)


# --- files ----------------------------------------------------------------------------------


@operation(table.CREATE_UPLOAD_URL)
def create_upload_url(server: RunningServer, request: types.UploadRequest) -> types.UploadUrl:
    """Return a signed link for the upload of a file."""
    problem = _problem_of(request.file_name)
    if problem is not None:
        raise UnsupportedError(problem)
    # No line breaks: in the signature they separate two parts.
    is_supported = request.content_type.isprintable() and is_supported_content_type(
        request.content_type
    )
    if content_type_of(request.file_name) is None or not is_supported:
        raise UnsupportedError("Unsupported content type")
    return types.UploadUrl(server.links.upload_url(request.file_name, request.content_type))


def _problem_of(name: str) -> str | None:
    """Why a file name is invalid on some systems, or None."""
    # In bytes, as file systems count.
    if len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        return f"The file name is longer than {_LONGEST_NAME} bytes"
    if any(character in '/\\:*?"<>|' for character in name):
        return "The file name contains a character that file systems do not accept"
    if any(unicodedata.category(character).startswith("C") for character in name):
        return "The file name contains a control character"
    if name.startswith(".") or name != name.strip(" ."):
        return "The file name begins or ends with a dot or a space"
    if name.partition(".")[0].lower() in _RESERVED:
        return "The file name is reserved on some systems"
    return None


# --- search: both calls are charged before anything is read ---------------------------------


@operation(table.SIMPLE_SEARCH)
async def simple_search(
    server: RunningServer, request: types.SimpleSearchRequest, charge: Charge | None = None
) -> types.SearchResults:
    """Search the web and read the best pages live."""
    addresses = server.search.backend
    if addresses is None:
        raise UnavailableError(
            "This server has no search backend; start it with --search searxng:URL for the "
            "address of a SearXNG server, or with --search URL for websites to index",
        )
    websites, depth = _chosen(request.max_websites, 5), _chosen(request.depth, 2)
    await (charge or server.stores.account.spend)(simple_search_cents(websites, depth))
    return types.SearchResults(
        await server.search.simple_search(addresses, request.query, websites, depth)
    )


@operation(table.SEARCH_URL)
async def search_url(
    server: RunningServer, request: types.SearchUrlRequest, charge: Charge | None = None
) -> types.SearchResult:
    """Search one website live."""
    if not request.url.startswith(("http://", "https://")):
        message = "the URL should begin with http:// or https://"
        raise invalid_field(("url",), message, request.url, {"error": "no http(s) address"})
    depth = _chosen(request.depth, 2)
    await (charge or server.stores.account.spend)(search_url_cents(depth))
    try:
        return await server.search.search_url(request.url, request.query, depth)
    except PageNotOpenedError as error:
        raise WebsiteUnavailableError(error.reason) from error


def _chosen(value: Any, fallback: int) -> int:
    return fallback if value is types.UNSET else int(value)


# --- user and health check ------------------------------------------------------------------


@operation(table.CHECK_BALANCE)
async def check_balance(server: RunningServer) -> types.Balance:
    """Return the balance of the account that pays."""
    return types.Balance(cents=await server.stores.account.balance_cents())


@operation(table.ME)
def me(server: RunningServer) -> bool:
    """Return True; requests with a wrong key are refused earlier."""
    return True


@operation(table.PING)
def ping(server: RunningServer) -> None:
    """Answer, since the server can be reached."""
