"""Every page with the keyboard alone: all controls can be reached, seen, opened and left."""

import pytest

from tests.browser.driver import Page
from tests.server.pages.application import open_page
from tests.server.pages.test_application_for_everybody import stocked

__all__ = ["stocked"]

# The controls for a mouse, except for the parts of a group that the arrow keys move in.
_USABLE = """[...document.querySelectorAll(
  'a[href], button, input, select, textarea, summary, [tabindex="0"]'
)].filter((each) => !each.disabled && each.tabIndex >= 0 && each.checkVisibility())"""
_FOCUSED = """(() => {
  const at = document.activeElement;
  if (!at || at === document.body || at.tagName === "IFRAME") return null;
  const isNew = !reached.has(at);
  reached.add(at);
  const seen = [at, at.closest(".row"), at.closest(".composer")].filter(Boolean).some((each) => {
    const style = getComputedStyle(each);
    return style.outlineStyle !== "none" && style.outlineWidth !== "0px"
      || each.matches(".composer:focus-within");
  });
  return [isNew, seen, at.outerHTML.slice(0, 90)];
})()"""
_JUDGED = """(() => {
  const now = %s;
  const missed = now.filter((each) => !reached.has(each));
  const isSame = now.length === usable.length && now.every((each, at) => each === usable[at]);
  return [isSame, missed.map((each) => each.outerHTML.slice(0, 90))];
})()"""


async def _walk(page: Page) -> tuple[list[str], list[str]]:
    """Press Tab until it leaves the page: the missed controls, and those with a hidden focus."""
    while True:
        await page.run(f"globalThis.usable = {_USABLE}; globalThis.reached = new Set(); 0")
        await page.run("document.activeElement.blur()")
        await page.send("Runtime.evaluate", expression="window.focus()")
        unseen: list[str] = []
        rest = 2 * await page.run("usable.length") + 20
        while rest:
            rest -= 1
            await page.press("Tab")
            at = await page.run(_FOCUSED)
            if at is None:
                continue
            is_new, is_seen, words = at
            if not is_new:
                break
            if not is_seen:
                unseen.append(words)
        # A list that was loaded meanwhile adds controls behind the focus.
        is_same, missed = await page.run(_JUDGED % _USABLE)
        if is_same:
            return missed, unseen


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_tab_reaches_everything_that_can_be_used(browser, stocked):
    """In each page, and the focus is always visible."""
    for path in stocked.paths:
        page = await open_page(browser, stocked.caller, path)
        # The list and the timeline are drawn again while a task runs: the test does not wait for
        # that.
        await page.run("Object.defineProperty(document, 'hidden', {get: () => true})")
        await page.run("document.dispatchEvent(new Event('visibilitychange'))")

        missed, unseen = await _walk(page)

        assert (path, missed, unseen) == (path, [], [])


@pytest.mark.parametrize(
    ("path", "button"),
    [
        ("/", "As code"),
        ("/schedules", "New schedule"),
        ("/profiles", "New profile"),
        ("/webhooks", "New webhook"),
        ("/keys", "New key"),
    ],
)
async def test_a_dialog_is_opened_used_and_left(path, button, browser, stocked):
    """Enter opens it, Tab stays inside, Escape closes it, and the focus returns."""
    page = await open_page(browser, stocked.caller, path)
    focused = f"document.activeElement.innerText?.trim() === '{button}'"
    for _ in range(60):
        await page.press("Tab")
        if await page.run(focused):
            break
    await page.press("Enter")
    await page.until("document.querySelector('dialog')?.open === true")
    for _ in range(12):
        await page.press("Tab")
        assert await page.run(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    await page.press("Escape")
    await page.until("!document.querySelector('dialog')")

    assert await page.run(focused)
    assert page.complaints == []


async def test_each_page_is_reached_from_the_navigation(browser, stocked):
    """Tab to its name and Enter; the next Tab is in the page."""
    page = await open_page(browser, stocked.caller)
    for name in ("Overview", "Schedules", "Scripts", "Profiles", "Files", "Webhooks", "Keys"):
        for _ in range(300):
            await page.press("Tab")
            if await page.run(f"document.activeElement.closest('nav a')?.innerText === '{name}'"):
                break
        await page.press("Enter")
        await page.until("document.activeElement.id === 'main'")
        await page.until(f"document.querySelector('main h1')?.innerText === '{name}'")

    assert page.complaints == []
