"""`balance`: what is left on the account."""

from browser_use_async.cli.command import command
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import ServerOptions


@command("balance", examples=("balance", "balance --json"))
async def balance(console: Console, server: ServerOptions) -> None:
    """Show what is left on the account."""
    async with connect(server, console) as connection:
        found = await connection.session.account.get_balance()
    if console.shows_text:
        from browser_use_async.prices import format_cents  # noqa: PLC0415 - for people only

        console.line(f"{format_cents(found.cents)} left")
    else:
        # A string, as in the API: JSON numbers would round fractions of a cent.
        console.result({"balance_cents": str(found.cents)})
