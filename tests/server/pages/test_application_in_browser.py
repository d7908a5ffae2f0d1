"""A person in the server's application: the key, the tasks, and its messages."""

import json

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.server.calling import Caller
from tests.server.pages.application import click_button, open_page, rows, type_into

SCENARIOS = {
    "Wait": Scenario(steps=("Look", "Wait"), step_seconds=0, hangs=True),
    "Fail": Scenario(steps=("Try",), step_seconds=0, outcome="failed", reason="No such page"),
    "Table": Scenario(
        steps=("Open the list", "Read it"),
        step_seconds=0,
        output='[{"name": "Red bicycle", "price": 349.5}]',
        files={"prices.csv": b"name,price"},
    ),
}


@pytest.fixture
def server_options():
    """A server with a little money, whose tasks end at once unless their text says otherwise."""
    executor = ScriptedExecutor(SCENARIOS, default=Scenario(step_seconds=0, output="The answer"))
    return {"executor": executor, "balance_cents": 1000}


async def test_a_key_is_typed_and_forgotten(browser, caller):
    """A wrong one is explained; the right one opens the tasks, survives a reload, and goes."""
    page = await browser.open(caller.server.url)
    await page.until("document.activeElement.id === 'key'")
    await page.type("wrong")
    await page.press("Enter")
    await page.until("!!document.querySelector('[role=alert]')")
    problem = await page.text("[role=alert]")
    await type_into(page, "#key", caller.api_key)
    await page.press("Enter")
    await page.until("!!document.getElementById('balance')")
    await page.go(caller.server.url + "/?again")
    await page.until("!!document.getElementById('balance')")
    await page.click("#sign-out")
    await page.until("!!document.getElementById('key')")

    assert "does not know this key" in problem
    assert await page.run("sessionStorage.length + localStorage.length") == 0
    assert await page.run("document.body.innerText.includes('$10.00')") is False
    # The wrong key was answered with 401, which browsers log; there is nothing else.
    assert all("401" in each for each in page.complaints)


async def test_nothing_is_asked_for_without_a_key(browser, caller):
    """Removing the key while the page reads ends that reading."""
    page = await open_page(browser, caller)
    await page.run(
        "(() => { const send = window.fetch; window.waiting = [];"
        " window.fetch = (...sent) => new Promise((answer) =>"
        " waiting.push(() => answer(send(...sent)))); })()"
    )
    await page.run("document.dispatchEvent(new Event('visibilitychange'))")
    asked = await page.run("waiting.length")
    await page.click("#sign-out")
    await page.run("Promise.all(waiting.map((each) => each()))")
    await page.run("document.dispatchEvent(new Event('visibilitychange'))")
    await page.until("!!document.getElementById('key')")

    assert await page.run("waiting.length") == asked
    assert page.complaints == []


async def test_the_key_in_the_link_stays_in_the_browser(browser, caller):
    """It leaves the address bar, is in no request but as a header, and in no cookie."""
    page = await open_page(browser, caller)
    requested = await page.run("performance.getEntriesByType('resource').map((each) => each.name)")

    assert await page.run("location.href") == caller.server.url + "/"
    assert await page.run("document.cookie") == ""
    assert requested
    assert not [each for each in requested if caller.server.api_key in each]
    assert page.complaints == []


async def test_a_link_with_the_key_signs_in_on_the_page(browser, caller):
    """In a tab with the sign-in page it signs in and leaves the address, without a reload."""
    page = await browser.open(caller.server.url)
    await page.until("document.activeElement.id === 'key'")
    await page.run("window.isTheSame = true")
    await page.run(f"location.href = {json.dumps(f'{caller.server.url}/#key={caller.api_key}')}")
    await page.until("!!document.getElementById('balance')")

    assert await page.run("location.href") == caller.server.url + "/"
    assert await page.run("window.isTheSame") is True
    assert not await page.run("!!document.getElementById('key')")
    assert page.complaints == []


async def test_a_key_in_a_link_replaces_no_other_without_a_question(browser, caller):
    """In the same document and in a new one; the key stays, unless the person wants the other."""
    mallory = await caller.with_new_key("mallory")
    await mallory.reached(await mallory.create("Read theirs"), "finished")
    await caller.reached(await caller.create("Read ours"), "finished")
    link = f"{caller.server.url}/#key={mallory.api_key}"
    page = await open_page(browser, caller)
    await page.until("document.querySelector('#tasks')?.innerText.includes('Read ours')")
    await page.run(f"location.href = {json.dumps(link)}")  # a link in the same document
    await page.until("document.querySelector('dialog')?.open === true")
    asked = await page.text("dialog")
    there = await page.text("#tasks")
    await click_button(page, "Keep it", "dialog")
    await page.until("!document.querySelector('dialog')")
    await page.go(link.replace("/#", "/?again#"))  # loads a document
    await page.until("document.querySelector('dialog')?.open === true")
    address = await page.run("location.href")
    await page.press("Escape")
    await page.until("!document.querySelector('dialog')")
    await page.until("document.querySelector('#tasks')?.innerText.includes('Read ours')")
    await page.run(f"location.href = '/?again#key={caller.api_key}'")  # its own key: nothing to ask
    await page.until("location.hash === ''")
    assert await page.run("document.querySelector('dialog') === null")
    await page.run(f"location.href = '/?again#key={mallory.api_key}'")
    await page.until("document.querySelector('dialog')?.open === true")
    await click_button(page, "Use the other key", "dialog")
    await page.until("document.querySelector('#tasks')?.innerText.includes('Read theirs')")

    assert "a different API key" in asked
    assert "Read ours" in there
    assert "key=" not in address
    assert page.complaints == []


async def test_a_task_is_composed_with_the_keyboard_alone(browser, caller):
    """From the first Tab on: past the navigation, into the field, and on to the button."""
    page = await open_page(browser, caller)
    assert "No task yet" in await page.text("#tasks")
    for _ in range(3):
        await page.press("Tab")
        if await page.run("document.activeElement.className === 'skip'"):
            break
    await page.press("Enter")
    await page.until("document.activeElement.tagName === 'MAIN'")
    await page.press("Tab")
    await page.until("document.activeElement.id === 'new-task'")
    await page.type("Read")
    for _ in range(4):
        await page.press("Tab")
    assert await page.run("document.activeElement.innerText") == "Run task"
    await page.press("Enter")
    await page.until("document.querySelector('#tasks tbody tr')?.innerText.includes('The answer')")
    await page.run("document.querySelector('#tasks tbody tr a').focus()")
    await page.press("Enter")
    await page.until("document.querySelector('#output')?.innerText.includes('The answer')")

    assert await page.run("document.activeElement.id") == "main"
    assert page.complaints == []


async def test_tasks_are_listed_as_they_come(browser, caller):
    """Newest first, with status, reason, cost, picture and output, without a reload."""
    page = await open_page(browser, caller)
    for text in ("First", "Fail it", "Wait for it"):
        task_id = await caller.create(text)
    await caller.reached(task_id, "running", steps=2)
    await page.until("document.querySelectorAll('#tasks .thumb img').length === 3")
    await page.until("document.querySelector('#tasks [data-unit]').innerText === '2'")
    waiting, failed, first = await rows(page)
    await page.until("document.getElementById('balance').textContent === '$9.82'")

    assert [each.split("\n")[0] for each in (waiting, failed, first)] == [
        "running",
        "failed",
        "finished",
    ]
    assert "No such page" in failed
    assert "The answer" in first
    assert "$0.06" in first  # $0.01, and $0.025 for each of two steps
    assert "3 tasks, 1 at work" in await page.text("main")
    assert page.complaints == []


async def test_tasks_are_found_by_status_and_text(browser, caller):
    """A typed text is searched literally, in either case."""
    for text in ("Read 100% of it", "Fail it", "read Something else"):
        await caller.reached(await caller.create(text), "failed" if "Fail" in text else "finished")
    page = await open_page(browser, caller)
    await click_button(page, "Failed", ".filters")
    await page.until("document.querySelectorAll('#tasks tbody tr').length === 1")
    (failed,) = await rows(page)
    await click_button(page, "All", ".filters")
    await page.press("/")
    await page.send("Input.insertText", text="READ")
    await page.until("document.querySelectorAll('#tasks tbody tr').length === 2")
    await type_into(page, "[type=search]", "%")
    await page.until("document.querySelectorAll('#tasks tbody tr').length === 1")
    (percent,) = await rows(page)
    await type_into(page, "[type=search]", "nothing")
    await page.until("document.getElementById('tasks').innerText.includes('Nothing matches')")

    assert "Fail it" in failed
    assert "Read 100% of it" in percent


async def test_more_tasks_come_as_the_list_is_scrolled(browser, caller):
    """50 at first, and the oldest one in the end."""
    for number in range(120):
        await caller.create(f"Task {number}")
    page = await open_page(browser, caller)
    first = len(await rows(page))
    while len(await rows(page)) < 120:
        await page.run("window.scrollTo(0, document.body.scrollHeight)")
        await page.until(
            "document.querySelectorAll('#tasks tbody tr').length % 50 in {0: 1, 20: 1}"
        )

    assert first == 50
    last = (
        "[...document.querySelectorAll('#tasks tbody tr')].at(-1).textContent"  # it is not in view
    )
    assert "Task 0" in await page.run(last)


async def test_several_tasks_are_stopped_at_once(browser, caller):
    """After a question; tasks that are not selected continue."""
    ids = [await caller.create(f"Wait for {number}") for number in range(3)]
    for task_id in ids:
        await caller.reached(task_id, "running", steps=2)
    page = await open_page(browser, caller)
    await page.until("document.querySelectorAll('#tasks .pick').length === 3")
    for number in (1, 2):
        await page.click(f"#tasks tbody tr:nth-child({number}) .pick")
    await click_button(page, "Stop them", ".selection")
    await click_button(page, "Stop for good", "dialog")
    await page.until("document.querySelectorAll('[data-status=stopped].row').length === 2")

    assert (await caller.task(ids[0]))["status"] == "running"
    assert {(await caller.task(each))["status"] for each in ids[1:]} == {"stopped"}
    assert page.complaints == []


async def test_a_server_that_is_gone_is_said_in_words(browser, http):
    """The page says so, and continues when the server is back."""
    async with LocalServer(executor="scripted", api_key="bu_again_and_again") as server:
        page = await open_page(browser, Caller(server, http))
        port = int(server.url.rsplit(":")[-1])
    await page.until("!document.getElementById('offline').hidden")
    shown = await page.text("#offline")
    async with LocalServer(executor="scripted", api_key="bu_again_and_again", port=port):
        await page.until("document.getElementById('offline').hidden")

    assert "does not answer; trying again" in shown


async def test_hostile_texts_are_only_texts(browser, caller):
    """No text of a task, an output or a profile becomes a tag, and no script runs."""
    hostile = "<img src=x onerror=\"document.title='bad'\"><script>document.title='bad'</script>"
    await caller.post("/browser-profiles", json={"profile_name": hostile, "description": hostile})
    task_id = await caller.create(hostile, metadata={"name": hostile})
    await caller.reached(task_id, "finished")
    for path in ("/", f"/tasks/{task_id}", "/profiles", f"/tasks/{'%3Cscript%3E'}"):
        page = await open_page(browser, caller, path)
        shown = "document.querySelector('main').innerText"
        await page.until(
            f"[{json.dumps(hostile)}, 'no such task'].some(it => {shown}.includes(it))"
        )

        assert await page.run("document.querySelectorAll('main script, [onerror]').length") == 0
        assert "bad" not in await page.run("document.title")
        assert not [each for each in page.complaints if "404" not in each]


async def test_an_address_that_cannot_be_decoded_leads_to_no_task(browser, caller):
    """The page says so, as for any other unknown task."""
    page = await open_page(browser, caller, "/tasks/%E0%A4%A")
    await page.until("document.querySelector('h1').innerText === 'There is no such task'")

    assert not [each for each in page.complaints if "404" not in each]
