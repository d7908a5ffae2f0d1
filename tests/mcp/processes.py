"""The command `mcp` in a process of its own."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from browser_use_async.server import LocalServer
from tests.support.patience import PATIENCE

__all__ = ["environment", "serving_http", "started", "stdio"]

_ROOT = Path(__file__).parents[2]


def environment(server: LocalServer) -> dict[str, str]:
    """The variables of a process that uses this server, with its key."""
    path = os.pathsep.join([str(_ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    place = {name: os.environ[name] for name in ("PATH", "XDG_CONFIG_HOME")}
    return {
        **place,
        "PYTHONPATH": path,
        "BROWSER_USE_API_KEY": server.api_key,
        "BROWSER_USE_BASE_URL": server.base_url,
    }


def stdio(server: LocalServer, *options: str) -> Any:
    """The command that an MCP client starts."""
    from mcp import StdioServerParameters

    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "browser_use_async", "mcp", *options],
        env=environment(server),
    )


async def started(server: LocalServer, *options: str) -> asyncio.subprocess.Process:
    """The command, with pipes for its standard files."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "browser_use_async", "mcp", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(server),
    )


@asynccontextmanager
async def serving_http(server: LocalServer, *options: str) -> AsyncIterator[str]:
    """The address of the command that serves over HTTP on a free port, without a key of its own."""
    variables = environment(server)
    del variables["BROWSER_USE_API_KEY"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "browser_use_async", "mcp", "--transport", "http", "--port", "0", *options),
        stderr=asyncio.subprocess.PIPE,
        env=variables,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            line = (await process.stderr.readline()).decode()
        address = re.search(r"http://\S+/mcp", line)
        assert address is not None, line
        yield address[0]
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            said = await process.stderr.read()
            assert await process.wait() == 128 + 15, said
        assert server.api_key not in line + said.decode()
        assert b"Traceback" not in said, said.decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
