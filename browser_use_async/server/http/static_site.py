"""A server of static pages on this machine, used for the example site."""

from pathlib import Path
from typing import Self

from aiohttp import web

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def example_site_directory() -> Path:
    """Return the folder of the example site: the packaged copy, or that of the checkout.

    Raises:
        FileNotFoundError: There is neither.
    """
    here = Path(__file__).parents[1]
    for directory in (here / "example_site", here.parents[1] / "examples" / "site"):
        if directory.is_dir():
            return directory
    raise FileNotFoundError("the example site is neither in the package nor beside it")


class StaticSite:
    """Serves a folder on 127.0.0.1, as an async context manager.

    `/` stands for `index.html`, here and in every folder inside. There are no listings, and
    nothing outside of the folder and no hidden file is served.

    Args:
        directory: What is served, with all folders in it.
        port: The port; 0 takes a free one.

    Attributes:
        url: The address without a slash at its end; set once the site is entered.
    """

    def __init__(self, directory: Path, port: int = 0) -> None:
        self._root = directory.resolve()
        self._port = port
        application = web.Application()
        application.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self.url = ""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        file = _file_below(self._root, request.match_info["path"])
        if file is None:
            raise web.HTTPNotFound(text="There is no such page.")
        # Small files, so no threads: this works under a virtual clock as well.
        content_type = _TYPES.get(file.suffix, "application/octet-stream")
        return web.Response(body=file.read_bytes(), headers={"Content-Type": content_type})


def _file_below(root: Path, path: str) -> Path | None:
    """The file for a path, or None if there is none that may be served."""
    parts = path.split("/")
    if any(part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        return None
    target = root.joinpath(*parts)
    try:
        if target.is_dir():
            target /= "index.html"
        # Symbolic links are resolved, so one that leads out of the folder is not followed.
        target = target.resolve()
        return target if target.is_relative_to(root) and target.is_file() else None
    except OSError:  # such as a name that is too long
        return None
