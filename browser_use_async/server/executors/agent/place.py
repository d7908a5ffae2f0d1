"""Where one agent works: a browser of its own, and one way out that keeps to the task's rules."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs

from browser_use_async.server.executors.chromium.gateway import Gateway, Upstream
from browser_use_async.server.executors.chromium.process import BrowserProcess
from browser_use_async.server.executors.chromium.rules import (
    AdHosts,
    NetworkRules,
    PrivateAddresses,
)
from browser_use_async.server.executors.protocol import Assignment
from browser_use_async.server.reading.domains import AllowedDomains

__all__ = ["Place", "open_place"]


@attrs.frozen
class Place:
    """A browser that waits for an agent.

    Attributes:
        browser_url: The address at which it takes commands.
        folder: An empty folder for the agent, deleted with the browser's.
        gateway: The way out.
    """

    browser_url: str
    folder: Path
    gateway: Gateway


@asynccontextmanager
async def open_place(
    assignment: Assignment,
    program: str,
    private: bool | Sequence[str],
    upstream: Upstream | None,
) -> AsyncIterator[Place]:
    """Start a browser for one task, and end it.

    An agent takes every page of a browser for its own, so that no two can share one.

    Args:
        assignment: The task.
        program: The browser's file.
        private: Which addresses of this machine and of private networks it may open.
        upstream: The operator's proxy, if the task goes through one.

    Raises:
        BrowserNotStartedError: The browser could not be started.
    """
    own_ports: set[int] = set()
    rules = NetworkRules(
        AllowedDomains(assignment.allowed_domains),
        PrivateAddresses(private),
        AdHosts() if assignment.use_adblock else None,
        own_ports,
    )
    async with AsyncExitStack() as stack:
        gateway = Gateway(rules, upstream)
        await gateway.start()
        stack.push_async_callback(gateway.aclose)
        browser = await BrowserProcess.start(
            program, [f"--proxy-server=http://127.0.0.1:{gateway.port}"]
        )
        stack.push_async_callback(browser.end)
        own_ports.add(browser.port)
        folder = browser.folder / "agent"
        folder.mkdir()
        yield Place(browser.url, folder, gateway)
