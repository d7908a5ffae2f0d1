"""Scripts that the agent records: the second run needs no model."""

import json
from typing import Any

from tests.agent.scripted_model import Reply
from tests.agent.stage import Stage, click, done, ended
from tests.server.calling import Caller

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "tea": {"type": "integer"}},
    "required": ["title", "tea"],
}


async def _run(api: Caller, stage: Stage) -> Any:
    task_id = await api.create(
        f"Open {stage.shop.url} and tell me the price of tea",
        structured_output_json=json.dumps(SCHEMA),
        metadata={"bu_async.script": "tea"},
    )
    return await ended(api, task_id)


async def test_the_agent_records_and_the_browser_plays(stage: Stage) -> None:
    """The first task is the agent's; the second one is played, without a question."""
    replies: list[Reply] = [
        lambda text: click("Prices", text),
        done(json.dumps({"title": "Prices", "tea": 3})),
    ]
    model = await stage.model(replies)
    api = await stage.server(model)

    first = await _run(api, stage)
    asked = len(model.asked)
    script = (await api.get(f"{api.server.url}/admin/scripts/tea/1")).json
    second = await _run(api, stage)

    assert first["status"] == "finished", first["steps"]
    assert script["origin"] == "recorded"
    assert 'click "Prices"' in script["text"]
    assert second["status"] == "finished", second["steps"]
    assert json.loads(second["output"]) == json.loads(first["output"])
    assert len(model.asked) == asked == 2
    assert any(step["next_goal"].startswith("Script: ") for step in second["steps"])
