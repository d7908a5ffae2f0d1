"""Give a pydantic-ai agent a browser: a tool that runs a task, within a budget.

    python examples/pydantic_ai_tool.py

Needs `pip install pydantic-ai-slim`. Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without
both, the bundled server. The model of this example follows a script, so that it needs no key:
put the name of yours in its place, such as Agent("openai:gpt-5").
"""

import asyncio
from decimal import Decimal

from _target import reachable_api
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.tools import Tool

from browser_use_async import BrowserUseSession, errors


def browser_tool(session: BrowserUseSession, cents: int) -> Tool[None]:
    """A tool whose calls may cost this many cents together."""
    budget = session.budget(cents=Decimal(cents))

    async def browse(task: str) -> str:
        """Do a task, described in plain words, in a web browser, and give its answer."""
        try:
            async with budget:
                finished = await session.run_and_wait(task, max_agent_steps=20, timeout=300)
        except errors.BudgetExceededError as error:
            return f"There is no money left for this: {error}"
        except errors.TaskFailedError as error:
            # The model reads the reason, and may try again with other words.
            raise ModelRetry(str(error)) from error
        return finished.output or "The task finished without an answer."

    return Tool(browse, max_retries=1)


def scripted_model(page: str) -> FunctionModel:
    """Takes the place of a language model: it calls the tool once and repeats its result."""

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        returned = [part for part in messages[-1].parts if part.part_kind == "tool-return"]
        if returned:
            return ModelResponse([TextPart(f"The title is: {returned[0].content}")])
        arguments = {"task": f"Open {page} and tell me its title"}
        return ModelResponse([ToolCallPart(info.function_tools[0].name, arguments)])

    return FunctionModel(answer)


async def main() -> None:
    """Ask the agent a question for which it needs the browser."""
    async with reachable_api() as page, BrowserUseSession() as session:
        agent = Agent(scripted_model(page), tools=[browser_tool(session, cents=55)])
        result = await agent.run("What is the title of the page?")
        print("answer:", result.output)
        print("tool calls:", result.usage.tool_calls)


if __name__ == "__main__":
    asyncio.run(main())
