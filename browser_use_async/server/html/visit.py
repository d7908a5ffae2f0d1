"""Opening a page: redirects hop by hop, each one judged by where it leads."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate, mktime_tz, parsedate_tz
from http import HTTPStatus
from http.cookies import CookieError, Morsel, SimpleCookie
from typing import Any
from urllib.parse import quote

import aiohttp
import attrs
from yarl import URL

from browser_use_async.server.egress.http_client import (
    HttpClient,
    HttpClientError,
    HttpRefusedError,
    HttpResponse,
)
from browser_use_async.server.egress.web_addresses import absolute
from browser_use_async.server.html.document import (
    UnreadableDocumentError,
    read_document,
    type_of_file,
)
from browser_use_async.server.html.page import Page

MAX_REDIRECTS = 5
_LATEST = 4_102_444_800  # seconds since 1970: the latest end of a cookie, in the year 2100
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ACCEPT = "text/html,application/xhtml+xml,text/plain,application/json,text/csv;q=0.9,*/*;q=0.1"


class PageNotOpenedError(Exception):
    """A page that could not be opened or read."""

    def __init__(self, reason: str, url: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.url = url


@attrs.frozen
class Visit:
    """A page that was opened."""

    page: Page
    # whether it came from a public host, so that its links must not lead to private ones
    is_public: bool = True


class Cookies:
    """The cookies of one task: those of its profile, and those that pages set."""

    def __init__(self, kept: Sequence[Mapping[str, Any]] = ()) -> None:
        self._jar = aiohttp.CookieJar(unsafe=True)  # a host without a name may set cookies, too
        # Names and domains of cookies that subdomains get, too; the jar does not tell them.
        self._wide: set[tuple[str, str]] = set()
        for each in kept:
            cookie, domain = SimpleCookie(), str(each["domain"])
            try:
                cookie[each["name"]] = each["value"]
            except CookieError:
                continue
            morsel, host = cookie[each["name"]], domain.lstrip(".")
            morsel["domain"] = host if domain.startswith(".") else ""
            morsel["path"], morsel["samesite"] = each.get("path", "/"), each.get("sameSite") or ""
            morsel["secure"], morsel["httponly"] = bool(each.get("secure")), each.get("httpOnly")
            if (expires := each.get("expires") or -1) > 0:
                morsel["expires"] = formatdate(min(expires, _LATEST), usegmt=True)
            self._add(cookie, URL.build(scheme="https", host=host))

    def note(self, answer: HttpResponse) -> None:
        """Keep what an answer sets."""
        for header in answer.headers.getall("Set-Cookie", []):
            with contextlib.suppress(CookieError, OverflowError):
                self._add(SimpleCookie(header), URL(answer.url))

    def _add(self, cookie: "SimpleCookie", url: URL) -> None:
        host = url.host or ""
        for name, morsel in cookie.items():
            domain = morsel["domain"].lstrip(".").lower()
            if not domain:
                self._wide.discard((name, host))
            elif f".{host}".endswith(f".{domain}"):  # others the jar refuses
                self._wide.add((name, domain))
        self._jar.update_cookies(cookie, url)

    def header(self, url: str) -> dict[str, str]:
        """The header of a request."""
        try:
            found = self._jar.filter_cookies(URL(url)).values()
        except ValueError:  # no address, which the client says
            return {}
        said = "; ".join(f"{each.key}={each.coded_value}" for each in found)
        return {"Cookie": said} if said else {}

    def all(self) -> list[Mapping[str, Any]]:
        """All of them, with the fields that browsers give them."""
        return [self._fields(each) for each in self._jar]

    def _fields(self, each: "Morsel[str]") -> dict[str, Any]:
        is_wide = (each.key, each["domain"]) in self._wide
        fields: dict[str, Any] = {
            "name": each.key,
            "value": each.value,
            "domain": f".{each['domain']}" if is_wide else each["domain"],
            "path": each["path"] or "/",
        }
        with contextlib.suppress(ValueError, OverflowError):  # what no clock has: until the end
            if each["max-age"]:
                fields["expires"] = min(time.time() + int(each["max-age"]), _LATEST)
            elif found := parsedate_tz(each["expires"]):
                fields["expires"] = min(mktime_tz(found), _LATEST)
        flags = {"secure": bool(each["secure"]), "httpOnly": bool(each["httponly"])}
        fields |= {name: True for name, is_on in flags.items() if is_on}
        if (same := each["samesite"].capitalize()) in {"Strict", "Lax", "None"}:
            fields["sameSite"] = same
        return fields


async def open_file(name: str, content: bytes) -> Page:
    """Read a file that came with a task."""
    url = f"file:///{quote(name)}"
    try:
        return await read_document(url, type_of_file(name), content)
    except UnreadableDocumentError as error:
        raise PageNotOpenedError(f"The file {name} cannot be read: {error}.", url) from error


async def open_page(
    outbound: HttpClient, url: str, *, from_public: bool = False, cookies: Cookies | None = None
) -> Visit:
    """Open a page and read it."""
    passed: list[str] = []
    target = url
    while len(passed) <= MAX_REDIRECTS:
        headers = {"Accept": _ACCEPT, **(cookies.header(target) if cookies is not None else {})}
        answer = await _ask(outbound, target, headers, from_public=from_public)
        from_public = from_public or answer.is_public
        if cookies is not None:
            cookies.note(answer)
        passed.append(answer.url)
        if answer.status not in _REDIRECTS:
            return Visit(await _read(answer), answer.is_public)
        location = answer.headers.get("Location", "").strip()
        target = absolute(URL(answer.url), location) if location else ""
        if not target:
            raise PageNotOpenedError(f"{answer.url} redirects to nowhere.", answer.url)
        if str(URL(target).with_fragment(None)) in passed:
            raise PageNotOpenedError(f"{url} redirects in a circle.", target)
    raise PageNotOpenedError(f"{url} redirects more than {MAX_REDIRECTS} times.", target)


async def _ask(
    outbound: HttpClient, url: str, headers: Mapping[str, str], *, from_public: bool
) -> HttpResponse:
    shown = _shown(url)
    try:
        return await outbound.send("GET", url, headers=headers, from_public=from_public)
    except HttpRefusedError as error:
        raise PageNotOpenedError(f"{shown} {error.refusal.reason}.", shown) from error
    except HttpClientError as error:
        raise PageNotOpenedError(f"{shown} could not be opened: {error}.", shown) from error


async def _read(answer: HttpResponse) -> Page:
    url = answer.url
    if not 200 <= answer.status < 300:
        raise PageNotOpenedError(f"{url} answered {in_words(answer.status, answer.reason)}.", url)
    try:
        return await read_document(url, answer.headers.get("Content-Type", ""), answer.body)
    except UnreadableDocumentError as error:
        raise PageNotOpenedError(f"{url} could not be read: {error}.", url) from error


def in_words(status: int, phrase: str = "") -> str:
    """A status of HTTP with its phrase, or with the given one where it has none."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else phrase
    return f"{status} {phrase}".strip()


def _shown(url: str) -> str:
    """An address without the user name and password that may stand in it."""
    try:
        return str(URL(url).with_user(None))
    except ValueError:
        return url
