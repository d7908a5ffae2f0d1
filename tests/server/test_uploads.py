"""Uploads behind signed links."""

import asyncio
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from browser_use_async.api.limits import CONTENT_TYPES, MAX_FILE_BYTES
from browser_use_async.server import LocalServer
from browser_use_async.server.app import file_routes
from browser_use_async.server.records import Finished
from tests.server.calling import Caller
from tests.support.patience import until


async def _link(caller: Caller, name: str = "data.csv", kind: str = "text/csv") -> str:
    answer = await caller.post(
        "/uploads/presigned-url", json={"file_name": name, "content_type": kind}
    )
    assert answer.status == 200, answer.text
    link: str = answer.json["upload_url"]
    return link


async def _put(caller: Caller, link: str, content: Any, kind: str | None = "text/csv") -> Any:
    headers = {"Content-Type": kind or ""}
    return await caller.put(link, key=False, data=BytesIO(content), headers=headers)


async def test_a_file_reaches_the_executor(steered, queue):
    """By its name, byte for byte, without a key; a second upload replaces the first."""
    for content in (b"old", b"a,b\n1,2\n"):
        assert (await _put(steered, await _link(steered), content)).status == 200
    await steered.reached(await steered.create(included_file_names=["data.csv"]), "running")

    assert queue.assignments[0].files == {"data.csv": b"a,b\n1,2\n"}


async def test_every_published_type_is_taken(caller):
    """The specification's list of suffixes, in either case."""
    for suffix, kind in CONTENT_TYPES.items():
        assert await _link(caller, f"File{suffix.upper()}", kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tool.exe", "application/octet-stream"),
        ("a.csv", "video/mp4"),
        ("noext", "text/plain"),
        ("a.csv", "text/csv; x\nuse"),
    ],
)
async def test_other_types_are_refused(name, kind, caller):
    """The answer has the service's sentence."""
    answer = await caller.post(
        "/uploads/presigned-url", json={"file_name": name, "content_type": kind}
    )

    assert (answer.status, answer.json) == (400, {"detail": "Unsupported content type"})


@pytest.mark.parametrize(
    "name",
    [
        "../../x.csv",
        "a/b.csv",
        "a\\b.csv",
        "CON.csv",
        "x" * 300 + ".csv",
        "a\n.csv",
        ".csv",
        "a:b.csv",
    ],
)
async def test_hostile_names_are_refused(name, caller):
    """They get no link."""
    answer = await caller.post(
        "/uploads/presigned-url", json={"file_name": name, "content_type": "text/csv"}
    )

    assert answer.status == 400


@pytest.mark.parametrize("kind", [None, "text/plain"])
async def test_the_content_type_is_part_of_the_signature(kind, caller):
    """As in object storage, a missing or another content type does not match."""
    answer = await _put(caller, await _link(caller), b"x", kind)

    assert answer.status == 403
    assert "SignatureDoesNotMatch" in answer.text


async def test_a_link_is_good_for_its_file_and_its_time(caller):
    """Neither the name nor the signature may be changed."""
    link = await _link(caller)
    other = await _put(caller, link.replace("data.csv", "other.csv"), b"x")
    unsigned = await _put(caller, link.partition("?")[0], b"x")

    assert (other.status, unsigned.status) == (403, 403)
    assert "AccessDenied" in unsigned.text


async def test_an_expired_link_takes_nothing(http):
    """Links are good for an hour."""
    hour = timedelta()
    async with LocalServer(executor="scripted", now=lambda: datetime.now(UTC) + hour) as server:
        caller = Caller(server, http)
        link = await _link(caller)
        hour = timedelta(hours=1)
        answer = await _put(caller, link, b"x")

    assert answer.status == 403
    assert "Request has expired" in answer.text


async def test_the_largest_file_fits_and_one_byte_more_does_not(caller):
    """10 MB for each file; no part of a larger one is stored."""
    link = await _link(caller)
    fits = await _put(caller, link, bytes(MAX_FILE_BYTES))
    too_large = await _put(caller, await _link(caller, "big.csv"), bytes(MAX_FILE_BYTES + 1))
    empty = await _put(caller, await _link(caller, "none.csv"), b"")

    assert fits.status == 200
    assert (too_large.status, "EntityTooLarge" in too_large.text) == (400, True)
    assert empty.status == 400
    answer = await caller.post("/run-task", json={"task": "x", "included_file_names": ["big.csv"]})
    assert answer.problem["loc"] == ["body", "included_file_names"]


async def test_a_link_takes_one_upload(steered, queue):
    """The same bytes may be sent again after a lost answer; other ones need a new link."""
    first, second = await _link(steered), await _link(steered)
    answers = [
        (await _put(steered, link, content)).status
        for link, content in ((first, b"a"), (first, b"a"), (first, b"b"), (second, b"c"))
    ]
    refused = await _put(steered, first, b"a,b")
    queue.items.put_nowait(Finished("x"))
    await steered.reached(await steered.create(included_file_names=["data.csv"]), "finished")

    assert answers == [200, 200, 403, 200]
    assert "<Code>AccessDenied</Code>" in refused.text
    assert "ask for a new one" in refused.text
    assert queue.assignments[0].files == {"data.csv": b"c"}


async def test_uploads_have_a_total(http, monkeypatch):
    """Beyond the limit the answer is 507; a file of the same name makes room."""
    monkeypatch.setattr(file_routes, "MOST_UPLOADED", 100)
    async with LocalServer(executor="scripted") as server:
        caller = Caller(server, http)
        answers = [
            (await _put(caller, await _link(caller, name), bytes(size))).status
            for name, size in (("a.csv", 60), ("b.csv", 41), ("b.csv", 40), ("a.csv", 60))
        ]
        full = await _put(caller, await _link(caller, "c.csv"), b"x")

    assert answers == [200, 507, 200, 200]
    assert "<Code>QuotaExceeded</Code>" in full.text
    assert "All uploads of this server may have 100 bytes together" in full.text


async def test_an_owner_has_half_of_the_room(http, monkeypatch):
    """Others can upload, too; the server's own key may use all of it."""
    monkeypatch.setattr(file_routes, "MOST_UPLOADED", 100)
    async with LocalServer(executor="scripted") as server:
        caller = Caller(server, http)
        shop, other = await caller.with_new_key("shop"), await caller.with_new_key("other")
        full = await _put(shop, await _link(shop, "a.csv"), bytes(51))
        answers = [
            (await _put(each, await _link(each, name), bytes(size))).status
            for each, name, size in (
                (shop, "a.csv", 40),
                (other, "a.csv", 50),
                (caller, "a.csv", 10),
            )
        ]
        of_all = (await _put(other, await _link(other, "a.csv"), bytes(51))).status
        await caller.ask("DELETE", f"{server.url}/admin/files/a.csv")
        await other.ask("DELETE", f"{server.url}/admin/files/a.csv")
        own = (await _put(caller, await _link(caller, "a.csv"), bytes(60))).status

    assert full.status == 507
    assert "The uploads of one owner may have 50 bytes together" in full.text
    assert (answers, of_all, own) == ([200, 200, 200], 507, 200)


async def test_few_uploads_of_an_owner_arrive_at_once(http):
    """Each is in memory meanwhile: further ones have to wait, and others' are accepted."""
    async with LocalServer(executor="scripted") as server:
        caller = Caller(server, http)
        shop, other = await caller.with_new_key("shop"), await caller.with_new_key("other")
        port, halves = int(server.url.rpartition(":")[2]), []
        for number in range(10):
            link = (await _link(shop, f"{number}.csv")).removeprefix(server.url)
            halves.append(await asyncio.open_connection("127.0.0.1", port))
            head = f"PUT {link} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
            halves[-1][1].write(f"{head}Content-Length: 9\r\n\r\nhalf".encode())
        await until(lambda: server.requests["upload"] == 10)
        refused = await _put(shop, await _link(shop), b"a,b")
        taken = await _put(other, await _link(other), b"a,b")
        for reader, writer in halves:
            writer.write(b" done")
            assert b"200 OK" in await reader.readline()
            writer.close()
        again = await _put(shop, await _link(shop), b"a,b")

    assert (refused.status, taken.status, again.status) == (503, 200, 200)
    assert "<Code>SlowDown</Code>" in refused.text
    assert "10 uploads of this owner are under way already, which are the most" in refused.text


@pytest.mark.long
async def test_a_task_takes_fifty_megabytes_and_no_more(caller):
    """This counts all of its files together."""
    names = [f"part{number}.csv" for number in range(6)]
    for name in names:
        await _put(caller, await _link(caller, name), bytes(MAX_FILE_BYTES))
    answers = [
        await caller.post("/run-task", json={"task": "x", "included_file_names": names[:count]})
        for count in (5, 6)
    ]

    assert answers[0].status == 200
    assert "50 MB" in answers[1].problem["msg"]
