"""A small shop on loopback: a login, prices, a download, an upload, an order."""

import asyncio
from typing import Self

from aiohttp import web

__all__ = ["Shop"]

_PAGE = """<!doctype html><html lang="en"><head><title>{title}</title></head>
<style>input {{ caret-color: transparent }}</style>
<body style="background:{colour}"><h1>{title}</h1>{body}</body></html>"""

_HOME = """<p><a href="/prices">Prices</a> <a href="/login">Log in</a>
<a href="/report.csv" download>Report</a> <a href="/upload">Send a file</a></p>"""
_LOGIN = """<form method="post"><input name="user" placeholder="User name">
<input name="password" type="password" placeholder="Password"><button>Enter</button></form>"""
_UPLOAD = """<form method="post" enctype="multipart/form-data"><input type="file" name="file">
<button>Send</button></form>"""
# Draws what it has got later than it has got it.
_ORDER = """<button onclick="order()">Order</button><dl></dl><script>
async function order() {
  const number = await (await fetch('/number', {method: 'POST'})).text();
  setTimeout(() => document.querySelector('dl').innerHTML = '<dt>Number<dd>' + number, 400);
}</script>"""


class Shop:
    """The shop. Use it as an async context manager.

    Attributes:
        url: Its address, without a slash at the end.
        logins: The names and passwords that came.
        uploads: The files that came.
        visitors: The cookies that came with the front page.
        answers: Set when the number of an order may be given.
    """

    def __init__(self) -> None:
        self.url = ""
        self.logins: list[tuple[str, str]] = []
        self.uploads: dict[str, bytes] = {}
        self.visitors: list[str] = []
        self.answers = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        for path, answer in (
            ("/", self._home),
            ("/prices", self._prices),
            ("/login", self._login),
            ("/report.csv", self._report),
            ("/upload", self._upload),
            ("/order", self._order),
            ("/number", self._number),
        ):
            application.router.add_route("*", path, answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _home(self, request: web.Request) -> web.Response:
        self.visitors.append(request.cookies.get("visitor", ""))
        response = _page("The shop", _HOME, "#ffe8e8")
        response.set_cookie("visitor", "known")
        return response

    async def _prices(self, _: web.Request) -> web.Response:
        return _page("Prices", "<table><tr><td>Tea<td>3<tr><td>Coffee<td>4</table>", "#e8ffe8")

    async def _order(self, _: web.Request) -> web.Response:
        return _page("Order", _ORDER, "#e8ffff")

    async def _number(self, _: web.Request) -> web.Response:
        await self.answers.wait()
        return web.Response(text="A-77")

    async def _login(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return _page("Log in", _LOGIN, "#e8e8ff")
        form = await request.post()
        self.logins.append((str(form["user"]), str(form["password"])))
        return _page("Welcome", f"<p>You are {form['user']} with {form['password']}</p>", "#fff")

    async def _report(self, _: web.Request) -> web.Response:
        headers = {"Content-Disposition": 'attachment; filename="report.csv"'}
        return web.Response(text="tea,3\ncoffee,4\n", content_type="text/csv", headers=headers)

    async def _upload(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return _page("Send a file", _UPLOAD, "#ffffe8")
        file = (await request.post())["file"]
        assert isinstance(file, web.FileField)
        self.uploads[file.filename] = file.file.read()
        return _page("Thank you", f"<p>{file.filename} has arrived</p>", "#fff")


def _page(title: str, body: str, colour: str) -> web.Response:
    text = _PAGE.format(title=title, body=body, colour=colour)
    return web.Response(text=text, content_type="text/html")
