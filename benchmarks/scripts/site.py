"""A site that serves itself in several versions, with other data than at the recording."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from string import Template
from typing import Any, ClassVar

import attrs
from aiohttp import web

__all__ = ["Case", "Do", "Download", "Redirect", "Site", "Version", "serve"]


# An action: fill LABEL VALUE, pick LABEL VALUE, secret LABEL NAME, click WORDS, scroll
Do = tuple[str, ...]

_WORDS = re.compile("«([^|»]*)[|]([^»]*)»")
_BLOCK = re.compile(r"<(only|not) (\w+)>(.*?)</\1>", re.DOTALL)
_ATTRIBUTE = re.compile(r'\b(class|id|name|for)=("?)([\w-]+)\2')
_NESTED = re.compile(r"<(input|button|form|table|ul|dl)\b([^>]*)>|</(button|form|table|ul|dl)>")
_PREFIX = "v2-"
_BANNER = """<div style="position:fixed;inset:0;background:#fffc;z-index:9"><div><p>We value your
privacy.</p><button onclick="this.closest('div[style]').remove()">Accept all</button>
<button onclick="this.closest('div[style]').remove()">Only necessary</button></div></div>"""


class Version(StrEnum):
    """How a site has changed since it was recorded; its data are other ones in all of them."""

    SAME = "same"
    TEXTS = "texts changed"
    STRUCTURE = "structure changed"
    BANNER = "banner in the way"
    GONE = "element gone"
    EVIL = "moved, evil"


@attrs.frozen
class Case:
    """The data of a run, and its expected result."""

    inputs: Mapping[str, str]
    answer: Any
    data: Mapping[str, Any] = attrs.field(factory=dict)  # the data of the pages
    sent: Sequence[tuple[str, ...]] = ()  # the only thing that must have been ordered or sent
    files: Mapping[str, bytes] = attrs.field(factory=dict)


@attrs.frozen
class Redirect:
    """An answer that leads on."""

    path: str


@attrs.frozen
class Download:
    """An answer that is a file."""

    name: str
    content: bytes


class Site:
    """One site. Each order or change is recorded in `log`, so that it can be checked."""

    kind: ClassVar[str]
    asks: ClassVar[str]  # the task, without the address
    does: ClassVar[Sequence[Do]]
    first: ClassVar[Case]
    later: ClassVar[Case]
    changes: ClassVar[bool] = False
    secrets: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        self.url = ""
        self.log: list[tuple[str, ...]] = []
        self.renamed: dict[str, str] = {}  # the other texts, by the usual ones
        self.show(self.first, Version.SAME)

    def show(self, case: Case, version: Version) -> None:
        """From now on show this."""
        self.case, self.version = case, version
        self.log.clear()

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The page at a path (a text), or a redirect, a file, or JSON; None if there is none."""
        raise NotImplementedError

    def page(self, template: str, **values: object) -> str:
        """A page as its version shows it."""
        self.renamed |= dict(_WORDS.findall(template))
        words = r"\2" if self.version is Version.TEXTS else r"\1"
        html = _WORDS.sub(words, _BLOCK.sub(self._block, template))
        if self.version is Version.STRUCTURE:
            html = _NESTED.sub(_nested, _ATTRIBUTE.sub(rf"\1=\2{_PREFIX}\3\2", html))
        if self.version is Version.BANNER and "<title>" in html:
            html += _BANNER
        return Template(html).safe_substitute({**self.case.inputs, **values})

    def _block(self, match: re.Match[str]) -> str:
        is_meant = self.version.name.casefold() in match[2]
        return match[3] if is_meant is (match[1] == "only") else ""

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        given = {**request.query, **(await request.post() if request.method == "POST" else {})}
        named = {name.removeprefix(_PREFIX): str(value) for name, value in given.items()}
        said = None if "favicon" in request.path else await self.answer(request.path, named)
        if said is None:
            raise web.HTTPNotFound
        if isinstance(said, Redirect):
            raise web.HTTPSeeOther(said.path)
        if isinstance(said, Download):
            header = {"Content-Disposition": f"attachment; filename={said.name}"}
            return web.Response(body=said.content, headers=header, content_type="text/csv")
        if not isinstance(said, str):
            return web.json_response(said)
        return web.Response(text=f"<!doctype html><html>{said}</html>", content_type="text/html")


def _nested(match: re.Match[str]) -> str:
    """Each control and list in one more element."""
    if match[3]:
        return f"</{match[3]}></span>" if match[3] == "button" else f"</{match[3]}></section>"
    around = "span" if match[1] in {"input", "button"} else "section"
    return f"<{around}>{match[0]}" + ("</span>" if match[1] == "input" else "")


@asynccontextmanager
async def serve(site: Site) -> AsyncGenerator[Site]:
    """Serve a site on a port of its own."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", site.respond)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield site
    finally:
        await runner.cleanup()
