"""The workflow for n8n: its HTTP nodes run against the bundled server."""

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.testing import Scenario, ScriptedExecutor

FILE = Path(__file__).parents[2] / "examples" / "n8n_workflow.json"
_EXPRESSION = re.compile(r"\{\{ (?:\$\('([\w ]+)'\)\.item\.json|\$json)\.(\w+) \}\}")


@attrs.define
class Player:
    """Follows the connections of a workflow and runs its nodes, as n8n would.

    It knows the kinds of nodes and expressions that this workflow uses, and no others.
    """

    http: aiohttp.ClientSession
    key: str
    settings: dict[str, Any]  # in the place of those of the node "Settings"
    items: dict[str, Any] = attrs.field(factory=dict)  # what each node returned last
    requests: list[str] = attrs.field(factory=list)

    async def play(self, workflow: dict[str, Any]) -> Any:
        """The result of the last node."""
        nodes = {node["name"]: node for node in workflow["nodes"]}
        (name,) = (each for each in nodes if "Trigger" in nodes[each]["type"])
        item: Any = {}
        while True:
            output, item = await self._do(nodes[name], item)
            self.items[name] = item
            following = workflow["connections"].get(name, {"main": [[]]})["main"][output]
            if not following:
                return item
            (name,) = (each["node"] for each in following)

    async def _do(self, node: dict[str, Any], item: Any) -> tuple[int, Any]:
        kind, given = node["type"].rpartition(".")[2], node["parameters"]
        if kind == "set":
            pairs = given["assignments"]["assignments"]
            values = {each["name"]: self._value(each["value"], item) for each in pairs}
            return 0, {**values, **(self.settings if node["name"] == "Settings" else {})}
        if kind == "httpRequest":
            return 0, await self._request(node, item)
        if kind == "if":
            conditions = given["conditions"]["conditions"]
            met = [self._value(one["leftValue"], item) == one["rightValue"] for one in conditions]
            return int(not any(met)), item
        assert kind in {"manualTrigger", "wait"}  # the server of a test needs no pause
        return 0, item

    async def _request(self, node: dict[str, Any], item: Any) -> Any:
        given = node["parameters"]
        assert given["genericAuthType"] in node["credentials"]
        pairs = given.get("bodyParameters", {"parameters": []})["parameters"]
        body = {each["name"]: self._value(each["value"], item) for each in pairs}
        self.requests.append(node["name"])
        async with self.http.request(
            given["method"],
            self._value(given["url"], item),
            json=body if given.get("sendBody") else None,
            headers={"Authorization": f"Bearer {self.key}"},
        ) as response:
            response.raise_for_status()
            return await response.json()

    def _value(self, text: Any, item: Any) -> Any:
        """The value of a parameter: an expression begins with `=`."""
        if not isinstance(text, str) or not text.startswith("="):
            return text
        found = [
            (self.items[name] if name else item)[field] for name, field in _EXPRESSION.findall(text)
        ]
        if _EXPRESSION.fullmatch(text[1:]):
            return found[0]
        values = iter(found)
        result = _EXPRESSION.sub(lambda _: str(next(values)), text[1:])
        assert "{{" not in result, f"the player does not know an expression of {text}"
        return result


@pytest.mark.parametrize(
    ("scenario", "status", "output"),
    [
        (Scenario(steps=["One", "Two"], output="Paris", step_seconds=0.02), "finished", "Paris"),
        (Scenario(outcome="failed", reason="On fire", step_seconds=0.02), "failed", None),
    ],
    ids=["finished", "failed"],
)
async def test_its_nodes_run_a_task(scenario, status, output):
    """One creating call, reading until the task has ended, and its answer at the end."""
    workflow = json.loads(FILE.read_text())
    async with (
        aiohttp.ClientSession() as http,
        LocalServer(executor=ScriptedExecutor(default=scenario)) as server,
    ):
        settings = {"base_url": server.base_url, "task": "Find the capital"}
        player = Player(http, server.api_key, {**settings, "max_agent_steps": 20})
        answer = await player.play(workflow)
        (task,) = server.store.tasks

    assert (answer["status"], answer["output"]) == (status, output)
    assert task.task == "Find the capital"
    assert player.requests.count("Run task") == 1
    assert set(player.requests) == {"Run task", "Read task"}


def test_only_reading_is_repeated():
    """The call that costs money is not repeated, and its node says why."""
    nodes = json.loads(FILE.read_text())["nodes"]
    retried = {node["name"] for node in nodes if node.get("retryOnFail")}
    (run,) = (node for node in nodes if node["parameters"].get("method") == "POST")

    assert retried == {"Read task"}
    assert "money" in run["notes"]


def test_it_contains_no_key():
    """The key is a credential of n8n, which the file names."""
    assert "Authorization" not in FILE.read_text()
    assert "bu_" not in FILE.read_text()
