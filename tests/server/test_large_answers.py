"""Large answers: written in pieces, and limited for each owner."""

import asyncio
import gc
import socket
import tracemalloc

import aiohttp

from browser_use_async.server import LocalServer
from browser_use_async.server.http import large_answers
from browser_use_async.server.records import Finished
from tests.server.calling import Caller
from tests.server.steering import FromQueue
from tests.support.patience import until


async def _ended(caller: Caller, queue: FromQueue, characters: int) -> str:
    """The address of a task with an output of so many characters."""
    queue.items.put_nowait(Finished("x" * characters))
    task_id = await caller.create()
    await caller.reached(task_id, "finished")
    return f"{caller.server.base_url}/task/{task_id}"


async def _unread(server: LocalServer, url: str) -> socket.socket:
    """A connection with a small buffer that asks for something and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", int(server.url.rpartition(":")[2])))
    path = url.removeprefix(server.url)
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.api_key}"
    await loop.sock_sendall(client, f"{head}\r\n\r\n".encode())
    return client


async def test_an_unread_answer_is_in_memory_once(steered, queue):
    """The connection has a piece of it, and nothing is left when the client has gone."""
    size = 8_000_000
    url = await _ended(steered, queue, size)
    asked = steered.server.requests["get_task"]
    tracemalloc.start()
    try:
        with await _unread(steered.server, url):
            await until(lambda: steered.server.requests["get_task"] == asked + 1)
            await asyncio.sleep(0)
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
        await until(lambda: tracemalloc.get_traced_memory()[0] < size / 4)
    finally:
        tracemalloc.stop()

    assert size < held < 1.25 * size


async def test_large_answers_of_an_owner_are_limited(http, queue, monkeypatch):
    """Beyond that the owner gets 429 until one is read or given up; others are answered."""
    monkeypatch.setattr(large_answers, "MOST_OF_OWNER", 2)
    async with LocalServer(executor=queue) as server:
        caller = Caller(server, http)
        other = await caller.with_new_key("other")
        urls = [await _ended(each, queue, 900_000) for each in (caller, other)]
        asked = server.requests["get_task"]
        unread = [await _unread(server, urls[0]) for _ in range(2)]
        await until(lambda: server.requests["get_task"] == asked + 2)
        refused = await caller.get(urls[0])
        small = await caller.get(f"{urls[0]}/status")
        others = await other.get(urls[1])
        unread[0].close()
        answer = refused
        while answer.status == 429:
            answer = await caller.get(urls[0])
        unread[1].close()

    assert refused.status == 429
    assert refused.headers["Retry-After"] == "1"
    assert "2 MB of answers of this key are under way already" in refused.json["detail"]
    assert (small.status, others.status, answer.status) == (200, 200, 200)
    assert answer.json["output"] == "x" * 900_000


async def test_a_large_answer_leaves_the_connection_open(steered, queue):
    """Its length is announced, that of a page without its body too; calls share the connection."""
    url = await _ended(steered, queue, 900_000)
    headers = {"Authorization": f"Bearer {steered.server.api_key}"}
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as one:
        async with one.get(url) as whole:
            body = await whole.read()
        async with one.get(f"{steered.server.url}/overview") as page:
            text = await page.read()
        async with one.head(f"{steered.server.url}/overview") as head:
            length = head.headers["Content-Length"]
        async with one.get(url) as again:
            assert await again.read() == body

    assert whole.headers["Content-Length"] == str(len(body))
    assert (whole.content_type, page.content_type) == ("application/json", "text/html")
    assert length == str(len(text))
    assert len(body) > large_answers.LARGE_BYTES
