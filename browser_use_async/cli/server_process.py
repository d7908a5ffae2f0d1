"""One process of `serve --processes`: `python -m browser_use_async.cli.server_process`.

Its orders come on standard input, whose end means that the process which gave them has died.
"""

import asyncio
import json
import logging
import os
import pickle
import sys

from browser_use_async import system
from browser_use_async.cli.command import log_on_console
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.server_processes import ServerOrders, register
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from browser_use_async.server.http.access_log import LOGGER as ACCESS_LOG


def main() -> int:
    """Serve until a signal, or the end of standard input."""
    system.close_memory()
    orders: ServerOrders = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the parent
    ACCESS_LOG.setLevel(logging.INFO if orders.access_log else logging.WARNING)
    console = Console()
    with log_on_console(console, verbose=orders.is_verbose):
        return asyncio.run(_run(orders, console))


async def _run(orders: ServerOrders, console: Console) -> int:
    loop = asyncio.get_running_loop()
    serving = loop.create_task(_serve(orders, console), name="browser-use: serves")

    def end(_signal: object = None) -> None:
        # Its reader would call this again and again.
        loop.remove_reader(sys.stdin.fileno())
        serving.cancel()

    loop.add_reader(sys.stdin.fileno(), end)
    for each in system.ending_signals():
        system.on_signal(loop, each, end)
    try:
        await serving
    except asyncio.CancelledError:
        return ExitCode.FINISHED
    except ConfigurationError as error:
        _report(str(error))
        return ExitCode.USAGE
    return ExitCode.FINISHED


async def _serve(orders: ServerOrders, console: Console) -> None:
    async with LocalServer(**orders.settings) as server:
        for variable in orders.secret_variables:
            os.environ.pop(variable, None)
        _report(None)
        await asyncio.gather(
            asyncio.Event().wait(), *(register(server, each, console) for each in orders.webhooks)
        )


def _report(problem: str | None) -> None:
    """Report that the server serves, or why it does not."""
    print(json.dumps({"problem": problem}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
