"""Registering a webhook of the command line, as soon as its receiver answers."""

import asyncio

from browser_use_async.cli.console import Console
from browser_use_async.cli.screen import Style
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer, Webhook

_LONGEST_PAUSE = 30.0  # seconds between two attempts to reach it


async def register(server: LocalServer, webhook: Webhook, console: Console) -> None:
    """Register a webhook, as soon as its receiver answers."""
    pause, shown = 1.0, ""
    while True:
        try:
            # Not saved, since the command line has it again after a restart.
            await server.add_webhook(webhook, save=False)
        except ConfigurationError as error:
            if str(error) != shown:
                shown = str(error)
                console.labelled(
                    [("webhook: ", Style.WAITING)],
                    f"{shown.removeprefix('url: ')}; trying again. Events until then wait for it",
                )
        else:
            console.info(("webhook: ", Style.GOOD), f"{webhook.origin} passed the test event")
            return
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
