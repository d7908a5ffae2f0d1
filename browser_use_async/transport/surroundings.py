"""What a session takes from the world around it: chance, the wall clock, network and disk."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import attrs

from browser_use_async.types.base import Value

__all__ = ["MakeConnector", "Surroundings"]

MakeConnector = Callable[..., aiohttp.BaseConnector]
"""Takes the keyword arguments of `aiohttp.TCPConnector`."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen(eq=False, repr=False)
class Surroundings(Value):
    """The world that a session lives in; another one makes a simulation out of a program."""

    draw: random.Random = attrs.field(factory=random.Random)  # the source of chance for pauses
    # The wall clock, in UTC. Durations are measured by the event loop's clock instead.
    now: Callable[[], datetime] = _utc_now
    # Makes the connectors of the sessions that are ours
    connector: MakeConnector = aiohttp.TCPConnector
    # Takes what opens the ledger of a batch, and gives what writes to it; None for a thread
    start_writer: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None
