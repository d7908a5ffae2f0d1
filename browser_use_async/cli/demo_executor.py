"""The executor of the demo: it reads the site slowly, or plays scenarios where nothing can read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

from browser_use_async.cli.console import Console
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.choice import choose_executor
from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
from browser_use_async.server.records import Assignment, Failed, Finished, Step

_STEP_SECONDS = 0.6
# What the scenarios say of the example site.
_TITLE = "Tern & Tide Bicycles"
_SERVICE, _BICYCLES = ("Service plans", "pricing.html"), ("Bicycles", "products.html")


def demo_executor(site_url: str, console: Console, *, is_own_site: bool) -> Executor:
    """The one that reads the site; without what it needs, one that plays the same tasks."""
    try:
        executor = choose_executor("reader")
    except ConfigurationError as error:
        if is_own_site:  # there is no recording of these pages
            raise
        console.info("Here the tasks are played, and no page is read. ", str(error))
        console.info()
        executor = _played_demo(site_url)
    return _SlowExecutor(executor)


class _SlowExecutor(Executor):
    """Wraps an executor and pauses after each step, so that the demo can be followed."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.name = executor.name

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Run one task."""
        items = cast("Any", self._executor.run(assignment, control))
        # Closed when the task is stopped between two steps, so that the executor cleans up at once.
        async with aclosing(items):
            async for item in items:
                yield item
                await asyncio.sleep(_STEP_SECONDS)

    async def aclose(self) -> None:
        """Close the wrapped executor."""
        await self._executor.aclose()


def _played_demo(site_url: str) -> ScriptedExecutor:
    """The executor that plays what the reader would find on the example site."""
    opened = ScriptedStep(f"played: open {site_url}", url=site_url, text=_TITLE)
    answered = ScriptedStep("Compose the answer", url=site_url, text=_TITLE)
    links = [{"text": text, "url": f"{site_url}{name}"} for text, name in (_SERVICE, _BICYCLES)]
    titles = "\n".join(f"{each['text']} | {_TITLE} ({each['url']})" for each in links)
    both = [ScriptedStep(f"played: open {each['url']}", url=each["url"]) for each in links]
    refused = f"played: {site_url} is outside the allowed domains of this task"
    return ScriptedExecutor(
        {
            "tell me its title": Scenario([opened, answered], output=_TITLE),
            "extract its title": Scenario(
                [opened, answered],
                output={"title": _TITLE, "description": "A harbour workshop.", "links": links},
            ),
            "tell me their titles": Scenario([*both, answered], output=titles),
            "list its links": Scenario([], outcome="failed", reason=refused),
            "click the link": Scenario(
                [opened, both[0], answered], output=f"{_SERVICE[0]} | {_TITLE}"
            ),
        }
    )
