"""Contexts that are opened before there is a task for them."""

import asyncio

from browser_use_async.server.egress.proxy import Gateway
from browser_use_async.server.executors.browser.browser_pool import WarmContext
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.browser.launch import BrowserProcess
from browser_use_async.server.executors.protocol import Finished
from tests.server.browser.pages import serve_pages
from tests.server.browser.running import browse
from tests.support.patience import until

SIZE = (1280, 960)
# What a page can tell of the context that it is in.
TOLD = """<title>Told</title><p id=told></p><script>
  told.textContent = JSON.stringify([
    innerWidth, innerHeight, devicePixelRatio, screen.width, navigator.userAgent,
    navigator.languages, navigator.webdriver, navigator.maxTouchPoints, history.length,
    Intl.DateTimeFormat().resolvedOptions().timeZone,
    matchMedia("(prefers-color-scheme: dark)").matches,
    typeof navigator.serviceWorker, localStorage.length, document.cookie, document.referrer,
  ]);
  localStorage.setItem("left", "behind");
</script>"""


def _contexts(executor: ChromiumExecutor) -> int:
    process = executor.pool.process_of()
    assert process is not None
    return len(process.browser.contexts)


async def test_a_warm_context_is_as_a_new_one(chromium: ChromiumExecutor):
    """What a page finds is the same in a new context and in warm ones, and nothing stays there."""
    async with serve_pages({"/": TOLD}) as site:
        task = f"Open {site.url}/. Scroll down"
        first = await browse(chromium, task)
        await until(lambda: _contexts(chromium) == 1)
        others = [await browse(chromium, task) for _ in range(2)]

    assert "[1280,960," in first.output
    assert [each.output for each in others] == [first.output] * 2


async def test_one_warm_context_serves_one_task(chromium: ChromiumExecutor):
    """Of two tasks that begin together one gets it, and each has only its own cookies."""
    async with serve_pages({"/": "<title>Shop</title>"}) as site:
        await browse(chromium, f"Open {site.url}/?cookie=zero. Scroll down")
        pages = [f"{site.url}/?cookie={name}" for name in ("one", "two")]
        runs = (browse(chromium, f"Open {each}. Scroll down", task_id=each[-3:]) for each in pages)
        done = await asyncio.gather(*runs)

    ends = [each.end for each in done]
    assert all(isinstance(end, Finished) for end in ends), ends
    cookies = [[cookie["value"] for cookie in each.end.cookies] for each in done]  # type: ignore[union-attr]
    assert cookies == [["one"], ["two"]]


async def test_secrets_are_hidden_in_a_warm_context(chromium: ChromiumExecutor):
    """What hides secrets is put into the page that is open already, before it shows any."""
    shown = "<title>Shop</title><p>tulips-and-tides</p>"
    async with serve_pages({"/": shown}) as site:
        task = f"Open {site.url}/. Scroll down"
        told = {"shop_password": "tulips-and-tides"}
        pictures = []
        for secrets in (told, {}, told):  # new, warm, warm
            done = await browse(chromium, task, secrets=secrets, allowed_domains=["127.0.0.1"])
            pictures.append(done.steps[0].screenshot)
            await until(lambda: _contexts(chromium) == 1)

    assert pictures[0] == pictures[2] != pictures[1]


async def test_one_that_no_task_takes_is_closed(chromium: ChromiumExecutor, site: str):
    """It waits for its time and not longer, and one of another size is not taken."""
    await browse(chromium, f"Open {site}/. Scroll down")
    process = chromium.pool.process_of()
    assert process is not None
    await until(lambda: _contexts(chromium) == 1)
    opened: list[TaskContext] = []

    async def open_context(process: BrowserProcess, viewport: tuple[int, int]) -> TaskContext:
        gateway = Gateway()
        await gateway.start()
        context = TaskContext(process, gateway, viewport)
        await context.open()
        opened.append(context)
        return context

    warm = WarmContext(open_context, idle_seconds=0.2)
    warm.prepare(process, SIZE)
    warm.prepare(process, SIZE)
    await until(lambda: opened and not opened[0].is_usable)

    assert await warm.take(process, (800, 600)) is None
    assert await warm.take(process, SIZE) is None
    assert len(opened) == 1
    await warm.aclose()


async def test_the_end_closes_it(browser_path: str, site: str):
    """A context that waits keeps neither the browser nor its folder from being gone."""
    del browser_path
    executor = ChromiumExecutor()
    await browse(executor, f"Open {site}/. Scroll down")
    await executor.aclose()

    assert executor.pool.process_of() is None
