"""Which modules a command loads: those that it needs, and none of other commands."""

import asyncio
import os
import sys

from browser_use_async.server import LocalServer

from .running import environment

_PROGRAM = """
import sys
from browser_use_async.cli.app import main
code = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""


OF_BALANCE = {
    f"cli.{name}"
    for name in """
    app command commands commands.account connect console exit options screen
    """.split()
}


async def _loaded(*words: str, server: LocalServer) -> list[str]:
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM, *words),
        env={**os.environ, **environment(server)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, output = await running.communicate()
    assert running.returncode == 0, output.decode()
    prefix = "browser_use_async."
    return [
        each.removeprefix(prefix) for each in output.decode().split() if each.startswith(prefix)
    ]


async def test_a_call_loads_no_batch_or_server(server):
    """`balance` is one call: it loads the session and the command, and no other feature."""
    loaded = await _loaded("balance", server=server)
    strange = ("batch", "cli.batch", "mcp", "observing.telemetry", "webhooks")

    assert [each for each in loaded if each.startswith(strange)] == []
    # Of the server only how secrets are named: its package loads nothing by itself.
    of_server = {each for each in loaded if each.startswith("server")}
    assert of_server == {"server", "server.secrets", "server.secrets.sources"}
    assert {each for each in loaded if each.startswith("cli.")} == OF_BALANCE


async def test_a_word_of_a_task_loads_no_command(server):
    """The text of a task may be the name of a command."""
    loaded = await _loaded("run", "report", server=server)

    assert "cli.commands.run" in loaded
    assert "cli.commands.report" not in loaded
