"""A limit on the memory of a browser: the page that grows is ended, and no other."""

import asyncio
from pathlib import Path

import pytest

from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.settings import ChromiumSettings
from browser_use_async.server.records import Failed, Finished
from tests.server.browser.pages import serve_pages
from tests.server.browser.running import browse

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is watched on Linux only"
)
BOUND = 600
# 10 GB, at most a few hundred MB of them in a second.
_ARRAYS = "setInterval(() => kept.length < 500 && kept.push(new Uint8Array(2e7).fill(7)), 40)"
_PICTURES = """setInterval(() => {
    if (kept.length > 150) return
    const picture = document.createElement("canvas")
    picture.width = picture.height = 4000
    picture.getContext("2d").fillRect(0, 0, 4000, 4000)
    kept.push(picture)
}, 100)"""
_GROWING = {"/arrays": _ARRAYS, "/pictures": _PICTURES}
_PAGES = {
    **{
        path: f"<title>Grows</title><script>const kept = []; {script}</script>"
        for path, script in _GROWING.items()
    },
    "/calm": "<title>Calm</title><p>Nothing yet</p><script>setInterval(async () => {"
    "if ((await fetch('/ended')).ok) document.body.append('Here')}, 300)</script>",
}


@pytest.fixture
async def bounded(browser_path):
    """Browsers with a low limit."""
    executor = ChromiumExecutor(
        ChromiumSettings(
            browser=browser_path,
            allow_private_addresses=True,
            max_browsers=3,
        ),
        megabytes=BOUND,
    )
    try:
        yield executor
    finally:
        await executor.aclose()


@pytest.mark.long
@pytest.mark.parametrize("path", _GROWING)
async def test_a_page_that_grows_is_ended_alone(bounded, path):
    """Its task fails with the limit as the reason; another task in the same browser goes on."""
    pages = dict(_PAGES)
    async with serve_pages(pages) as site:
        waiting = f"Open {site.url}/calm. Wait for “Here”. Tell me its title"
        calm = asyncio.create_task(browse(bounded, waiting, task_id="b"))
        growing = await browse(bounded, f"Open {site.url}{path}. Wait for “never”.", task_id="a")
        pages["/ended"] = "Yes"
        other = await calm

    assert isinstance(growing.end, Failed)
    assert "more than 850 MB of memory" in growing.end.reason
    assert isinstance(other.end, Finished), other.end
