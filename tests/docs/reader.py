"""Executes the blocks of a page as its reader does, and reads the output."""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import pty
import subprocess
import symtable
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from browser_use_async import BrowserUseSession
from tests.docs.blocks import ROOT, Block

__all__ = ["ExampleServer", "outcome_of_tests", "output_of_commands", "output_of_python"]

PATIENCE = 150
"""Seconds for one block, on a machine that is busy."""

# The addresses of the server and its site in the pages.
_SERVER, _SITE = "127.0.0.1:8765", "127.0.0.1:8780"


@attrs.frozen
class ExampleServer:
    """The server that the pages start: `browser-use-async serve --example-site`."""

    address: str
    site: str
    api_key: str = attrs.field(repr=False)
    executor: str

    @classmethod
    def of(cls, place: Mapping[str, str], executor: str) -> "ExampleServer":
        """A running one, from its JSON output."""
        return cls(_host(place["base_url"]), _host(place["site_url"]), place["api_key"], executor)

    @classmethod
    @contextmanager
    def start(cls, executor: str) -> Iterator["ExampleServer"]:
        """Start it at free ports, and end it after the block."""
        words = ("serve", "--example-site", "--port", "0", "--executor", executor)
        process = subprocess.Popen(
            [sys.executable, "-m", "browser_use_async", *words, "--access-log", "none"],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert process.stdout is not None
            yield cls.of(json.loads(process.stdout.readline()), executor)
        finally:
            process.terminate()
            process.communicate()

    @property
    def variables(self) -> dict[str, str]:
        """The variables of its two lines with `export`."""
        return {
            "BROWSER_USE_API_KEY": self.api_key,
            "BROWSER_USE_BASE_URL": f"http://{self.address}/api/v1",
        }

    def addressed(self, text: str) -> str:
        """A text of a page, with the addresses of this server and its site."""
        return text.replace(_SERVER, self.address).replace(_SITE, self.site)

    def as_on_the_page(self, text: str) -> str:
        """An output, with the addresses of the pages."""
        return text.replace(self.address, _SERVER).replace(self.site, _SITE)


def _host(url: str) -> str:
    return url.split("/")[2]


def _environment(server: ExampleServer | None = None) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("BROWSER_USE")}
    # The commands are those of this Python, and a terminal without colours moves no cursor.
    path = f"{Path(sys.executable).parent}{os.pathsep}{own.get('PATH', '')}"
    variables = {} if server is None else server.variables
    return {
        **own,
        "PYTHONPATH": str(ROOT),
        "PATH": path,
        "TERM": "dumb",
        "COLUMNS": "100",
        **variables,
    }


async def output_of_python(block: Block, server: ExampleServer) -> str:
    """Run a program, or lines with `await` and an open session; its output."""
    text = server.addressed(block.text)
    if _is_program(text):
        code, output = await _run(server, sys.executable, _saved("program.py", text))
        assert code == 0, output
    else:
        async with asyncio.timeout(PATIENCE):
            output = await _output_of_lines(text, str(block))
    return server.as_on_the_page(output)


def _is_program(text: str) -> bool:
    """Whether it is a whole program: lines with `await`, or with a session, are not."""
    try:
        compile(text, "block", "exec")
    except SyntaxError:
        return False
    names = symtable.symtable(text, "block", "exec")
    return "session" not in names.get_identifiers() or names.lookup("session").is_assigned()


async def _output_of_lines(text: str, name: str) -> str:
    code = compile(text, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    output = io.StringIO()
    async with BrowserUseSession() as session:
        names = {"session": session, "__name__": "block"}
        with contextlib.redirect_stdout(output):
            result = eval(code, names)
            if inspect.isawaitable(result):
                await result
        for each in names.values():
            if hasattr(each, "aclose") and each is not session and not isinstance(each, type):
                await each.aclose()
    return output.getvalue()


async def outcome_of_tests(block: Block, server: ExampleServer) -> str:
    """The output of pytest for a file with tests, in an empty folder."""
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    path = _saved("test_block.py", server.addressed(block.text))
    _code, output = await _run(server, sys.executable, *words, path)
    return output


def _saved(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


async def _run(server: ExampleServer, *command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_environment(server),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PATIENCE):
        output, _nothing = await process.communicate()
    return process.returncode, output.decode()


async def output_of_commands(lines: Sequence[str], server: ExampleServer) -> str:
    """Run lines of a shell on a terminal of 100 columns; their output."""
    master, slave = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", server.addressed("\n".join(lines))),
            env=_environment(server),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
        )
    finally:
        os.close(slave)
    written = asyncio.get_running_loop().run_in_executor(None, _read_all, master)
    async with asyncio.timeout(PATIENCE):
        await process.wait()
        return server.as_on_the_page((await written).replace("\r\n", "\n"))


def _read_all(master: int) -> str:
    parts: list[bytes] = []
    try:
        while part := os.read(master, 10_000):
            parts.append(part)
    except OSError:  # Linux raises this when no process has the other end open
        pass
    finally:
        os.close(master)
    return b"".join(parts).decode()
