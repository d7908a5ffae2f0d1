"""All sites in all versions, with guards and, as the control, without."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import attrs

from benchmarks.scripts.runs import Outcome, Tutor, Verdict, play, record
from benchmarks.scripts.site import Site, Version, serve
from browser_use_async.server.executors.agent.executor import BrowserUseExecutor
from browser_use_async.server.executors.agent.script_executor import ScriptExecutor
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.model import Model
from browser_use_async.server.executors.protocol import Executor
from browser_use_async.server.executors.settings import AgentSettings, ChromiumSettings
from tests.agent.scripted_model import KEY, ScriptedModel

__all__ = ["CHANGED", "OPEN", "SiteReport", "sweep"]

OPEN = ChromiumSettings(allow_private_addresses=True, max_browsers=1)
MODEL_SECONDS = 1.0
CHANGED = (Version.TEXTS, Version.STRUCTURE, Version.BANNER)  # where the task can still be done


@attrs.define
class SiteReport:
    """The results of one site."""

    site: type[Site]
    recorded: Outcome
    agent_calls: int = 0
    unchanged: list[Outcome] = attrs.field(factory=list)  # with the data of the first run
    guarded: dict[Version, Outcome] = attrs.field(factory=dict)
    unguarded: dict[Version, Outcome] = attrs.field(factory=dict)
    # By the agent, where the script did not fit; and its new versions, the next time
    renewed: dict[Version, Outcome] = attrs.field(factory=dict)
    replayed: dict[Version, Outcome] = attrs.field(factory=dict)


async def sweep(sites: Sequence[type[Site]], at_once: int = 2) -> list[SiteReport]:
    """Record and play all sites."""
    places = asyncio.Semaphore(at_once)

    async def one(kind: type[Site]) -> SiteReport:
        async with places:
            return await _report(kind)

    return await asyncio.gather(*map(one, sites))


async def _report(kind: type[Site]) -> SiteReport:
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(serve(kind()))
        tutor = Tutor(site)
        model = ScriptedModel([tutor], seconds=MODEL_SECONDS)
        await stack.enter_async_context(model)
        settings = AgentSettings(llm_base_url=model.url, llm_key=KEY)
        player = ChromiumExecutor(OPEN, Model.of(settings))
        agent = ScriptExecutor(BrowserUseExecutor(settings, OPEN), player)
        careless = ChromiumExecutor(OPEN, guards=False)
        for each in (agent, careless):
            stack.push_async_callback(each.aclose)
        report = SiteReport(kind, await record(site, agent))
        report.agent_calls = len(model.asked)
        _say(site, "recorded", report.recorded)
        text = report.recorded.text
        if text:  # by both, whose browsers run from now on
            for each in (player, careless):
                report.unchanged.append(await play(site, each, text, Version.SAME, site.first))
        for version in Version if text else ():
            outcome = await _play(site, player, text, version)
            report.guarded[version] = outcome
            if version in CHANGED and outcome.verdict is Verdict.REFUSED:
                tutor.begin()
                renewed = await play(site, agent, text, version, site.first)
                report.renewed[version] = renewed
                _say(site, f"{version}, by the agent", renewed)
                if renewed.text:
                    replayed = await _play(site, player, renewed.text, version, "of the agent")
                    report.replayed[version] = replayed
            report.unguarded[version] = await _play(site, careless, text, version, "guards off")
        return report


async def _play(
    site: Site, executor: Executor, text: str, version: Version, note: str = ""
) -> Outcome:
    outcome = await play(site, executor, text, version, site.later)
    _say(site, f"{version} {note}".strip(), outcome)
    return outcome


def _say(site: Site, what: str, outcome: Outcome) -> None:
    why = "" if outcome.verdict is Verdict.RIGHT and outcome.text else outcome.why
    print(
        f"{site.kind}, {what}: {outcome.verdict}, {outcome.calls} calls, {outcome.seconds:.1f} s."
        f" {why}",
        flush=True,
    )
