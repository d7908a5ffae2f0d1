"""The table of executors, and what is made of it."""

from pathlib import Path

import attrs
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import ChromiumSettings, LocalServer, ServerSettings
from browser_use_async.server.executors.choice import (
    CHOICES,
    EXECUTORS,
    FieldUse,
    choose_executor,
)
from browser_use_async.server.operations.task_start import resolve_settings
from browser_use_async.server.setting_kinds import settings_of
from browser_use_async.types import BrowserProfile, RunTaskRequest
from scripts.command_tables import executors
from tests.server.calling import Caller

FIELDS = [each.name for each in attrs.fields(RunTaskRequest) if each.name != "extra_fields"]
# A value of each field but of those that need an upload or a profile.
VALUES = {
    "secrets": {"password": "hunter22"},
    "allowed_domains": ["a.example"],
    "save_browser_data": True,
    "structured_output_json": '{"type": "object"}',
    "llm_model": "o3",
    "use_adblock": False,
    "use_proxy": True,
    "proxy_country_code": "de",
    "highlight_elements": False,
    "browser_viewport_width": 800,
    "browser_viewport_height": 600,
    "max_agent_steps": 5,
    "enable_public_share": True,
    "metadata": {"team": "a"},
}


@pytest.mark.parametrize("row", EXECUTORS, ids=lambda row: row.name)
def test_each_executor_says_what_it_does_with_each_field(row):
    """A new field of a task is said of all executors, and none that a task has not."""
    assert sorted(row.fields) == sorted(FIELDS)
    assert set(row.fields.values()) <= set(FieldUse)


@pytest.mark.parametrize(
    "field", sorted(VALUES.keys() - {"save_browser_data", "enable_public_share"})
)
def test_a_field_reaches_the_executors(field):
    """It changes the assignment; what the server itself does with the others is stored."""
    profile = BrowserProfile("p-1", "Default")
    assignments = [
        attrs.evolve(resolve_settings(RunTaskRequest("Look", **given), profile, "m"), task_id="")
        for given in ({}, {field: VALUES[field]})
    ]

    assert assignments[0] != assignments[1]


def test_a_new_field_is_tried():
    """The tests around this one have a value of each field."""
    assert VALUES.keys() == {*FIELDS} - {"task", "included_file_names", "browser_profile_id"}


@pytest.mark.parametrize("name", ["plain", "scripted"])
async def test_only_what_a_row_refuses_is_refused(name, http):
    """Each field is given to a server, which accepts those that are followed or ignored."""
    (row,) = (each for each in EXECUTORS if each.name == name)
    values = {"task": "Open https://a.example/", **VALUES}
    async with LocalServer(executor=name) as server:
        caller = Caller(server, http)
        answers = {
            field: (
                await caller.post("/run-task", json={"task": values["task"], field: value})
            ).status
            for field, value in values.items()
        }

    assert answers == {
        field: 422 if row.fields[field] is FieldUse.REFUSES else 200 for field in values
    }


def test_choices_help_and_page_are_made_of_the_table():
    """Each name is an option's choice, and is in its help and in the table of the page."""
    ((_, setting),) = (each for each in settings_of(ServerSettings) if each[0].name == "executor")

    assert setting.kind.choices == CHOICES
    for row in EXECUTORS:
        assert {row.name, *row.also} <= set(CHOICES)
        assert row.name in setting.help
        assert f"`{row.name}`" in setting.more
        assert row.help in setting.more
        assert f"`{row.name}`" in executors()
        assert row.needs in executors()


def test_the_page_says_what_an_executor_refuses():
    """Behind what it ignores."""
    row = attrs.evolve(
        EXECUTORS[0], fields={"secrets": FieldUse.IGNORES, "metadata": FieldUse.REFUSES}
    )

    assert executors([row]).endswith(" | `secrets`, refuses `metadata` |")


def test_another_name_is_refused_with_all_names():
    """The nearest one comes first."""
    with pytest.raises(ConfigurationError) as caught:
        choose_executor("chromum")

    said = str(caught.value)
    assert said.startswith(
        "there is no executor 'chromum'; did you mean 'chromium'? Or take 'auto'"
    )
    assert all(repr(row.name) in said for row in EXECUTORS)
    assert said.endswith(", or an object of yours")


def _broken_browser(folder: Path) -> Path:
    """A browser that lacks a library, as an incomplete installation has it."""
    program = folder / "chromium"
    program.write_text("#!/bin/sh\necho 'no libnss3.so' >&2\nexit 127\n")
    program.chmod(0o755)
    return program


def test_auto_does_without_a_browser_that_cannot_run(tmp_path, monkeypatch, caplog):
    """The log says why pages are read without it."""
    program = _broken_browser(tmp_path)
    monkeypatch.delenv("BROWSER_USE_SERVER_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert type(choose_executor("auto")).__name__ == "PlainExecutor"
    assert f"{program} cannot be started: no libnss3.so" in caplog.text


@pytest.mark.parametrize("choice", ["auto", "chromium"])
def test_a_named_browser_that_cannot_run_is_refused(choice, tmp_path):
    """The operator wants this one, and gets no other."""
    program = _broken_browser(tmp_path)
    with pytest.raises(ConfigurationError, match=r"cannot be started: no libnss3\.so$"):
        choose_executor(choice, ChromiumSettings(browser=program))


@pytest.mark.parametrize(
    "text", ["Book a table for two", "Open http://a.example/ and book a table"]
)
async def test_what_nothing_fits_is_refused_with_both_ways_out(text, http):
    """A task in free words needs a model; without one it has to be said in steps."""
    async with LocalServer(executor="plain") as server:
        caller = Caller(server, http)
        task = await caller.reached(await caller.create(text), "failed")
    said = task["steps"][-1]["evaluation_previous_goal"]

    assert "--llm-base-url or OPENAI_BASE_URL, or say" in said
    assert "in steps" in said
