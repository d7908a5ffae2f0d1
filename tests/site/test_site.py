"""The built documentation site, in a real browser. `make docs` builds it."""

import re
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from browser_use_async import errors
from browser_use_async.server.executors.browser.locate import find_browser
from browser_use_async.server.http.static_site import StaticSite

SITE = Path(__file__).parents[2] / "site"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="`make docs` has not run"),
    pytest.mark.skipif(find_browser() is None, reason="there is no Chromium on this machine"),
]


@pytest.fixture
async def docs_site():
    """The address of the site."""
    async with StaticSite(SITE) as served:
        yield served.url.rstrip("/")


@pytest.fixture(params=[(1280, 900), (390, 800)], ids=["desktop", "phone"])
async def window(request):
    """A window of a desktop or a phone, whose pages must neither fail nor call other hosts."""
    width, height = request.param
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser())
        window = await browser.new_page(viewport={"width": width, "height": height})
        wrong: list[str] = []
        window.on("pageerror", lambda error: wrong.append(str(error)))
        window.on("request", lambda sent: wrong.append(sent.url) if _foreign(sent.url) else None)
        yield window
        await browser.close()
    assert wrong == []


def _foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:"))


async def test_the_search_finds_a_page(window, docs_site):
    """A reader who types a word gets the page that explains it."""
    await window.goto(f"{docs_site}/index.html")
    if await window.locator("label.md-header__button[for=__search]").is_visible():
        await window.locator("label.md-header__button[for=__search]").click()
    await window.get_by_placeholder("Search").press_sequentially("LedgerLockedError")
    await window.locator(".md-search-result__link").first.click()

    await expect(window.locator("main")).to_contain_text("LedgerLockedError")


async def test_no_page_is_wider_than_the_window(window, docs_site):
    """Long lines of code scroll by themselves, also on a phone."""
    names = sorted(each.relative_to(SITE).as_posix() for each in SITE.rglob("*.html"))
    wide = []
    for name in names:
        await window.goto(f"{docs_site}/{name}")
        width, given = await window.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        if width > given:
            wide.append(f"{name}: {width} > {given}")

    assert len(names) > 15
    assert wide == []


def test_the_reference_has_every_error():
    """It is made from the docstrings, and each class is there."""
    text = (SITE / "reference" / "browser_use_async.errors.html").read_text()

    assert [
        name for name in errors.__all__ if f'id="browser_use_async.errors.{name}"' not in text
    ] == []


def test_the_index_for_programs_names_every_page():
    """`llms.txt` has a line with a summary for each page."""
    listed = re.findall(r"^- \[.+\]\((.+)\): .", (SITE / "llms.txt").read_text(), re.MULTILINE)
    pages = {each.relative_to(SITE).as_posix() for each in SITE.rglob("*.html")}

    assert set(listed) == pages - {"404.html"}
