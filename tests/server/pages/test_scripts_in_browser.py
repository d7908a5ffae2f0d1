"""The pages of scripts in a real browser."""

from tests.server.pages.application import click_button, open_page, type_into

TEXT = "script office\ninputs: company\n\nopen https://shop.example/{company}\n"


async def test_versions_stand_side_by_side_and_can_be_edited(browser, caller):
    """Differences are marked; a text that is no script is refused in the dialog."""
    url = f"{caller.server.url}/admin/scripts/office"
    await caller.put(url, json={"text": TEXT})
    await caller.put(url, json={"text": f"{TEXT}click “Prices”\n    role: link\n"})
    page = await open_page(browser, caller, "/scripts")
    await page.until("document.querySelector('.items a')?.innerText === 'office'")
    await page.click(".items a")
    await page.until("document.querySelectorAll('.script .changed').length === 2")
    head = await page.text(".script thead")

    await click_button(page, "Edit")
    await type_into(page, "dialog textarea", f"{TEXT}clik “Prices”\n")
    await click_button(page, "Save as a new version", "dialog")
    await page.until("document.querySelector('dialog .alert') !== null")
    refused = await page.text("dialog .alert")
    await type_into(page, "dialog textarea", f"{TEXT}go back\n")
    await click_button(page, "Save as a new version", "dialog")
    await page.until("document.querySelectorAll('#versions .item').length === 3")
    await click_button(page, "Version 1")
    await page.until("document.querySelectorAll('.script thead th').length === 1")

    assert head.split() == "Version 1, edited by a person Version 2, edited by a person".split()
    assert "line 5: “clik “Prices”” is not understood" in refused
    versions = (await caller.get(url)).json["versions"]
    assert [each["version"] for each in versions] == [3, 2, 1]
    assert "go back" in (await caller.get(f"{url}/3")).json["text"]

    await click_button(page, "Delete")
    await click_button(page, "Delete", "dialog")
    await page.until("location.pathname === '/scripts'")
    assert (await caller.get(url)).status == 404


async def test_tasks_and_schedules_take_a_script(browser, caller):
    """By its name, with inputs, as the SDK sends them; a finished task becomes one by a button."""
    await caller.put(f"{caller.server.url}/admin/scripts/office", json={"text": TEXT})
    page = await open_page(browser, caller)
    await type_into(page, "#new-task", "Find {company} and {other}")
    await click_button(page, "Options")
    await page.until("document.querySelector('#script-names option')?.value === 'office'")
    await type_into(page, "[list=script-names]", "office")
    await type_into(page, ".options label:has([list]) + label textarea", "company=ACME")
    await click_button(page, "Run task")
    await page.until("document.querySelectorAll('#tasks tbody tr').length === 1")
    (row,) = (await caller.get("/tasks")).json["tasks"]
    await caller.reached(row["id"], "finished")
    plain = await caller.create("Open the shop")
    await caller.reached(plain, "finished")

    assert row["task"] == "Find ACME and {other}"
    assert row["metadata"] == {
        "bu_async.script": "office",
        "bu_async.inputs": '{"company":"ACME"}',
    }

    await page.go(f"{caller.server.url}/tasks/{plain}")
    await click_button(page, "Make a script")
    await page.until("document.querySelector('[list=script-names]')?.value === 'new-script'")
    assert await page.run("document.querySelector('#new-task').value") == "Open the shop"

    await page.go(f"{caller.server.url}/schedules")
    await click_button(page, "New schedule")
    await type_into(page, "dialog textarea", "Find {company}")
    await type_into(page, "dialog [list=script-names]", "office")
    await type_into(page, "dialog label:has([list]) + label textarea", "company=ACME")
    await click_button(page, "Add schedule", "dialog")
    await page.until("document.querySelectorAll('.items .item').length === 1")
    (schedule,) = (await caller.get("/scheduled-tasks")).json["tasks"]
    assert schedule["task"] == "Find ACME"
    assert schedule["metadata"]["bu_async.script"] == "office"
    assert page.complaints == []
