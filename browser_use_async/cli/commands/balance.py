"""`balance`: what is left on the account."""

import argparse

from browser_use_async.cli.answer import dollars
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import add_connection_options


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_connection_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Print the balance."""
    async with connect(options, console) as connection:
        balance = await connection.session.account.get_balance()
    if console.stdout_is_tty:
        console.line(f"{dollars(balance.cents)} left")
    else:
        # A string, as in the API: JSON numbers would round fractions of a cent.
        console.result({"balance_cents": str(balance.cents)})
    return ExitCode.FINISHED
