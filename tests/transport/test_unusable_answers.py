"""An answer to run-task without a task, or that is no HTTP, leaves open what was created."""

import asyncio

import pytest

from browser_use_async import errors
from browser_use_async.transport.response import OutcomeKind
from tests.support.hygiene import assert_hides_secrets, raises
from tests.support.wire import Connection, response
from tests.transport.one_submission import TEN_PAIRS, finishing, kind_of

pytestmark = pytest.mark.looptime

UNUSABLE: dict[str, bytes] = {
    "empty": response(200, ""),
    "a web page": response(200, "<html>Welcome</html>", content_type="text/html"),
    "cut JSON": response(200, '{"id":"t-'),
    "cut by the connection": response(200, '{"id":"t-1"}')[:-3],
    "no id": response(200, "{}"),
    "null as the id": response(200, '{"id":null}'),
    "a number as the id": response(200, '{"id":5}'),
    "an empty id": response(200, '{"id":""}'),
    "a list": response(200, "[]"),
    "null": response(200, "null"),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "an id twice": response(200, '{"id":"t-1","id":"t-2"}'),
    "an unrequested encoding": response(200, '{"id":"t-1"}', [("Content-Encoding", "br")]),
    "a length that is too long": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b'{"id":"t-1"}',
    "chunks without an end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'c\r\n{"id":"t-1"}\r\n',
}


@pytest.mark.parametrize("body", UNUSABLE)
async def test_an_unusable_answer_is_ambiguous(serve, connect, body):
    """A good status without a task's id: something was created, and it is not known what."""
    server = await serve(finishing(UNUSABLE[body]))
    session = await connect(server)

    assert await kind_of(server.url) is OutcomeKind.AMBIGUOUS
    with raises(errors.SubmissionUnknownError):
        await session.submit("Buy milk", metadata=TEN_PAIRS)

    assert len(server.requests) == 2


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
MALFORMED: dict[str, bytes] = {
    "a banner of another protocol": b"220 mail.example.com ESMTP\r\n",
    "noise": bytes(range(256)),
    "another version": b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a header of 20 kB": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000 + b"\r\n\r\n",
    "3000 headers": b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 3000 + b"\r\n",
    "two framings": CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a bad length": b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
    "a bad chunk": CHUNKED + b"\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"\r\n-5\r\n{}\r\n0\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n{}",
}


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize("in_pieces", [False, True], ids=["at once", "head first"])
async def test_malformed_http_is_ambiguous(serve, connect, kind, *, in_pieces):
    """Aiohttp reports broken replies as status 400; the service has refused nothing."""
    data = MALFORMED[kind]
    cut = data.find(b"\r\n\r\n") + 4 if in_pieces else len(data)

    async def script(connection: Connection) -> None:
        await connection.read_request()
        connection.send(data[:cut])
        await asyncio.sleep(0.01 if in_pieces else 0)
        connection.send(data[cut:])

    server = await serve(script)
    # A broken chunk after a good head keeps aiohttp waiting until the timeout.
    session = await connect(server, timeout=3.0)

    assert await kind_of(server.url) is OutcomeKind.AMBIGUOUS
    with pytest.raises((errors.APIConnectionError, errors.ResponseDecodeError)) as caught:
        await session.tasks.run("Buy milk")

    assert_hides_secrets(caught.value)
    assert getattr(caught.value, "sent", True) is True
    assert len(server.requests) == 2
