"""Small sites for one test each, which record their requests."""

import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import attrs
from aiohttp import web

__all__ = ["Site", "png_size", "serve_pages"]


@attrs.frozen
class Site:
    """A site on a port of its own.

    Attributes:
        port: The port.
        asked: The requested paths, in order.
        cookies: The cookies that came with each request.
    """

    port: int
    asked: list[str] = attrs.field(factory=list)
    cookies: list[Mapping[str, str]] = attrs.field(factory=list)

    @property
    def url(self) -> str:
        """Its address on 127.0.0.1."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_url(self) -> str:
        """The same site under a name that is another domain."""
        return f"http://localhost:{self.port}"


@asynccontextmanager
async def serve_pages(
    pages: Mapping[str, str | web.Response],
) -> AsyncIterator[Site]:
    """Serve pages by their paths.

    Args:
        pages: HTML, in which OTHER is the site under another name; or REDIRECT and an address;
            or a whole answer.
    """
    asked: list[str] = []
    cookies: list[Mapping[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        cookies.append(dict(request.cookies))
        page = pages.get(request.path)
        if page is None:
            raise web.HTTPNotFound
        if isinstance(page, str):
            text = page.replace("OTHER", f"http://localhost:{request.url.port}")
            if text.startswith("REDIRECT "):
                raise web.HTTPFound(text.removeprefix("REDIRECT "))
            response = web.Response(text=text, content_type="text/html")
            if request.query.get("cookie"):
                response.set_cookie("visited", request.query["cookie"], max_age=3600)
            return response
        assert isinstance(page, web.Response)
        return web.Response(body=page.body, headers=page.headers)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Site(runner.addresses[0][1], asked, cookies)
    finally:
        await runner.cleanup()


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack_from(">II", png, 16)
    return width, height
