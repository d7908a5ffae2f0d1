"""A real task of the installed package: `serve` with a model of the environment, `run`, an answer.

`python from_wheel.py CHECKOUT AGENT_PYTHON`; only the scripted model of the checkout is used.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

checkout, agent_python = sys.argv[1:]
sys.path.append(checkout)  # at the end: the package itself is the installed one

import browser_use_async  # noqa: E402
from tests.agent.scripted_model import KEY, ScriptedModel  # noqa: E402
from tests.agent.site import Shop  # noqa: E402
from tests.agent.stage import click, done  # noqa: E402

PROGRAM = Path(sys.executable).with_name("browser-use-async")
SECONDS = 120


async def main() -> None:
    """Serve, run a task, and check its answer."""
    place = Path(browser_use_async.__file__)
    assert not place.is_relative_to(checkout), f"{place} is not the installed package"
    replies = [lambda text: click("Prices", text), done("tea is 3")]
    async with asyncio.timeout(SECONDS), Shop() as shop, ScriptedModel(replies) as model:
        settings = {
            "OPENAI_BASE_URL": model.url,
            "OPENAI_API_KEY": KEY,
            "BROWSER_USE_AGENT_PYTHON": agent_python,
        }
        server = await asyncio.create_subprocess_exec(
            *(PROGRAM, "serve", "--port", "0", "--allow-private-addresses"),
            env={**os.environ, **settings},
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            given = await exports(server)
            run = await asyncio.create_subprocess_exec(
                *(PROGRAM, "run", f"Open {shop.url} and tell me the price of tea", "--output-only"),
                env={**os.environ, **given},
                stdout=PIPE,
            )
            said, _ = await run.communicate()
        finally:
            server.terminate()
            await server.communicate()
    assert said.decode().strip() == "tea is 3", said
    assert len(model.asked) == 2, model.asked
    print("The wheel has carried out a task with the agent and a model.")


async def exports(server: asyncio.subprocess.Process) -> dict[str, str]:
    """The variables that `serve` prints for its clients."""
    assert server.stderr is not None
    found: dict[str, str] = {}
    while len(found) < 2:
        line = (await server.stderr.readline()).decode()
        if not line:
            raise SystemExit("serve ended at once")
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            found[name] = value.strip("'")
    return found


if __name__ == "__main__":
    asyncio.run(main())
