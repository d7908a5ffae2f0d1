"""The pages for people: the live page, the public page, and the page at the root."""

import re
from html.parser import HTMLParser

import pytest

from browser_use_async.server.records import Finished
from tests.server.calling import Answer

_HOSTILE = "<script>alert('x')</script> \"quoted\" & ${task} $status <img src=x onerror=y>"


class _Outline(HTMLParser):
    """Tags, attributes and the text outside of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.text: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open = tag
        for name, value in attrs:
            if name in {"src", "href"} and value:
                self.addresses.append(value)
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open not in {"script", "style"}:
            self.text.append(data)


def _read(answer: Answer) -> _Outline:
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    outline = _Outline()
    outline.feed(answer.text)
    return outline


async def test_the_live_page_shows_the_task(steered, queue):
    """Text, status, steps with goals, and the newest screenshot; no key is needed."""
    task_id = await steered.create("Find the price")
    queue.step("Open the shop", url="https://example.com/")
    queue.step("Read the price", evaluation_previous_goal="Success")
    task = await steered.reached(task_id, "running", steps=2)
    page = _read(await steered.get(task["live_url"], key=False))
    text = " ".join(page.text)

    for shown in ("Find the price", "running", "Open the shop", "Read the price", "Success"):
        assert shown in text
    script, icon, screenshot = page.addresses
    assert script.endswith("/live/steering.js")
    assert icon == "/icon.svg"
    assert f"{task_id}-step-2.png" in screenshot
    screenshot = steered.server.url + screenshot
    assert (await steered.get(screenshot, key=False)).headers["Content-Type"] == "image/png"


@pytest.mark.parametrize(
    ("scenario", "status", "shown"),
    [("quick", "finished", "The answer"), ("fails", "failed", "No such page")],
)
async def test_the_live_page_shows_how_it_ended(scenario, status, shown, caller):
    """It has the output or the reason; its script has nothing left to do."""
    task = await caller.reached(await caller.create(metadata={"scenario": scenario}), status)
    page = _read(await caller.get(task["live_url"], key=False))

    text = " ".join(page.text)
    assert shown in text
    assert status in text
    assert all(step["next_goal"] in text for step in task["steps"])
    assert page.tags.count("li") == len(task["steps"])


@pytest.mark.parametrize("place", ["live_url", "public_share_url"])
async def test_hostile_text_is_only_text(place, steered, queue):
    """No text of a task, its goals, URLs or its reason becomes a tag."""
    queue.step(_HOSTILE, evaluation_previous_goal=_HOSTILE, url=_HOSTILE)
    queue.items.put_nowait(RuntimeError(_HOSTILE))
    task_id = await steered.create(_HOSTILE, enable_public_share=True)
    task = await steered.reached(task_id, "failed")
    page = _read(await steered.get(task[place], key=False))

    assert (page.tags.count("script"), page.tags.count("img")) == (2, 1)
    assert page.handlers == []
    assert " ".join(page.text).count(_HOSTILE) == 6


@pytest.mark.parametrize("place", ["live_url", "public_share_url"])
async def test_half_a_pair_of_surrogates_is_shown_as_a_question_mark(place, steered, queue):
    """A page's title may contain one, and no encoding has it."""
    queue.step("Read \ud83d", url="https://example.com/")
    queue.items.put_nowait(Finished(output="Read \ud83d"))
    task_id = await steered.create(enable_public_share=True)
    task = await steered.reached(task_id, "finished")

    assert " ".join(_read(await steered.get(task[place], key=False)).text).count("Read ?") == 2


async def test_pages_need_no_other_host(caller):
    """No file of another host; exactly their own scripts and style may run."""
    task = await caller.reached(await caller.create(), "finished")
    here = ("/", caller.server.url)
    for url in (task["live_url"], caller.server.url, caller.server.url + "/keys"):
        answer = await caller.get(url, key=False)
        policy = answer.headers["Content-Security-Policy"]

        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "style-src 'sha256-" in policy
        assert all(each.startswith(here) for each in _read(answer).addresses)
        assert "@import" not in answer.text
        assert _read(answer).handlers == []
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_pages_fit_phones_and_dark_rooms_and_screen_readers(caller):
    """Language, viewport, title, colour scheme, live regions and a text for the picture."""
    task = await caller.reached(await caller.create(), "finished")
    text = (await caller.get(task["live_url"])).text

    for needed in (
        '<html lang="en">',
        'name="viewport" content="width=device-width',
        "<title>finished",
        "prefers-color-scheme: dark",
        'role="status"',
        'aria-live="polite"',
        'alt="The page at step 2"',
        "<main>",
    ):
        assert needed in text


async def test_who_may_show_a_page_in_a_frame(caller):
    """Every site may frame a live page, and none the page at the root, which gets a key."""
    task = await caller.reached(await caller.create(enable_public_share=True), "finished")
    for url in (task["live_url"], task["public_share_url"]):
        headers = (await caller.get(url)).headers
        assert "X-Frame-Options" not in headers
        assert "frame-ancestors" not in headers["Content-Security-Policy"]

    headers = (await caller.get(caller.server.url)).headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


async def test_the_public_page_has_no_buttons(caller):
    """It has neither the buttons nor the script behind them."""
    task_id = await caller.create(enable_public_share=True, metadata={"scenario": "hangs"})
    task = await caller.reached(task_id, "running")
    live = await caller.get(task["live_url"])
    shared = await caller.get(task["public_share_url"])

    assert _read(live).tags.count("button") == 10
    assert {"button", "input", "form"} & set(_read(shared).tags) == set()
    assert "Take control" in live.text
    assert "Take control" not in shared.text
    assert "/live/steering.js" in live.text
    assert "/live/steering.js" not in shared.text


async def test_the_public_page_needs_to_be_asked_for(caller):
    """It has a token of its own, and shows the same."""
    shared_id, private_id = await caller.create(enable_public_share=True), await caller.create()
    shared = await caller.reached(shared_id, "finished")
    private = await caller.reached(private_id, "finished")
    answer = await caller.get(shared["public_share_url"], key=False)

    assert private["public_share_url"] is None
    assert shared["public_share_url"].startswith(f"{caller.server.url}/share/")
    assert "The answer" in answer.text
    assert shared["public_share_url"].rsplit("/")[-1] not in shared["live_url"]


@pytest.mark.parametrize("place", ["live", "share"])
async def test_tokens_cannot_be_guessed_or_swapped(place, caller):
    """Neither the id of the task nor the token of the other page opens a page."""
    task_id = await caller.create(enable_public_share=True)
    task = await caller.reached(task_id, "finished")
    other = task["public_share_url" if place == "live" else "live_url"].rsplit("/")[-1]
    for token in (task_id, other, "x"):
        page = await caller.get(f"{caller.server.url}/{place}/{token}")
        socket = await caller.get(f"{caller.server.url}/{place}/{token}/socket")

        assert (page.status, "This link has ended" in page.text) == (404, True)
        assert (socket.status, socket.json) == (404, {"detail": "Not Found"})


async def test_tokens_are_long_and_each_its_own(caller):
    """They have 192 bits."""
    tokens = set()
    for _ in range(3):
        task = await caller.reached(await caller.create(enable_public_share=True), "finished")
        tokens |= {task[name].rsplit("/")[-1] for name in ("live_url", "public_share_url")}

    assert len(tokens) == 6
    assert {len(token) for token in tokens} == {32}


async def test_pages_accept_no_commands(caller):
    """Only GET is allowed."""
    task = await caller.reached(await caller.create(), "finished")
    answer = await caller.post(task["live_url"])

    assert answer.status == 405


async def test_the_page_at_the_root_says_what_this_is(caller):
    """Without JavaScript it has the base URL and the settings of a client, but no key."""
    page = _read(await caller.get(caller.server.url, key=False))
    text = " ".join(page.text)

    assert caller.server.base_url in text
    assert "BROWSER_USE_BASE_URL" in text
    assert "$BROWSER_USE_API_KEY" in text
    assert "scripted" in text
    assert caller.server.api_key not in text
    _, icon, ping, document = page.addresses
    shown = await caller.get(caller.server.url + icon, key=False)
    assert shown.headers["Content-Type"].startswith("image/svg+xml")
    assert (await caller.get(document, key=False)).json["openapi"] == "3.1.0"
    assert (await caller.get(ping, key=False)).body == b"{}"


async def test_one_document_stands_at_every_address_of_the_application(caller):
    """Only its own pages may be framed in it."""
    documents = set()
    for path in ("/", "/tasks/any", "/schedules", "/profiles", "/webhooks", "/keys"):
        answer = await caller.get(caller.server.url + path, key=False)
        policy = answer.headers["Content-Security-Policy"]
        documents.add(re.sub(r'nonce="[^"]+"', "", answer.text))

        assert answer.status == 200
        assert "frame-ancestors 'none'; " not in policy
        assert "frame-src 'self'; media-src 'self'; frame-ancestors 'none'" in policy

    assert len(documents) == 1


async def test_an_address_without_a_page_says_so_to_people(caller):
    """As a page for browsers, and in JSON for programs and below the API."""
    as_browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = await caller.get(caller.server.url + "/nowhere", headers=as_browser, key=False)
    program = await caller.get(caller.server.url + "/nowhere", key=False)
    below = await caller.get("/nowhere", headers=as_browser)

    assert (page.status, "There is no page here" in page.text) == (404, True)
    assert page.headers["Content-Type"].startswith("text/html")
    assert (program.status, program.json) == (404, {"detail": "Not Found"})
    assert (below.status, below.json) == (404, {"detail": "Not Found"})
