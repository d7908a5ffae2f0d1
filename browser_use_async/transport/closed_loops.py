"""Closing connections without waiting, also when their event loop is closed already."""

import asyncio
import contextlib
from collections.abc import Callable, Generator
from typing import Any

import aiohttp

__all__ = ["close_at_once"]


def close_at_once(connector: aiohttp.BaseConnector, loop: asyncio.AbstractEventLoop) -> None:
    """Close a connector without waiting for the peers."""
    if not loop.is_closed():
        _close(connector)
        return
    # aiohttp leaves transports open then, and one that is told to close asks its loop to call it
    # back, which a closed loop refuses. So what they ask for is done here.
    asked: list[Callable[[], object]] = []
    with _answering(loop, asked):
        for transport in _transports(connector):
            with contextlib.suppress(RuntimeError):  # a loop that takes no stand-in
                transport.abort()
        for callback in tuple(asked):
            with contextlib.suppress(Exception):  # a protocol's; its transport closes all the same
                callback()
        # What came up meanwhile is dropped: it would wake tasks of a loop that nobody runs.
        with contextlib.suppress(RuntimeError):
            _close(connector)


def _close(connector: aiohttp.BaseConnector) -> None:
    closing = connector.close().__await__()
    next(closing, None)  # one step does everything but to wait for the peers
    closing.close()


def _transports(connector: aiohttp.BaseConnector) -> list[asyncio.Transport]:
    """The transports of a connector, for which aiohttp has no public name."""
    protocols: set[Any] = set(getattr(connector, "_acquired", ()))
    for pooled in getattr(connector, "_conns", {}).values():
        protocols.update(protocol for protocol, _since in pooled)
    return [each.transport for each in protocols if each.transport is not None]


@contextlib.contextmanager
def _answering(
    loop: asyncio.AbstractEventLoop, asked: list[Callable[[], object]]
) -> Generator[None]:
    """Let a closed loop take callbacks, which it would refuse: nobody else has a use for it."""

    def call_soon(
        callback: Callable[..., object], *arguments: object, context: object = None
    ) -> None:
        del context
        asked.append(lambda: callback(*arguments))

    try:
        setattr(loop, "call_soon", call_soon)  # noqa: B010 - type checkers know it as a method
    except AttributeError:  # a loop without room for it
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(AttributeError):  # taken away by another thread
            delattr(loop, "call_soon")
