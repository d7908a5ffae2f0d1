"""Settings of a task that the hosted service supports, and those that are refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from browser_use_async.errors import UnprocessableEntityError
from browser_use_async.server import CloudModel
from tests.server.remote.conftest import Opens
from tests.support.hosted.service import HostedService
from tests.support.hosted.v4 import HostedV4

_REFUSED: dict[str, dict[str, Any]] = {
    "use_adblock": {"use_adblock": True},
    "save_browser_data": {"save_browser_data": True},
    "browser_viewport_width": {"browser_viewport_width": 300},
    "browser_viewport_height": {"browser_viewport_height": 4000},
    "llm_model": {"llm_model": "gpt-4.1"},
    "allowed_domains": {"allowed_domains": ["shop.example"]},
    "secrets": {"secrets": {"name": "value-of-it"}},
    "highlight_elements": {"highlight_elements": True},
    "max_agent_steps": {"max_agent_steps": 10},
}


@pytest.mark.filterwarnings("ignore:this task has secrets")
@pytest.mark.parametrize("field", _REFUSED)
async def test_what_the_service_cannot_follow_is_refused(
    hosted: HostedV4, opens: Opens, field: str
) -> None:
    """With 422 and the name of the field; nothing is created here or there."""
    await _is_refused(hosted, opens, field, _REFUSED[field])


async def _is_refused(
    service: HostedService, opens: Opens, field: str, given: dict[str, Any]
) -> None:
    async with opens(service) as door:
        with pytest.raises(UnprocessableEntityError) as refused:
            await door.session.tasks.run("Buy milk", **given)

        assert door.server.tasks_created == 0
    assert field in str(refused.value)
    assert "value-of-it" not in str(refused.value)
    assert not service.calls


@pytest.mark.parametrize("secret", ["x" * 4097, "é" * 2049])
async def test_a_secret_that_is_too_long(hosted: HostedV4, opens: Opens, secret: str) -> None:
    """It is refused at once, also with lenience; one of the maximal length is accepted."""
    given: dict[str, Any] = {"allowed_domains": ["shop.example"]}
    async with opens(hosted, is_lenient=True) as door:
        with pytest.raises(UnprocessableEntityError, match="4096 bytes") as refused:
            await door.session.tasks.run("Buy milk", secrets={"name": secret}, **given)
        await door.session.run_and_wait("Buy milk", secrets={"name": "x" * 4096}, **given)

    assert secret not in str(refused.value)
    assert hosted.paid.total() == 1


async def test_schedules_are_refused_as_tasks_are(hosted: HostedService, opens: Opens) -> None:
    """At once, and not at each of their runs; so are their updates."""
    moment = datetime.now(UTC) + timedelta(hours=1)
    given: dict[str, Any] = {
        "schedule_type": "interval",
        "interval_minutes": 60,
        "start_at": moment,
        "end_at": moment + timedelta(days=1),
    }
    async with opens(hosted) as door:
        schedules = door.session.scheduled_tasks
        with pytest.raises(UnprocessableEntityError, match="use_adblock"):
            await schedules.create("Buy milk", use_adblock=True, **given)
        made = await schedules.create("Buy milk", **given)
        with pytest.raises(UnprocessableEntityError, match="use_adblock"):
            await schedules.update(made.id, use_adblock=True)
        await schedules.update(made.id, task="Buy eggs")
        kept = (await schedules.list()).tasks

    assert [each.task for each in kept] == ["Buy eggs"]


async def test_the_harmless_is_left_out_and_named(hosted: HostedService, opens: Opens) -> None:
    """`--cloud-lenient`: the first step names it."""
    async with opens(hosted, is_lenient=True) as door:
        task = await door.session.run_and_wait("Buy milk", use_adblock=True)

    assert task.steps[0].evaluation_previous_goal.startswith("Left out: use_adblock (")
    assert "Left out" not in task.steps[1].evaluation_previous_goal


async def test_lenience_ends_where_it_would_harm(hosted: HostedV4, opens: Opens) -> None:
    """Domains limit where secrets are typed; without secrets they would limit nothing."""
    async with opens(hosted, is_lenient=True) as door:
        with pytest.raises(UnprocessableEntityError, match="allowed_domains"):
            await door.session.tasks.run("Buy milk", allowed_domains=["shop.example"])
        task = await door.session.run_and_wait(
            "Buy milk", allowed_domains=["*.shop.example"], secrets={"name": "value-of-it"}
        )

    assert hosted.bodies["POST /runs"][0]["secretBindings"] == [
        {
            "alias": "name",
            "source": {"type": "inline", "value": "value-of-it"},
            "allowedDomains": ["shop.example"],
        }
    ]
    assert "does not bound where the agent goes" in task.steps[0].evaluation_previous_goal


async def test_what_the_service_is_sent(hosted: HostedV4, opens: Opens) -> None:
    """The task, its workspace and its browser; a model if the operator names one."""
    async with opens(hosted, models={"o3": "claude-opus-4.8"}) as door:
        await door.session.run_and_wait("Buy milk", llm_model="o3", use_proxy=False)

    (run,) = hosted.bodies["POST /runs"]
    assert run == {
        "task": "Buy milk",
        "workspaceId": run["workspaceId"],
        "browserSettings": {
            "proxyCountryCode": None,
            "screenWidth": 1280,
            "screenHeight": 960,
            "record": True,
        },
        "model": "claude-opus-4.8",
    }


async def test_parameters_of_models(hosted: HostedV4, opens: Opens) -> None:
    """Of the model that a task gets; an empty object differs from none."""
    models = {
        "o3": CloudModel("gpt-5.6", {"reasoning": {"effort": "high"}}),
        "o4-mini": CloudModel("gpt-5.6", {}),
        "*": "gpt-5.6",
    }
    async with opens(hosted, models=models) as door:
        for asked in ("o3", "o4-mini", "gpt-4.1"):
            await door.session.run_and_wait("Buy milk", llm_model=asked)

    bodies = hosted.bodies["POST /runs"]
    assert [each["model"] for each in bodies] == ["gpt-5.6"] * 3
    assert [each.get("modelParams", "absent") for each in bodies] == [
        {"reasoning": {"effort": "high"}},
        {},
        "absent",
    ]


async def test_parameters_that_a_model_does_not_take(hosted: HostedV4, opens: Opens) -> None:
    """Only the service knows them: its message is the reason, and nothing is paid."""
    models = {"*": CloudModel("bu-fast", {"thinking": {"type": "adaptive"}})}
    async with opens(hosted, models=models) as door:
        task = await (await door.session.submit("Buy milk", llm_model="o3")).wait()

    assert "refused it (422); the service says: bu-fast takes no" in (
        task.steps[-1].evaluation_previous_goal
    )
    assert not hosted.paid


async def test_a_run_is_stopped_at_its_last_step(hosted: HostedV4, opens: Opens) -> None:
    """With lenience this server counts the steps that it sees, and stops the run at the limit."""
    async with opens(hosted, is_lenient=True) as door:
        handle = await door.session.submit("Wait 30 seconds", max_agent_steps=3)
        task = await handle.wait()

    assert task.status == "failed"
    assert "it is not sent, and steps are counted here" in task.steps[0].evaluation_previous_goal
    assert "3 steps" in task.steps[-1].evaluation_previous_goal
    assert hosted.at_work == 0
