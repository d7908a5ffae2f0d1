"""Names that resolve as a test needs it."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from tests.server.raw_server import page
from tests.support.wire import Connection, WireServer


@attrs.define
class Names:
    """A name server, as programs of this machine see it through `getaddrinfo`.

    Attributes:
        known: The addresses of names, for each look-up.
        silent: Suffixes of names that get no answer before the test ends.
        asked: The names that were looked up, without numbers.
        answers: Set at the end of the test.
    """

    known: dict[str, Iterator[str]] = attrs.field(factory=dict)
    silent: str = ".silent.example"
    asked: list[str] = attrs.field(factory=list)
    answers: threading.Event = attrs.field(factory=threading.Event)

    def wrap(self, look_up: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, for the names of the test."""

        def look_up_here(host: str, port: Any = None, *rest: Any, **options: Any) -> Any:
            if host.endswith(self.silent):
                self.asked.append(host)
                self.answers.wait()
                raise socket.gaierror(socket.EAI_AGAIN, "the name server is silent")
            if host in self.known:
                self.asked.append(host)
                host = next(self.known[host])
            return look_up(host, port, *rest, **options)

        return look_up_here


@pytest.fixture
def names(monkeypatch):
    """Names of the test's own; silent ones are answered at its end."""
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found.wrap(socket.getaddrinfo))
    yield found
    found.answers.set()


@attrs.frozen
class Inner:
    """A service of this machine that must not be reached from outside.

    Attributes:
        port: Its port, on every address of this machine.
        asked: The requests that it received.
    """

    port: int
    asked: list[str]

    @property
    def url(self) -> str:
        """Its address by number."""
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
async def inner():
    """A service with a secret, which counts its requests."""
    asked: list[str] = []

    async def answer(connection: Connection) -> None:
        asked.append((await connection.read_request()).target)
        connection.send(page(b"<title>Inner</title><p>INNER SERVICE CANARY bread</p>"))

    async with WireServer(answer) as server:
        yield Inner(server.port, asked)
