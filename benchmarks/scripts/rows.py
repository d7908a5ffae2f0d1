"""Many rows with one script, on a real server: the agent does one, the others are played."""

import json
import time
from collections.abc import Mapping
from typing import Any

import attrs

from benchmarks.scripts.runs import Tutor
from benchmarks.scripts.site import Case, Version, serve
from benchmarks.scripts.sites import Companies
from benchmarks.scripts.sweep import MODEL_SECONDS
from browser_use_async import BrowserUseSession
from browser_use_async.server import AgentSettings, ChromiumSettings, LocalServer
from tests.agent.scripted_model import KEY, ScriptedModel

__all__ = ["Rows", "play_rows"]

_AT_ONCE = 2
_SCHEMA = {
    "type": "object",
    "properties": {"company": {"type": "string"}, "city": {"type": "string"}},
    "required": ["company", "city"],
}


@attrs.frozen
class Rows:
    """The result of all rows.

    Attributes:
        count: How many there were.
        right: How many had the right answer.
        wrong: How many had another one.
        seconds: What all took.
        first_seconds: What the first took, which the agent did.
        agent_calls: Calls of the model for that one.
        calls: Calls of the model for the others.
        played: How many were played.
    """

    count: int
    right: int
    wrong: int
    seconds: float
    first_seconds: float
    agent_calls: int
    calls: int
    played: int


class _Register(Companies):
    """A register with as many companies as rows, whose script is recorded with the first."""

    def __init__(self, count: int) -> None:
        super().__init__()
        cities: Mapping[str, Any] = {f"Mill {each:03}": f"Town {each:03}" for each in range(count)}
        case = Case({"company": "Mill 000"}, {"company": "Mill 000", "city": "Town 000"}, cities)
        self.show(case, Version.SAME)

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """As before, with those only that were asked for."""
        if path == "/results":
            at = [*self.case.data].index(given["q"])
            return self.page(
                "<title>Results</title><h1>Results</h1><ul><li><a href=/company/$at>$q</a></ul>",
                at=at, q=given["q"],
            )  # fmt: skip
        return await super().answer(path, given)


async def play_rows(count: int) -> Rows:
    """Run a batch."""
    async with (
        serve(_Register(count)) as site,
        ScriptedModel([Tutor(site)], seconds=MODEL_SECONDS) as model,
        LocalServer(
            executor="browser_use",
            agent=AgentSettings(llm_base_url=model.url, llm_key=KEY),
            chromium=ChromiumSettings(allow_private_addresses=True, max_browsers=_AT_ONCE),
            recordings=False,
        ) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        cities = site.case.data

        ended, right, wrong, played, agent_calls = list[float](), 0, 0, 0, 0
        began, names = time.monotonic(), [*cities]
        batch = session.run_many(
            ({"company": company} for company in names),
            task=f"Open {site.url}/ . Find the head office of {{company}}",
            script="office",
            structured_output_json=json.dumps(_SCHEMA),
            concurrency=_AT_ONCE * 2,
        )
        async for result in batch:
            ended.append(time.monotonic() - began)
            agent_calls = agent_calls or len(model.asked)
            steps = result.task.steps if result.task is not None else ()
            played += any(each.next_goal.startswith("Script: ") for each in steps)
            said = json.loads(result.output or "null")
            company = names[result.index]
            right += said == {"company": company, "city": cities[company]}
            wrong += said is not None and said != {"company": company, "city": cities[company]}
        calls = len(model.asked) - agent_calls
        return Rows(count, right, wrong, ended[-1], ended[0], agent_calls, calls, played)
