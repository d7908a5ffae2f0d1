"""The settings that an executor gets."""

import gc
import logging
import secrets
from contextlib import suppress

import pytest

from browser_use_async.server.operations.task_start import resolve_settings
from browser_use_async.server.records import Assignment, Failed, Finished
from browser_use_async.types import BrowserProfile, ProxyCountry, RunTaskRequest, SecretMapping
from tests.support.patience import until


def test_defaults_are_the_published_ones():
    """They are those of the documentation for missing fields."""
    profile = BrowserProfile("p-1", "Default")
    assignment = resolve_settings(RunTaskRequest("Do it"), profile, "gpt-4.1")

    assert assignment == Assignment(
        task_id=assignment.task_id,
        task="Do it",
        max_agent_steps=75,
        allowed_domains=None,
        structured_output_json=None,
        secrets={},
        metadata={},
        llm_model="gpt-4.1",
        viewport=(1280, 960),
        use_adblock=True,
        use_proxy=True,
        proxy_country_code="us",
        highlight_elements=True,
        files={},
        profile_id="p-1",
    )


def test_the_profile_stands_between_the_request_and_the_default():
    """The profile sets what the request leaves open."""
    profile = BrowserProfile(
        "p-1",
        "Work",
        ad_blocker=False,
        proxy=False,
        proxy_country_code=ProxyCountry.FI,
        browser_viewport_width=640,
        browser_viewport_height=480,
    )
    own = resolve_settings(RunTaskRequest("Do it"), profile, "gpt-4o")
    asked = resolve_settings(
        RunTaskRequest("Do it", use_proxy=True, browser_viewport_width=99), profile, "gpt-4o"
    )

    assert (own.use_adblock, own.use_proxy, own.proxy_country_code) == (False, False, "fi")
    assert (own.viewport, own.llm_model) == ((640, 480), "gpt-4o")
    assert (asked.use_adblock, asked.use_proxy, asked.viewport) == (False, True, (99, 480))


async def test_every_setting_arrives(steered, queue):
    """From JSON through the checks to the executor."""
    task_id = await steered.create(
        "Do it",
        max_agent_steps="7",
        allowed_domains=["example.com", "*.example.org"],
        structured_output_json='{"type": "object"}',
        secrets={"password": "hunter22"},
        metadata={"team": "a"},
        llm_model="o3",
        browser_viewport_width=800,
        browser_viewport_height=600,
        use_adblock=False,
        use_proxy="off",
        proxy_country_code="DE",
        highlight_elements=False,
        browser_profile_id=(await steered.get("/browser-profiles")).json["profiles"][0][
            "profile_id"
        ],
    )
    await steered.reached(task_id, "running")
    (given,) = queue.assignments

    assert given == Assignment(
        task_id=task_id,
        task="Do it",
        max_agent_steps=7,
        allowed_domains=["example.com", "*.example.org"],
        structured_output_json='{"type": "object"}',
        secrets=given.secrets,
        metadata={"team": "a"},
        llm_model="o3",
        viewport=(800, 600),
        use_adblock=False,
        use_proxy=False,
        proxy_requested=True,
        proxy_country_code="de",
        highlight_elements=False,
        files={},
        profile_id=given.profile_id,
        cookies=(),
    )
    assert isinstance(given.secrets, SecretMapping)
    assert dict(given.secrets) == {"password": "hunter22"}
    assert "hunter22" not in repr(given)


async def test_one_side_of_the_viewport_is_enough(steered, queue):
    """The other one keeps its default."""
    await steered.reached(await steered.create(browser_viewport_width=500), "running")

    assert queue.assignments[0].viewport == (500, 960)


@pytest.mark.parametrize("succeeds", [True, False])
async def test_secrets_show_nowhere(succeeds, steered, queue, caplog):
    """Whatever an executor reports: no answer, page or log has the value of a secret."""
    value = "correct-horse"
    caplog.set_level(logging.DEBUG)
    queue.step(
        f"Type {value}", url=f"https://example.com/?p={value}", evaluation_previous_goal=value
    )
    if succeeds:
        queue.items.put_nowait(Finished(f"The password is {value}"))
    else:
        queue.items.put_nowait(Failed(f"{value} was refused", url=f"https://example.com/{value}"))
    task_id = await steered.create(
        secrets={"password": value, "part": "horse", "short": "a"}, enable_public_share=True
    )
    task = await steered.reached(task_id, "finished" if succeeds else "failed")
    answers = [
        await steered.get(task["live_url"]),
        await steered.get(task["public_share_url"]),
        await steered.get(f"/task/{task_id}"),
        await steered.get("/tasks"),
    ]

    assert all(value not in answer.text for answer in answers)
    assert "Type ***" in answers[2].text
    assert value not in caplog.text
    assert value not in repr(steered.server.store.tasks)


async def test_secrets_in_an_exception_show_nowhere(steered, queue, caplog):
    """The reason is shown without them, and the log has only the type of the error."""
    value = "correct-horse"
    queue.items.put_nowait(RuntimeError(f"cannot type {value}"))
    task = await steered.reached(await steered.create(secrets={"p": value}), "failed")

    assert task["steps"][-1]["evaluation_previous_goal"] == (
        "The executor raised RuntimeError: cannot type ***"
    )
    assert "RuntimeError" in caplog.text
    assert value not in caplog.text


def _holders(mirrored: str) -> list[str]:
    """The classes of the objects that refer to a text, which is given reversed."""
    gc.collect()
    return [
        type(each).__name__
        for each in gc.get_objects()
        if any(type(held) is str and held[::-1] == mirrored for held in gc.get_referents(each))
    ]


async def test_secrets_are_dropped_at_the_end(steered, queue):
    """No object of the process refers to them once the task has ended."""
    mirrored = secrets.token_hex(16)  # all objects that the test itself refers to
    task_id = await steered.create(secrets={"p": mirrored[::-1]})
    await steered.reached(task_id, "running")
    while_it_runs = _holders(mirrored)
    await steered.put(f"/stop-task?task_id={task_id}")
    await until(lambda: queue.ended)
    queue.assignments.clear()

    with suppress(TimeoutError):
        await until(lambda: not _holders(mirrored))

    assert while_it_runs
    assert _holders(mirrored) == []
