"""Scripts that the agent records: the second run needs no model."""

import json
from typing import Any

from tests.agent.scripted_model import Reply, Says
from tests.agent.stage import Stage, click, done, ended
from tests.server.calling import Caller

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "tea": {"type": "integer"}},
    "required": ["title", "tea"],
}


ORDER = {
    "type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"],
}  # fmt: skip


async def _run(caller: Caller, stage: Stage) -> Any:
    return await _play(
        caller, f"Open {stage.shop.url} and tell me the price of tea", SCHEMA, script="tea"
    )


async def _play(caller: Caller, task: str, schema: Any, script: str) -> Any:
    task_id = await caller.create(
        task, structured_output_json=json.dumps(schema), metadata={"bu_async.script": script}
    )
    return await ended(caller, task_id)


async def test_the_agent_records_and_the_browser_plays(stage):
    """The first task is the agent's; the second one is played, without a question."""
    replies: list[Reply] = [
        lambda text: click("Prices", text),
        done(json.dumps({"title": "Prices", "tea": 3})),
    ]
    model = await stage.model(replies)
    caller = await stage.server(model)

    first = await _run(caller, stage)
    asked = len(model.asked)
    script = (await caller.get(f"{caller.server.url}/admin/scripts/tea/1")).json
    second = await _run(caller, stage)

    assert first["status"] == "finished", first["steps"]
    assert script["origin"] == "recorded"
    assert 'click "Prices"' in script["text"]
    assert second["status"] == "finished", second["steps"]
    assert json.loads(second["output"]) == json.loads(first["output"])
    assert len(model.asked) == asked == 2
    assert any(step["next_goal"].startswith("Script: ") for step in second["steps"])


async def test_a_page_that_draws_after_the_answer_is_recorded_with_it(stage):
    """What is recorded does not depend on how fast the page, the model and the machine are."""

    def answer(_: str) -> Says:
        stage.shop.answers.set()  # the page begins to draw the number only now
        return done(json.dumps({"number": "A-77"}))

    model = await stage.model([lambda text: click("Order", text), answer])
    caller = await stage.server(model)
    task = f"Open {stage.shop.url}/order and order. Tell me the number"

    first = await _play(caller, task, ORDER, script="order")
    script = (await caller.get(f"{caller.server.url}/admin/scripts/order/1")).json
    second = await _play(caller, task, ORDER, script="order")

    assert first["status"] == "finished", first["steps"]
    assert "answer: end" in script["text"]
    assert "needs the model" not in script["text"]
    assert "redraws: yes" in script["text"]
    assert second["status"] == "finished", second["steps"]
    assert json.loads(second["output"]) == {"number": "A-77"}
    assert len(model.asked) == 2
