"""The data of a client for benchmarks."""

import importlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any

import attrs

__all__ = ["NAMES", "Peer", "load"]

NAMES = ("browser_use_async", "browser_use_sdk", "apify")


@attrs.frozen
class Peer:
    """A client as its documentation sets it up.

    Attributes:
        distribution: The name of its distribution.
        connect: Makes a client against a server's root URL with a timeout in seconds; None keeps
            the client's own timeout.
        creates: By the text of the call, a call that creates something and returns its id.
        created: The service's answer to such a call, for an id.
        look: Reads the status of the thing with an id; None for clients without this comparison.
    """

    distribution: str
    connect: Callable[[str, float | None], AbstractAsyncContextManager[Any]]
    creates: Mapping[str, Callable[[Any], Awaitable[str]]]
    created: Callable[[str], object]
    look: Callable[[Any, str], Awaitable[object]] | None = None

    @property
    def version(self) -> str:
        """The installed version."""
        return version(self.distribution)


def load(name: str) -> Peer:
    """Import a client.

    Args:
        name: One of `NAMES`.
    """
    peer: Peer = importlib.import_module(f"benchmarks.peers.{name}").PEER
    return peer
