"""The tasks of one browser, each in a context of its own."""

import asyncio

from browser_use_async.server.records import Finished
from tests.server.browser.pages import serve_pages
from tests.server.browser.running import browse

SIZE = (1280, 960)
# Shows what a page can find out about its context.
FINDINGS = """<title>Findings</title><p id=found></p><script>
  found.textContent = JSON.stringify([
    innerWidth, innerHeight, devicePixelRatio, screen.width, navigator.userAgent,
    navigator.languages, navigator.webdriver, navigator.maxTouchPoints, history.length,
    Intl.DateTimeFormat().resolvedOptions().timeZone,
    matchMedia("(prefers-color-scheme: dark)").matches,
    typeof navigator.serviceWorker, localStorage.length, document.cookie, document.referrer,
  ]);
  localStorage.setItem("left", "behind");
</script>"""


async def test_each_task_finds_a_new_context(chromium):
    """A page finds the same in each task, and nothing of an earlier task is left."""
    async with serve_pages({"/": FINDINGS}) as site:
        task = f"Open {site.url}/. Scroll down"
        first = await browse(chromium, task)
        others = [await browse(chromium, task) for _ in range(2)]

    assert "[1280,960," in first.output
    assert [each.output for each in others] == [first.output] * 2


async def test_tasks_that_run_together_have_their_own_cookies(chromium):
    """Two tasks that begin together have their own cookies only, and none of an earlier task."""
    async with serve_pages({"/": "<title>Shop</title>"}) as site:
        await browse(chromium, f"Open {site.url}/?cookie=zero. Scroll down")
        pages = [f"{site.url}/?cookie={name}" for name in ("one", "two")]
        runs = (browse(chromium, f"Open {each}. Scroll down", task_id=each[-3:]) for each in pages)
        done = await asyncio.gather(*runs)

    ends = [each.end for each in done]
    assert all(isinstance(end, Finished) for end in ends), ends
    cookies = [[cookie["value"] for cookie in each.end.cookies] for each in done]  # type: ignore[union-attr]
    assert cookies == [["one"], ["two"]]


async def test_secrets_are_hidden_in_their_own_task_only(chromium):
    """A picture masks the secrets of its task, and not those of the task before it."""
    shown = "<title>Shop</title><p>tulips-and-tides</p>"
    async with serve_pages({"/": shown}) as site:
        task = f"Open {site.url}/. Scroll down"
        found = {"shop_password": "tulips-and-tides"}
        pictures = []
        for secrets in (found, {}, found):
            done = await browse(chromium, task, secrets=secrets, allowed_domains=["127.0.0.1"])
            pictures.append(done.steps[0].screenshot)

    assert pictures[0] == pictures[2] != pictures[1]
