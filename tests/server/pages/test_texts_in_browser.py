"""How the application shows texts: answers with marks, questions to people, names, prices."""

import json

import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
from tests.server.calling import Caller
from tests.server.pages.application import click_button, open_page, rows, violations
from tests.server.pages.hostile import PAYLOADS, TAKEN
from tests.server.webhooks.receiver import SECRET, receiving

MARKED = """## Prices
Both are **in stock**, says `/shop`.

- Red <b>bicycle</b>
- Blue bicycle

1. Buy
2. Ride

```
**as it is**
```"""
TAGS = "[...document.querySelector('.prose').children].map((each) => each.tagName)"
NESTED = "[" * 900 + "]" * 900
UNLIKE = json.dumps([{f"{row}.{place}": 1 for place in range(20)} for row in range(500)])
WIDE = json.dumps([[1] * 500] * 500)
HOSTILE = "\n\n".join(f"# {each}\n- {each}\n\n{each} **{each}** `{each}`" for each in PAYLOADS)
SCENARIOS = {
    "Hostile": Scenario(step_seconds=0, output=HOSTILE),
    "Marked": Scenario(step_seconds=0, output=MARKED),
    "Plain": Scenario(step_seconds=0, output="Two lines\nof words"),
    "Nested": Scenario(step_seconds=0, output=NESTED),
    "Unlike": Scenario(step_seconds=0, output=UNLIKE),
    "Wide": Scenario(step_seconds=0, output=WIDE),
    "Missing": Scenario(step_seconds=0, output='[{"toString": 1}, {"name": 2}]'),
    "Endless": Scenario(step_seconds=0, output="- a line\n" * 12_000),
    "Endless and filmed": Scenario(
        step_seconds=0, output="- a line\n" * 200, recordings={"webm": b"film"}
    ),
    "Filmed": Scenario(step_seconds=0, output="The answer", recordings={"webm": b"film"}),
    "Rows": Scenario(step_seconds=0, output='[{"name": "Red", "price": 3}, {"name": "Blue"}]'),
    "Long": Scenario(steps=["Read"] * 41, step_seconds=0, recordings={"webm": b"film"}),
    "Login": Scenario(
        steps=[ScriptedStep("Type the code from the letter", asks_for="code"), "Read"],
        step_seconds=0,
        hangs=True,
    ),
}


@pytest.fixture
def server_options():
    """A server whose tasks answer with texts of several kinds."""
    return {"executor": ScriptedExecutor(SCENARIOS)}


async def _ended(caller: Caller, text: str) -> str:
    task_id = await caller.create(text)
    await caller.reached(task_id, "finished")
    return task_id


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
async def test_the_answer_stands_above_the_film(width, height, browser, caller):
    """It is seen without scrolling, and a long one leaves the film in its place below."""
    shown = {}
    for text in ("Filmed " + "words " * 60, "Endless and filmed"):
        task_id = await _ended(caller, text)
        page = await open_page(
            browser, caller, f"/tasks/{task_id}", width=width, height=height, phone=width == 390
        )
        await page.until("!!document.getElementById('output') && !!document.querySelector('video')")
        shown[text] = await page.run(
            "['#output', '.stage-card'].map((each) => {"
            " const { top, bottom } = document.querySelector(each).getBoundingClientRect();"
            " return [top, bottom]; })"
        )
        assert page.complaints == []
    ((_, short_end), (film, _)), ((long_top, long_end), (below, _)) = shown.values()

    assert short_end <= height
    assert film >= short_end
    assert long_top < height / 2
    assert below >= long_end
    assert long_end - long_top <= 0.41 * height


async def test_titles_tell_tasks_apart_on_a_telephone(browser, caller):
    """Without scheme and host of what has a path; the task's page shows the whole on demand."""
    host = "https://a-long-name-of-a-shop.example:8780"
    task_id = await _ended(caller, f"Plain: open {host}/products.html")
    page = await open_page(browser, caller, width=390, height=844, phone=True)
    await page.until("document.querySelector('#tasks .row-title a')?.innerText")
    listed = await page.text("#tasks .row-title a")
    page = await open_page(browser, caller, f"/tasks/{task_id}", width=390, height=844, phone=True)
    await page.until("!!document.querySelector('.whole-text')")
    short = await page.text(".task-text")
    await page.click(".whole-text")
    await page.until(f"document.querySelector('.task-text').innerText.includes('{host}')")
    wide = await open_page(browser, caller, width=1440, height=900)
    # A browser lays out a row a moment after it is added.
    await wide.until("document.querySelector('#tasks .row-title a')?.innerText")

    assert listed == short == "Plain: open /products.html"
    assert host in await wide.text("#tasks .row-title a")
    assert page.complaints == wide.complaints == []


async def test_the_marks_of_an_answer_are_rendered(browser, caller):
    """Headings, emphasis, lists and code; a tag is text, and the plain text is one tab away."""
    task_id = await _ended(caller, "Marked")
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await page.until("!!document.querySelector('.prose')")
    tags = await page.run(TAGS)
    shown = await page.text("#output")
    found = await violations(page)
    await click_button(page, "Text", ".code-bar")
    await page.until("!document.querySelector('.prose')")

    assert tags == ["H3", "P", "UL", "OL", "PRE"]
    assert "Both are in stock, says /shop." in shown
    assert "Red <b>bicycle</b>" in shown
    assert "**as it is**" in shown
    assert await page.text("#output") == MARKED
    assert found == []
    assert page.complaints == []


async def test_no_script_runs_in_an_answer_with_marks(browser, caller):
    """In a heading, a list, code and emphasis each payload is text."""
    task_id = await _ended(caller, "Hostile")
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await page.until("!!document.querySelector('.prose')")
    tags = await page.run(
        "[...new Set([...document.querySelectorAll('.prose *')].map((each) => each.tagName))]"
    )

    assert set(tags) == {"H3", "P", "UL", "LI", "B", "CODE"}
    assert PAYLOADS[1] in await page.text(".prose")
    assert await page.run(TAKEN) is True
    assert page.complaints == []


async def test_a_plain_answer_has_no_tabs(browser, caller):
    """It has no tabs, and its lines stay lines."""
    task_id = await _ended(caller, "Plain")
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await page.until("!!document.getElementById('output')")

    assert await page.text("#output") == "Two lines\nof words"
    assert await page.run("!!document.querySelector('[aria-controls=output]')") is False
    assert await violations(page) == []


async def test_a_very_long_answer_is_shown_unchanged(browser, caller):
    """Its marks are not rendered, as each line would be an element of the page."""
    task_id = await _ended(caller, "Endless")
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await page.until("!!document.getElementById('output')")

    assert (await page.text("#output")).startswith("- a line\n- a line")
    assert await page.run("document.querySelectorAll('.prose li').length") == 0


async def test_deep_json_is_shown_as_text(browser, caller):
    """A tree of a thousand levels would be too much for the script that draws it."""
    task_id = await _ended(caller, "Nested")
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await page.until("!!document.getElementById('output')")

    assert await page.text("#output") == NESTED


@pytest.mark.parametrize("name", ["Unlike", "Wide"])
async def test_much_json_does_not_block_the_browser(browser, caller, name):
    """There is no table of ten thousand columns, and of a tree only open parts are drawn."""
    task_id = await _ended(caller, name)
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await page.until("!!document.querySelector('.node')")
    drawn = await page.run("document.querySelectorAll('#output *').length")
    await page.click(".node .node summary")
    await page.until("!!document.querySelector('.node .leaf')")

    assert drawn < 3_000
    assert page.complaints == []


async def test_a_cell_without_a_value_is_empty(browser, caller):
    """This includes a column with the name of a method of objects in the script."""
    task_id = await _ended(caller, "Missing")
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await page.until("!!document.querySelector('#output td')")

    assert await page.run(
        "[...document.querySelectorAll('#output td')].map((each) => each.textContent)"
    ) == ["1", "", "", "2"]


async def test_a_line_is_made_of_a_text_of_many(browser, caller):
    """The time grows with the length, and not with its square: this one would take hours."""
    page = await open_page(browser, caller)

    module = "import(document.querySelector('[type=module]').src.replace('frame', 'format'))"
    text = "'a' + '\\n'.repeat(3e6) + '# b'"

    assert await page.run(f"{module}.then(({{ oneLine }}) => oneLine({text}))") == "a b"


async def test_a_list_shows_rows_in_words(browser, caller):
    """Without the syntax of JSON; amounts of a dollar or more are shown in dollars."""
    await _ended(caller, "Rows")
    await _ended(caller, "Long")
    page = await open_page(browser, caller)
    await page.until("document.querySelectorAll('#tasks tbody tr').length === 2")
    long, short = await rows(page)

    assert "name: Red, price: 3 · name: Blue" in short
    assert "$1.04" in long  # $0.01, and $0.025 for each of 41 steps


async def test_a_task_that_waits_for_a_person_says_for_what(browser, caller):
    """The text stays until the task is resumed."""
    task_id = await caller.create("Login")
    await caller.reached(task_id, "paused", steps=1)
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await page.until("!!document.querySelector('.asked')")
    asked, now = await page.text(".asked"), await page.text(".timeline .now")
    await click_button(page, "Resume")
    await page.until("!document.querySelector('.asked')")

    assert "It waits for you: code" in asked
    assert "Type the code from the letter" in asked
    assert "press Resume" in asked
    assert "Waits for you" in now


async def test_recordings_have_names(browser, caller):
    """Among the files of tasks none has the id of its task as its name."""
    task_id = await _ended(caller, "Long")
    page = await open_page(browser, caller, "/files")
    await page.until("!!document.querySelector('#made .chips a')")

    assert await rows(page, "#made .chips a") == ["Recording"]
    assert task_id in await page.run("document.querySelector('#made .chips a').download")


async def test_deliveries_name_their_tasks(browser, http):
    """Each by the text of its task, in its own row."""
    async with receiving() as receiver:
        webhooks = [Webhook(receiver.url, SECRET)]
        async with LocalServer(executor="scripted", webhooks=webhooks) as server:
            caller = Caller(server, http)
            for text in ("Read the news", "Buy " + "milk " * 60):
                await _ended(caller, text)
            page = await open_page(browser, caller, "/webhooks", width=390, height=844, phone=True)
            await page.until("document.querySelectorAll('.delivery-task').length === 6")
            named = await page.run(
                "[...document.querySelectorAll('.delivery-task')].map((each) => each.textContent)"
            )

    assert "Read the news" in named
    assert max(map(len, named)) <= 120


async def test_copy_stands_at_the_right_of_each_answer(browser, caller):
    """It does so beside tabs, and where an answer has no tabs."""
    places = {}
    for text in ("Plain", "Rows"):
        page = await open_page(browser, caller, f"/tasks/{await _ended(caller, text)}", width=1440)
        await page.until("!!document.querySelector('.code-bar button.quiet')")
        places[text] = await page.run(
            "document.querySelector('.code-bar button.quiet').getBoundingClientRect().right"
        )

    assert places["Plain"] == places["Rows"]


@pytest.mark.parametrize("width", [390, 1440])
async def test_titles_of_schedules_tell_them_apart(width, browser, caller):
    """Their lines take the room that there is, so that nothing of these texts is cut."""
    url = "https://a-long-name-of-a-shop.example:8780/products.html"
    more = " and compare its prices with those of the day before, please" * (
        2 if width > 390 else 0
    )
    task = f"Open {url}?page=1{more}"
    timing = {"schedule_type": "cron", "cron_expression": "0 7 * * *"}
    await caller.post("/scheduled-task", json={"task": task, **timing})
    page = await open_page(
        browser, caller, "/schedules", width=width, height=844, phone=width < 999
    )
    title = "document.querySelector('.items .row-title > :last-child')"
    await page.until(f"!!{title}")

    assert await page.run(f"{title}.scrollWidth <= {title}.clientWidth")
    assert await page.run(f"{title}.scrollHeight <= {title}.clientHeight + 1")
    assert "?page=1" in await page.run(f"{title}.innerText")


async def test_a_title_that_lines_cut_is_offered_whole(browser, caller):
    """The page of a task and its live page have the same button, for as long as it is needed."""
    long = await _ended(caller, "Plain: " + "compare these words " * 14)
    short = await _ended(caller, "Plain: look")
    look = {"width": 390, "height": 844, "phone": True}
    button = "[...document.querySelectorAll('.whole-text, #whole-text')].find((it) => !it.hidden)"
    offered = {}
    for task_id in (long, short):
        live = (await caller.task(task_id))["live_url"]
        for name, title in (("task", ".task-text"), ("live", "#task")):
            # One after the other: a tab behind another one is not laid out.
            if name == "task":
                page = await open_page(browser, caller, f"/tasks/{task_id}", **look)
            else:
                page = await browser.open(live, **look)
            await page.until(f"!!document.querySelector('{title}')")
            if task_id == short:
                await page.run("new Promise((done) => setTimeout(done, 200))")
                offered[name] = await page.run(f"!!({button})")
                continue
            shown = f"document.querySelector('{title}')"
            await page.until(f"({button})?.innerText === 'Whole text'")
            assert await page.run(f"{shown}.scrollHeight > {shown}.clientHeight + 1")
            await page.run(f"({button}).click()")
            await page.until(f"({button})?.innerText === 'Less'")
            assert await page.run(f"{shown}.scrollHeight <= {shown}.clientHeight + 1")
            await page.run(f"({button}).click()")
            await page.until(f"({button})?.innerText === 'Whole text'")
            assert page.complaints == []

    assert offered == {"task": False, "live": False}
