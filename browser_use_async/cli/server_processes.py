"""The processes of `serve --processes`: servers of one database that listen at one port.

Their webhooks, and those of a single server, are registered here.
"""

import asyncio
import json
import logging
import os
import pickle
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Self

import attrs

from browser_use_async.cli.console import Console
from browser_use_async.cli.screen import Style
from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.address import is_postgres
from browser_use_async.server import LocalServer, Webhook

_PROGRAM = "browser_use_async.cli.server_process"
# Seconds before a process is started again; the longest one also between two tries of a webhook.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY = 60.0  # seconds after which a process has begun well: its next pause is the shortest one
_KILL_SECONDS = 5.0

_logger = logging.getLogger(__name__)


@attrs.frozen
class ServerOrders:
    """What one process is to do; it is sent to the process as bytes, with the keys in it."""

    settings: Mapping[str, Any] = attrs.field(repr=False)  # the keywords of its `LocalServer`
    webhooks: Sequence[Webhook] = ()  # those that it registers for all
    secret_variables: Sequence[str] = ()  # the environment variables that it reads and forgets
    access_log: bool = True
    is_verbose: bool = False


@attrs.define(eq=False)
class ServerProcesses:
    """The processes, which are started again if they die, until the context is left."""

    orders: Sequence[ServerOrders]  # one for each
    # The variables that they get, also those that are forgotten here
    environment: Mapping[str, str] = attrs.field(repr=False)
    console: Console  # where it is said that one has ended
    _running: dict[int, asyncio.subprocess.Process] = attrs.field(init=False, factory=dict)

    async def __aenter__(self) -> Self:
        """Start all of them, and wait until they serve."""
        try:
            await asyncio.gather(*(self._start(place) for place in range(len(self.orders))))
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._end()

    async def keep(self) -> None:
        """Restart each process that ends, until this is cancelled."""
        async with asyncio.TaskGroup() as group:
            for place in range(len(self.orders)):
                group.create_task(
                    self._keep(place), name=f"browser-use: watches process {place + 1}"
                )

    async def _keep(self, place: int) -> NoReturn:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while True:
            begun = loop.time()
            how = _ending(await self._running[place].wait())
            if loop.time() - begun > _STEADY:
                pause = _FIRST_PAUSE
            while True:
                self._say(place, f"{how}; it is started again in {pause:g} s")
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                try:
                    await self._start(place)
                except ConfigurationError as error:
                    how = f"cannot serve ({error})"
                else:
                    self._say(place, "serves again", Style.GOOD)
                    break

    async def _start(self, place: int) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self.environment,
            # Ctrl-C reaches this process alone, which passes it on.
            process_group=0,
        )
        self._running[place] = process
        assert process.stdin is not None
        assert process.stdout is not None
        # It stays open: the process ends when it is closed, also by the end of this one.
        process.stdin.write(pickle.dumps(self.orders[place]))
        said = await process.stdout.readline()
        if not said:
            how = _ending(await process.wait())
            raise ConfigurationError(f"a process of the server {how} before it served")
        if (problem := json.loads(said)["problem"]) is not None:
            await process.wait()
            raise ConfigurationError(problem)

    def _say(self, place: int, what: str, style: Style = Style.WAITING) -> None:
        name = f"process {place + 1} of {len(self.orders)}"
        self.console.info((f"{name}: ", style), what)

    async def _end(self) -> None:
        """Ask all processes to end, again if this one is asked again, and wait for their ends."""
        waiting = asyncio.gather(*(each.wait() for each in self._running.values()))
        try:
            self._signal(signal.SIGTERM)
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            self._signal(signal.SIGTERM)
            await asyncio.wait([waiting], timeout=_KILL_SECONDS)
            for process in self._running.values():
                if process.returncode is None:
                    process.kill()
            await waiting
            raise

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running.values():
            if process.returncode is None:
                _logger.debug("process %d gets %s", process.pid, number.name)
                process.send_signal(number)


def _ending(code: int) -> str:
    return f"has ended by {signal.Signals(-code).name}" if code < 0 else f"has ended with {code}"


def orders_of(
    count: int, settings: Mapping[str, Any], webhooks: Sequence[Webhook], **common: Any
) -> list[ServerOrders]:
    """The orders of several processes: the first one has the socket and the webhooks."""
    first = ServerOrders({**settings, "reuse_port": True}, webhooks, **common)
    orders = [first]
    for number in range(2, count + 1):
        own = {**first.settings}
        if (path := own.get("admin_socket")) is not None:
            own["admin_socket"] = f"{os.fspath(path)}.{number}"
        orders.append(attrs.evolve(first, settings=own, webhooks=()))
    return orders


async def register(server: LocalServer, webhook: Webhook, console: Console) -> None:
    """Register a webhook, as soon as its receiver answers."""
    pause, shown = 1.0, ""
    # Servers that share a database know of no webhook before it has passed.
    waiting = "" if is_postgres(server.settings.database) else ". Events until then wait for it"
    while True:
        try:
            # Not saved, since the command line has it again after a restart.
            await server.add_webhook(webhook, save=False)
        except ConfigurationError as error:
            if str(error) != shown:
                shown = str(error)
                console.labelled(
                    [("webhook: ", Style.WAITING)],
                    f"{shown.removeprefix('url: ')}; trying again{waiting}",
                )
        else:
            console.info(("webhook: ", Style.GOOD), f"{webhook.origin} passed the test event")
            return
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
