"""Tasks from end to end, as a client of the API sees them."""

import json
import re
from pathlib import Path

import pytest

from tests.agent.scripted_model import KEY, Reply, act, index_of
from tests.agent.stage import click, done, ended, screenshots, size_of, uploaded
from tests.support.hygiene import SECRET

SCHEMA = {
    "type": "object",
    "properties": {"prices": {"type": "object", "additionalProperties": {"type": "integer"}}},
    "required": ["prices"],
}
PRICES = json.dumps({"prices": {"tea": 3, "coffee": 4}})


async def test_two_steps_with_pictures_and_a_typed_answer(stage):
    """A task opens a page, follows a link and answers by the schema; each step has its picture."""
    model = await stage.model([lambda text: click("Prices", text), done(PRICES)])
    caller = await stage.server(model)

    task_id = await caller.create(
        f"Open {stage.shop.url} and tell me the prices",
        structured_output_json=json.dumps(SCHEMA),
        browser_viewport_width=900,
        browser_viewport_height=700,
    )
    task = await ended(caller, task_id)
    pictures = await screenshots(caller, task_id)

    assert task["status"] == "finished", task["steps"]
    assert json.loads(task["output"]) == {"prices": {"tea": 3, "coffee": 4}}
    assert [step["next_goal"] for step in task["steps"]] == ["Open Prices", "Answer"]
    first, second = (step["evaluation_previous_goal"] for step in task["steps"])
    assert first == "Success"
    assert second == "Success"
    assert task["steps"][1]["url"] == f"{stage.shop.url}/prices"
    assert [size_of(picture) for picture in pictures] == [(900, 700)] * 2
    assert pictures[0] != pictures[1]
    assert model.keys == {KEY}
    assert [asked.pictures > 0 for asked in model.asked] == [True, True]


async def test_highlights_can_be_switched_off(stage):
    """Elements are framed on the pictures unless the task switches it off."""
    model = await stage.model([done("Done")])
    caller = await stage.server(model)
    task = f"Open {stage.shop.url}"

    pictures = []
    for wanted in (True, False):
        task_id = await caller.create(task, highlight_elements=wanted)
        await ended(caller, task_id)
        pictures += await screenshots(caller, task_id)

    framed, plain = pictures
    assert framed != plain


async def test_a_wrong_answer_is_sent_back(stage):
    """An answer that does not follow the schema is refused with the mistake, and corrected."""
    model = await stage.model(
        [done('{"prices": {"tea": "three"}}'), done(f"```json\n{PRICES}\n```")]
    )
    caller = await stage.server(model)

    task_id = await caller.create("Prices?", structured_output_json=json.dumps(SCHEMA))
    task = await ended(caller, task_id)

    assert json.loads(task["output"]) == {"prices": {"tea": 3, "coffee": 4}}
    assert "$.prices.tea: 'three' is not of type 'integer'" in model.asked[1].text


async def test_a_list_can_be_the_answer(stage):
    """A schema need not be an object."""
    model = await stage.model([done("[1, 2]")])
    caller = await stage.server(model)
    schema = {"type": "array", "items": {"type": "integer"}}

    task_id = await caller.create("Numbers?", structured_output_json=json.dumps(schema))

    assert (await ended(caller, task_id))["output"] == "[1, 2]"


async def test_files_go_in_and_come_out(stage):
    """The agent sends an uploaded file, downloads one, writes one; the last two are outputs."""
    replies: list[Reply] = [
        lambda text: act(
            "Choose the file",
            {
                "upload_file": {
                    "index": index_of("type=file", text),
                    "path": re.findall(r"/tmp\S*/notes\.txt", text)[-1],
                }
            },
        ),
        lambda text: click("Send", text),
        act("Go home", {"navigate": {"url": stage.shop.url, "new_tab": False}}),
        lambda text: click("Report", text),
        act("Write", {"write_file": {"file_name": "summary.txt", "content": "Two goods"}}),
        done("Done"),
    ]
    model = await stage.model(replies)
    caller = await stage.server(model)
    name = await uploaded(caller, "notes.txt", b"my notes")

    task_id = await caller.create(f"Open {stage.shop.url}/upload", included_file_names=[name])
    task = await ended(caller, task_id)

    assert task["status"] == "finished", task["steps"]
    assert stage.shop.uploads == {"notes.txt": b"my notes"}
    assert sorted(task["output_files"]) == ["report.csv", "summary.txt"]
    report = await caller.get(f"/task/{task_id}/output-file/report.csv")
    content = await caller.get(report.json["download_url"], key=False)
    assert content.body == b"tea,3\ncoffee,4\n"


async def test_a_profile_keeps_its_cookies(stage):
    """On request a cookie of one task is sent in the next task of the same profile."""
    model = await stage.model([done("Done")])
    caller = await stage.server(model)
    answer = await caller.post(
        "/browser-profiles",
        json={"profile_name": "mine", "description": "", "persist": True, "proxy": False},
    )
    profile = answer.json["profile_id"]

    for _ in range(2):
        task_id = await caller.create(
            f"Open {stage.shop.url}", browser_profile_id=profile, save_browser_data=True
        )
        await ended(caller, task_id)
    other = await caller.create(f"Open {stage.shop.url}")
    await ended(caller, other)

    assert stage.shop.visitors == ["", "known", ""]


async def test_secrets_are_typed_and_never_shown(stage):
    """A secret is typed into the form, and is in no question, step, output or file."""
    shown = f"The password is {SECRET}"
    placeholder = "<secret>password</secret>"
    replies: list[Reply] = [
        lambda text: act(
            "Log in",
            {"input": {"index": index_of("User name", text), "text": "ann"}},
            {"input": {"index": index_of("Password", text), "text": placeholder}},
            {"click": {"index": index_of("button", text)}},
        ),
        act("Write", {"write_file": {"file_name": "kept.txt", "content": placeholder}}),
        act(shown, {"done": {"text": f"{shown}, {placeholder}", "success": True}}),
    ]
    model = await stage.model(replies)
    caller = await stage.server(model)

    task_id = await caller.create(
        f"Log in at {stage.shop.url}/login",
        secrets={"password": SECRET},
        allowed_domains=["127.0.0.1"],
    )
    task = await ended(caller, task_id)
    link = await caller.get(f"/task/{task_id}/output-file/kept.txt")
    kept = await caller.get(link.json["download_url"], key=False)

    assert stage.shop.logins == [("ann", SECRET)]
    assert task["status"] == "finished", task["steps"]
    assert SECRET not in json.dumps(task)
    assert SECRET.encode() not in kept.body
    assert not [asked for asked in model.asked if SECRET in asked.text]


async def test_only_allowed_domains_are_reached(stage):
    """Another host, and a file of this machine, are refused, and the agent gets the reason."""
    elsewhere = stage.shop.url.replace("127.0.0.1", "localhost")
    replies: list[Reply] = [
        act("Try", {"navigate": {"url": f"{elsewhere}/prices", "new_tab": False}}),
        act("Read", {"navigate": {"url": "file:///etc/hostname", "new_tab": False}}),
        done("I cannot", success=False),
    ]
    model = await stage.model(replies)
    caller = await stage.server(model)

    task_id = await caller.create("Look around", allowed_domains=["127.0.0.1"])
    task = await ended(caller, task_id)

    assert [step["url"] for step in task["steps"][:3]] == ["about:blank"] * 3
    assert "blocked by security policy" in model.asked[1].text
    assert "blocked by security policy" in model.asked[2].text
    assert task["status"] == "failed"


@pytest.mark.parametrize(
    ("allowed_domains", "address"),
    [
        (None, "file://localhost{}/test_tasks.py"),
        (["*"], "file://localhost{}/test_tasks.py"),
        (["localhost", "127.0.0.1"], "file://localhost{}/test_tasks.py"),
        (["127.0.0.1"], "file://localhost{}/test_tasks.py"),
        (["127.0.0.1"], "file://{}/test_tasks.py"),
        (None, "file://localhost{}/"),
        (None, "chrome://version"),
    ],
)
async def test_no_file_of_the_machine_is_opened(stage, allowed_domains, address):
    """Whatever domains a task allows, its agent opens neither files nor the browser's pages."""
    url = address.format(Path(__file__).parent)
    replies: list[Reply] = [
        act("Read", {"navigate": {"url": url, "new_tab": False}}),
        done("I cannot", success=False),
    ]
    model = await stage.model(replies)
    caller = await stage.server(model)
    fields = {} if allowed_domains is None else {"allowed_domains": allowed_domains}

    task = await ended(caller, await caller.create("Look around", **fields))

    asked = model.asked[-1].text
    assert [word for word in ("blocked by security policy", "site unavailable") if word in asked]
    assert not [word for word in ("content-of-a-file", "Index of", "Revision") if word in asked]
    assert {step["url"] for step in task["steps"]} == {"about:blank"}


async def test_private_addresses_that_are_closed(stage):
    """If the operator opens none, no page of this machine is reached."""
    model = await stage.model([done("I cannot", success=False)])
    caller = await stage.server(model, allow_private_addresses=False, allow_named_addresses=False)

    await ended(caller, await caller.create(f"Open {stage.shop.url}"))

    assert stage.shop.visitors == []


async def test_the_last_step_is_the_last(stage):
    """A task that is not done within its steps fails and says so."""
    model = await stage.model([act("Wait", {"wait": {"seconds": 1}})])
    caller = await stage.server(model)

    task = await ended(caller, await caller.create("Wait", max_agent_steps=2))

    assert task["status"] == "failed"
    assert len(task["steps"]) == 2  # in the second the model may only answer
    assert "within its 2 steps (max_agent_steps)" in task["steps"][-1]["evaluation_previous_goal"]
