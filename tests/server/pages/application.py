"""The server's application in a real browser: opening it, finding things in it, and axe."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.browser.driver import Browser, Page
from tests.server.calling import Caller

__all__ = ["click_button", "open_page", "rows", "type_into", "violations"]

_AXE = Path(__file__).parents[2] / "vendor" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_TOLD = (
    "axe.run(document, {runOnly: %s}).then((found) => found.violations.map((each) =>"
    " each.id + ': ' + each.nodes.map((node) => node.html.slice(0, 120)).join(' ')))"
)


async def open_page(browser: Browser, caller: Caller, path: str = "/", **shape: Any) -> Page:
    """A page of the application with the key in the link, as `serve` prints it.

    Args:
        browser: Where to open it.
        caller: The server, and the key.
        path: Which page.
        shape: Of the window.
    """
    page = await browser.open(f"{caller.server.url}{path}#key={caller.api_key}", **shape)
    await page.until(
        "!!document.querySelector('main h1') && !document.querySelector('.waiting')"
        " && !!document.getElementById('balance')"
    )
    return page


async def rows(page: Page, selector: str = "#tasks tbody tr") -> list[str]:
    """What a person reads in the rows of a list.

    Args:
        page: The page.
        selector: Which elements are the rows.
    """
    each_row = f"[...document.querySelectorAll({json.dumps(selector)})]"
    # A browser lays out a row a moment after it is added, and those out of view later.
    await page.until(
        f"{each_row}.every((it) => {{ const {{ top, bottom }} = it.getBoundingClientRect();"
        " return it.innerText || top > innerHeight || bottom < 0; })"
    )
    found: list[str] = await page.run(f"{each_row}.map((it) => it.innerText)")
    return found


async def click_button(page: Page, name: str, within: str = "body") -> None:
    """Click the button or link of a name with the mouse, once it is there and can be used.

    Args:
        page: The page.
        name: Its label, or what stands on it.
        within: In which element, in CSS.
    """
    script = (
        f"(() => {{ const found = [...document.querySelectorAll({json.dumps(within)})].flatMap("
        "(each) => [...each.querySelectorAll('button, a, summary, [role=tab]')]).find((each) =>"
        f" (each.ariaLabel || each.innerText.trim()) === {json.dumps(name)} && !each.disabled"
        " && each.checkVisibility()); if (!found) return null;"
        " found.scrollIntoView({block: 'center'}); const box = found.getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    x, y = await page.until(script)
    await page.click_at(x, y)


async def type_into(page: Page, selector: str, text: str) -> None:
    """Click a field, empty it, and write into it.

    Args:
        page: The page.
        selector: Which field, in CSS.
        text: What to write.
    """
    await page.click(selector)
    await page.run("document.activeElement.select()")
    await page.send("Input.insertText", text=text)


async def violations(page: Page) -> list[str]:
    """The findings of axe by the WCAG, up to 2.2 AA, and by good practice.

    Args:
        page: The page.
    """
    await page.run(_axe() + ";0")
    found: list[str] = await page.run(_TOLD % json.dumps(_RULES))
    return found


@cache
def _axe() -> str:
    return _AXE.read_text(encoding="utf-8")
