"""Give a LangChain agent a browser: a tool that runs a task, within a budget.

    python examples/langchain_tool.py

Needs `pip install langchain-core`. Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both,
the bundled server. An agent is given the tool as `tools=[tool]`; here it is called as agents do.
"""

import asyncio
from decimal import Decimal

from _target import reachable_api
from langchain_core.tools import StructuredTool

from browser_use_async import BrowserUseSession, errors


def browser_tool(session: BrowserUseSession, cents: int) -> StructuredTool:
    """A tool whose calls may cost this many cents together."""
    budget = session.budget(cents=Decimal(cents))

    async def browse(task: str) -> str:
        try:
            async with budget:
                finished = await session.run_and_wait(task, max_agent_steps=20, timeout=300)
        except errors.BrowserUseError as error:
            # A model reads why it failed, and what to do about it.
            return f"The task was not done: {error}"
        return finished.output or "The task finished without an answer."

    return StructuredTool.from_function(
        coroutine=browse,
        name="browse",
        description="Do a task, described in plain words, in a web browser, and give its answer.",
    )


async def main() -> None:
    """Call the tool twice: the second call does not fit the budget any more."""
    async with reachable_api() as page, BrowserUseSession() as session:
        tool = browser_tool(session, cents=55)
        print("answer:", await tool.ainvoke({"task": f"Open {page} and tell me its title"}))
        print("answer:", await tool.ainvoke({"task": f"Open {page} and list its links"}))


if __name__ == "__main__":
    asyncio.run(main())
