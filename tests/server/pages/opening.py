"""A live page in a real browser, and waits for its changes."""

from typing import Any

from tests.browser.driver import Browser, Page
from tests.server.calling import Caller
from tests.server.pages.showing import Showing, drawn
from tests.server.pages.socket import running_task

__all__ = ["LIVE", "SHOWN", "STEERABLE", "open_live"]

LIVE = "import(document.querySelector('[type=module]').src.replace('steering', 'live'))"
"""A promise of the module of the live page, which has its socket."""

SHOWN = "!document.getElementById('picture').hidden"
"""Whether the page shows a picture."""

STEERABLE = "!document.getElementById('control')?.hidden"
"""Whether a person can take control."""


async def open_live(
    browser: Browser, caller: Caller, showing: Showing, **shape: Any
) -> tuple[Page, dict[str, Any]]:
    """The live page of a task whose browser is shown, ready to be steered, and the task's JSON.

    Args:
        browser: Where to open it.
        caller: The server.
        showing: The executor of its tasks.
        shape: Of the window.
    """
    task = await running_task(caller)
    await showing.show(drawn(1))
    page = await browser.open(task["live_url"], **shape)
    await page.until(f"{SHOWN} && {STEERABLE}")
    return page, task
