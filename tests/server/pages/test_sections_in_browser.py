"""The other parts of the application: one task, schedules, webhooks, keys, the API."""

import asyncio

import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
from tests.browser.driver import Page
from tests.server.calling import Caller
from tests.server.pages.application import click_button, open_page, rows, type_into, violations
from tests.server.pages.hostile import PAYLOADS, TAKEN
from tests.server.pages.test_application_in_browser import SCENARIOS
from tests.server.webhooks.receiver import SECRET, receiving

ITEMS = ".items > li"


@pytest.fixture
async def server_options():
    """A server whose webhook gets the events of each task."""
    async with receiving() as receiver:
        webhooks = [Webhook(receiver.url, SECRET)]
        yield {"executor": ScriptedExecutor(SCENARIOS), "webhooks": webhooks}


async def _until_rows(page: Page, number: int) -> list[str]:
    await page.until(f"document.querySelectorAll('{ITEMS}').length === {number}")
    return await rows(page, ITEMS)


async def test_a_task_that_failed_says_why(browser, caller):
    """At the top of the page, and at its last step; each step has its picture."""
    task_id = await caller.create("Fail it")
    await caller.reached(task_id, "failed")
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    steps = await rows(page, ".timeline li")
    await page.click(".timeline li:first-child button")
    await page.until("document.querySelector('.stage img')?.alt === 'The page at step 1'")
    await click_button(page, "Next step")
    await page.until("document.querySelector('.stage img')?.alt === 'The page at step 2'")
    current = await page.text(".step[aria-current]")

    assert await page.text("[role=alert]") == "Failed: No such page"
    assert "No such page" not in steps[0]
    assert "No such page" in steps[1]
    assert current.startswith("2")
    assert page.complaints == []


async def test_an_output_is_a_table_a_tree_and_text(browser, caller):
    """With the arrow keys between the three; a file is named."""
    task_id = await caller.create("Table of bicycles")
    await caller.reached(task_id, "finished")
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    table = await rows(page, "#output tbody td")
    await page.run("document.querySelector('[aria-controls=output][tabindex=\"0\"]').focus()")
    shown = []
    for _ in range(2):
        before = await page.run("document.activeElement.textContent")
        await page.press("ArrowRight")
        await page.until(f"document.activeElement.textContent !== '{before}'")
        shown.append(await page.text("#output"))
    files = await rows(page, ".files li")

    assert table == ["Red bicycle", "349.5"]
    assert "1 item" in shown[0]
    assert '"price": 349.5' in shown[1]
    assert "prices.csv" in files[0]


async def test_a_task_is_paused_resumed_and_stopped(browser, caller):
    """Its live page is in a frame, without its own buttons."""
    task_id = await caller.create("Wait for it")
    await caller.reached(task_id, "running", steps=2)
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await page.until("document.querySelector('iframe')?.contentDocument.title.includes('running')")
    await page.until("document.querySelector('iframe').contentDocument.body.className === 'bare'")
    for button, status in (("Pause", "paused"), ("Resume", "running")):
        await click_button(page, button, ".heading")
        await caller.reached(task_id, status)
        await page.until(f"document.querySelector('.heading .pill').innerText === '{status}'")
        await asyncio.sleep(1.1 if status == "paused" else 0)
    pause = "/Was paused\\s+(\\d+\\.\\d) s/.exec(document.body.innerText)?.[1]"
    await page.until(f"{pause} >= 1")
    await click_button(page, "Stop", ".heading")
    await click_button(page, "Stop for good", "dialog")
    await page.until("document.querySelector('.heading .pill').innerText === 'stopped'")

    assert (await caller.task(task_id))["status"] == "stopped"
    assert page.complaints == []


async def test_a_task_is_run_again_and_copied_as_code(browser, caller):
    """With its original fields; the value of a secret is in neither."""
    task_id = await caller.create(
        "Table", llm_model="o3", allowed_domains=["a.example"], secrets={"pin": "s3cret-pin"}
    )
    await caller.reached(task_id, "finished")
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await click_button(page, "As code")
    code = []
    for language in ("curl", "Python", "TypeScript"):
        await click_button(page, language, "dialog")
        code.append(await page.text("dialog pre"))
    await click_button(page, "Close", "dialog")
    await click_button(page, "Run again")
    await page.until("document.getElementById('new-task')?.value === 'Table'")
    await click_button(page, "Run task")
    await page.until("document.querySelectorAll('#tasks tbody tr').length === 2")
    (newest, _) = (await caller.get("/tasks")).json["tasks"]

    for text in code:
        assert "a.example" in text
        assert "o3" in text
        assert "s3cret" not in text
    assert newest["id"] != task_id
    record = caller.stored(newest["id"])
    assert record.llm_model == "o3"


async def test_a_task_is_shared_and_unshared(browser, caller):
    """With a link that needs no key, until it is revoked."""
    task_id = await caller.create("Table")
    await caller.reached(task_id, "finished")
    page = await open_page(browser, caller, f"/tasks/{task_id}")
    await click_button(page, "Share")
    await click_button(page, "Make a public link", "dialog")
    await page.until("document.querySelector('dialog pre')?.innerText.includes('/share/')")
    link = await page.text("dialog pre")
    found = await violations(page)
    shown = await caller.get(link, key=False)
    await click_button(page, "Take it back", "dialog")
    await page.until("!document.querySelector('dialog pre')")
    gone = await caller.get(link, key=False)

    assert found == []
    assert (shown.status, gone.status) == (200, 404)
    assert (await caller.task(task_id))["public_share_url"] is None
    assert page.complaints == []


async def test_an_unknown_task_is_said_in_words(browser, caller):
    """The page has a link back."""
    page = await open_page(browser, caller, "/tasks/00000000-0000-4000-8000-000000000000")

    await page.until("document.querySelector('main').innerText.includes('There is no such task')")
    await click_button(page, "All tasks", "main")
    await page.until("location.pathname === '/'")


async def test_a_schedule_is_made_paused_and_deleted(browser, caller):
    """It is described in words."""
    page = await open_page(browser, caller, "/schedules")
    await page.until("document.body.innerText.includes('Nothing runs by itself yet')")
    await click_button(page, "New schedule")
    await type_into(page, "dialog textarea", "Read the prices")
    await type_into(page, "dialog input", "30 6 * * 1-5")
    await click_button(page, "Add schedule", "dialog")
    (made,) = await _until_rows(page, 1)
    await click_button(page, "Pause: Read the prices")
    await page.until(f"document.querySelector('{ITEMS} .pill').innerText === 'paused'")
    await click_button(page, "Delete: Read the prices")
    await click_button(page, "Delete", "dialog")
    await _until_rows(page, 0)

    assert "on weekdays at 06:30 UTC" in made
    assert "next run" in made
    assert (await caller.get("/scheduled-tasks")).json["total_count"] == 0
    assert page.complaints == []


async def test_the_form_proposes_the_default_model(browser, caller):
    """A schedule from the page, and one without a model, run with the same."""
    body = {"task": "Read it", "schedule_type": "interval", "interval_minutes": 60}
    assert (await caller.post("/scheduled-task", json=body)).status == 200
    page = await open_page(browser, caller, "/schedules")
    await click_button(page, "New schedule")
    await type_into(page, "dialog textarea", "Read it again")
    shown = await page.run(
        "[...document.querySelectorAll('dialog option')].filter((it) => it.selected)"
        ".map((it) => it.innerText)"
    )
    await click_button(page, "Add schedule", "dialog")
    await _until_rows(page, 2)
    schedules = (await caller.get("/scheduled-tasks")).json["tasks"]

    assert "gpt-4o (default)" in shown
    assert [each["llm_model"] for each in schedules] == ["gpt-4o"] * 2


async def test_a_schedule_that_has_ended(browser, caller):
    """The page says so, and announces no run."""
    body = {"task": "Read it", "schedule_type": "interval", "interval_minutes": 60}
    body |= {"start_at": "2020-01-01T00:00:00Z", "end_at": "2020-02-01T00:00:00Z"}
    assert (await caller.post("/scheduled-task", json=body)).status == 200
    page = await open_page(browser, caller, "/schedules")
    (shown,) = await _until_rows(page, 1)

    assert "ended" in shown
    assert "next run" not in shown


async def test_a_profile_is_made_and_changed(browser, caller):
    """Its name, and its settings."""
    page = await open_page(browser, caller, "/profiles")
    await click_button(page, "New profile")
    await type_into(page, "dialog input", "shop")
    await click_button(page, "Add profile", "dialog")
    await _until_rows(page, 2)
    await click_button(page, "Edit: shop")
    await page.click("dialog .check")
    await click_button(page, "Save", "dialog")
    await page.until(
        f"[...document.querySelectorAll('{ITEMS}')].some((each) => "
        "each.innerText.includes('shop') && each.innerText.includes('nothing'))"
    )

    found = (await caller.get("/browser-profiles")).json["profiles"]
    assert {each["profile_name"]: each["persist"] for each in found}["shop"] is False


async def test_a_delivery_is_shown_and_sent_again(browser, caller):
    """The event, the answers, and one more delivery of the same event."""
    task_id = await caller.create("Now")
    await caller.reached(task_id, "finished")
    page = await open_page(browser, caller, "/webhooks")
    await _until_rows(page, 3)
    await page.until("!document.getElementById('deliveries').innerText.includes('pending')")
    await page.click(f"{ITEMS} summary")
    event = await page.text(f"{ITEMS} pre")
    await click_button(page, "Send again", ITEMS)
    await _until_rows(page, 4)
    await page.until("!document.getElementById('deliveries').innerText.includes('pending')")
    newest, first, *_ = await rows(page, ITEMS)
    await click_button(page, "Failed", ".filters")
    await page.until("document.querySelector('.heading .note').innerText === '0 of 4 deliveries'")

    assert task_id in event
    assert newest.split("\n")[1] == first.split("\n")[1] == "finished"
    assert "answered 200" in newest


async def test_a_delivery_shows_the_answer(browser, http):
    """Headers and body, always as text; other owners get the answers in short."""
    async with receiving() as receiver:
        receiver.body = "\n".join(PAYLOADS).encode()
        receiver.headers = {"X-Name": PAYLOADS[0]}
        webhooks = [Webhook(receiver.url, SECRET)]
        async with LocalServer(executor="scripted", webhooks=webhooks) as server:
            caller = Caller(server, http)
            await caller.reached(await caller.create("Now"), "finished")
            page = await open_page(browser, caller, "/webhooks")
            await page.until("document.querySelectorAll('#deliveries > li').length === 3")
            await page.until("!document.getElementById('deliveries').innerText.includes('pending')")
            await page.click("#deliveries summary")
            await page.until("!!document.querySelector('[aria-label=Answer]')")
            answer = await page.text("[aria-label=Answer]")
            sent = await page.run("document.querySelector('[aria-label^=Headers]').textContent")
            untouched = await page.run(TAKEN)
            found = await violations(page)
            shown = await page.run(
                "document.querySelectorAll('#deliveries :is(img, script)').length"
            )

    assert answer.startswith("200\n")
    assert f"X-Name: {PAYLOADS[0]}" in answer
    assert PAYLOADS[3] in answer
    assert "Signature: " in sent
    assert (untouched, found, shown) == (True, [], 0)
    assert page.complaints == []


async def test_a_webhook_is_added_edited_paused_and_removed(browser, http):
    """Its address and events; a receiver that does not pass the test is refused with a reason."""
    async with (
        receiving() as receiver,
        receiving() as other,
        LocalServer(executor="scripted") as server,
    ):
        caller = Caller(server, http)
        page = await open_page(browser, caller, "/webhooks")
        await click_button(page, "New webhook")
        await type_into(page, "dialog input", receiver.url)
        await type_into(page, "dialog [type=password]", SECRET)
        await click_button(page, "Add webhook", "dialog")
        await click_button(page, f"Edit {receiver.url}")
        other.answer = lambda _: 404
        await type_into(page, "dialog input", other.url)
        await page.click("dialog .check")
        await click_button(page, "Save", "dialog")
        await page.until("document.querySelector('dialog [role=alert]')?.innerText.includes('404')")
        other.answer = lambda _: 200
        found = await violations(page)
        await click_button(page, "Save", "dialog")
        await click_button(page, f"Pause {other.url}")
        await page.until("document.querySelector('.receivers .pill')?.innerText === 'paused'")
        (row,) = await rows(page, ".receivers > li")
        found += await violations(page)
        changed = server.webhooks
        await click_button(page, f"Remove {other.url}")
        await click_button(page, "Remove", "dialog")
        await page.until("!document.querySelector('.receivers')")

    assert found == []
    assert "started, paused, stopped, finished" in row
    assert [(each.url, each.is_active) for each in changed] == [(other.url, False)]
    assert "initializing" not in changed[0].events
    assert server.webhooks == ()
    assert all("422" in each for each in page.complaints)


async def test_a_key_is_made_shown_once_and_revoked(browser, caller):
    """The key is valid until it is revoked."""
    page = await open_page(browser, caller, "/keys")
    await click_button(page, "New key")
    await type_into(page, "dialog input", "shop")
    await click_button(page, "Make key", "dialog")
    await page.until("document.querySelector('dialog pre')?.innerText.startsWith('bu_')")
    bearer = {"Authorization": "Bearer " + await page.text("dialog pre")}
    opened = (await caller.get("/me", headers=bearer)).status
    await click_button(page, "Done", "dialog")
    await click_button(page, "Revoke a key of shop")
    await click_button(page, "Revoke", "dialog")
    await page.until(f"document.querySelector('{ITEMS} .pill').innerText === 'revoked'")

    assert opened == 200
    assert (await caller.get("/me", headers=bearer)).status == 401
    assert "bu_" not in await page.text()


async def test_a_form_of_a_key_keeps_refused_values(browser, caller):
    """The server's refusal is shown in the form, and the values stay."""
    page = await open_page(browser, caller, "/keys")
    await click_button(page, "New key")
    await type_into(page, "dialog input", "no name")
    await type_into(page, "dialog .pair input", "12.5")
    await click_button(page, "Make key", "dialog")
    await page.until("document.querySelector('dialog [role=alert]')?.innerText.includes('name of')")
    found = await violations(page)
    await type_into(page, "dialog input", "store")
    await click_button(page, "Make key", "dialog")
    await page.until("document.querySelector('dialog pre')?.innerText.startsWith('bu_')")
    await click_button(page, "Done", "dialog")
    await page.until(f"document.querySelector('{ITEMS}').innerText.includes('store')")
    (row,) = await rows(page, ITEMS)
    (key,) = (await caller.get(f"{caller.server.url}/admin/keys")).json["keys"]

    assert found == []
    assert "$12.50" in row
    assert (key["name"], key["scopes"], key["budget_cents"]) == ("store", ["read", "run"], "1250")
    assert all("422" in each for each in page.complaints)


async def test_a_key_that_only_reads_is_offered_nothing_else(browser, caller):
    """No composer, no buttons and no other keys; the page says why."""
    reader = await caller.with_new_key("reader", scopes=["read"])
    page = await open_page(browser, reader)
    composer = await page.run("document.querySelectorAll('.composer').length")
    await click_button(page, "Keys", "nav")
    await page.until("document.querySelector('main').innerText.includes('does not have the scope')")

    assert composer == 0
    assert "read: read everything of its own" in await page.text("main")
    assert page.complaints == []


@pytest.mark.parametrize("path", ["/schedules", "/keys", "/profiles", "/files", "/webhooks"])
@pytest.mark.parametrize("width", [1440, 390])
async def test_the_heading_comes_first(browser, caller, path, width):
    """It is above everything else of an empty page, on each screen."""
    page = await open_page(browser, caller, path, width=width, height=900)
    order = await page.run(
        "[...document.querySelectorAll('main > *')].filter((each) => each.checkVisibility())"
        ".map((each) => [each.className, each.getBoundingClientRect().top])"
    )

    assert order[0][0] == "heading"
    assert [top for _, top in order] == sorted(top for _, top in order)
    assert page.complaints == []


async def test_a_picture_that_is_none(browser, http):
    """A broken picture is replaced by a text, in the list of tasks and at the step."""
    step = ScriptedStep("Look", screenshot=b"no picture")
    scenario = Scenario(steps=(step, "Read"), step_seconds=0, outcome="failed", reason=step)
    async with LocalServer(executor=ScriptedExecutor(default=scenario)) as server:
        caller = Caller(server, http)
        task_id = await caller.create("Look")
        await caller.reached(task_id, "failed")
        page = await open_page(browser, caller, width=1440)
        await page.until("document.querySelector('.thumb')?.innerText === 'No picture'")
        torn = await page.run("document.querySelectorAll('img').length")
        page = await open_page(browser, caller, f"/tasks/{task_id}", width=1440)
        await page.click(".timeline li:first-child button")
        await page.until("document.querySelector('.stage')?.innerText.includes('cannot be shown')")
        await page.click(".timeline li:nth-child(2) button")
        await page.until("!!document.querySelector('.stage img')?.naturalWidth")

    assert torn == 0
