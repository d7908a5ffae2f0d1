"""Whole tasks, recorded from one server and replayed by another."""

import asyncio
import bz2
import contextlib
import gc
import gzip
import io
import json
import lzma
import math
import os
import re
import stat
import weakref
import zipfile
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from browser_use_async import BrowserUseSession, PollPolicy, Task, errors, webhooks
from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.executors.reader.executor import ReaderExecutor
from browser_use_async.server.records import Assignment, Finished, Step
from browser_use_async.server.static_site import StaticSite, example_site_directory
from browser_use_async.testing import (
    Cassette,
    Fault,
    LocalServer,
    RecordedStatus,
    RecordedStep,
    RecordedTask,
    Scenario,
    ScriptedExecutor,
    ScriptedStep,
)

_PICTURE = b"\x89PNG\r\n\x1a\npicture"
_KEY = "bu_key_that_must_not_be_seen"

_SCENARIOS = {
    "Find the prices": Scenario(
        steps=(
            ScriptedStep("Open the shop", "Fine", "https://shop.example/", screenshot=_PICTURE),
            ScriptedStep("Read", "Found", "https://shop.example/p", screenshot=_PICTURE, seconds=9),
        ),
        step_seconds=3,
        queue_delay=4,
        start_delay=2,
        end_delay=1,
        output={"tea": "350 ¢"},
        files={"prices.csv": "tea,3.50 €\n".encode(), "tea.bin": b"\xff\x00"},
        recordings={"mp4": b"\x00film"},
    ),
    "Fail": Scenario(outcome="failed", reason="The shop is closed", step_seconds=5),
    "Wait": Scenario(hangs=True, step_seconds=5),
    "Walk": Scenario(steps=["One", "Two", "Three"], step_seconds=10),
}


@contextlib.asynccontextmanager
async def _session(server: LocalServer, **options: Any) -> AsyncIterator[BrowserUseSession]:
    options.setdefault("poll", PollPolicy(interval=0.5, latency_target=0.5))
    async with BrowserUseSession(server.api_key, base_url=server.base_url, **options) as session:
        yield session


def _virtual_now() -> Any:
    """A wall clock that follows the loop, so that the dates of a server have a meaning."""
    loop = asyncio.get_running_loop()
    start = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=loop.time())
    return lambda: start + timedelta(seconds=loop.time())


@contextlib.asynccontextmanager
async def _recorded_from(
    scenarios: dict[str, Scenario] = _SCENARIOS,
) -> AsyncIterator[tuple[LocalServer, BrowserUseSession]]:
    executor = ScriptedExecutor(scenarios)
    async with (
        LocalServer(executor=executor, api_key=_KEY, now=_virtual_now()) as server,
        _session(server) as session,
    ):
        yield server, session


async def _life(session: BrowserUseSession, text: str) -> tuple[Task, list[tuple[float, str]]]:
    """A task, and its statuses with the times at which a client sees them."""
    loop = asyncio.get_running_loop()
    handle = await session.submit(text)
    start = loop.time()
    path = [(loop.time() - start, str(status)) async for status in handle.stream_status()]
    return await handle.wait(), path


def _seen_of(task: Task) -> object:
    steps = [(each.step, each.next_goal, each.evaluation_previous_goal) for each in task.steps]
    return task.task, str(task.status), task.output, steps, task.output_files


@pytest.mark.looptime
@pytest.mark.parametrize("text", ["Find the prices", "Fail"])
async def test_a_replayed_task_goes_as_the_recorded_one(text: str, tmp_path: Path):
    """The same statuses at the same times, the same steps, output, files, pictures and cost."""
    path = tmp_path / "cassettes" / "shop.json"
    async with _recorded_from() as (server, session):
        async with Cassette.record(session, path):
            recorded, recorded_path = await _life(session, text)
        recorded_cost = server.store.tasks[0].cost_cents
    cassette = Cassette.load(path)

    async with (
        LocalServer(executor=cassette.executor()) as server,
        _session(server) as session,
    ):
        replayed, replayed_path = await _life(session, text)
        record = server.store.tasks[0]
        files = [server.store.file(record.id, name) for name in record.output_files]
        pictures = [server.store.file(record.id, name) for name in record.screenshots]
        film = server.store.file(record.id, f"{record.id}-recording.mp4")

    assert _seen_of(replayed) == _seen_of(recorded)
    assert [status for _at, status in replayed_path] == [status for _at, status in recorded_path]
    # Both sides saw it by polls of half a second.
    for (at, _status), (recorded_at, _same) in zip(replayed_path, recorded_path, strict=True):
        assert at == pytest.approx(recorded_at, abs=1.1)
    assert record.cost_cents == recorded_cost == cassette.tasks[0].cost_cents
    assert files == list(_SCENARIOS[text].files.values())
    if text == "Find the prices":
        assert pictures == [_PICTURE, _PICTURE]
        assert film == b"\x00film"


@pytest.mark.looptime
async def test_the_free_step_of_a_task_that_failed_at_its_limit(tmp_path: Path):
    """Neither the cassette, nor its file, nor the server that replays it counts it."""
    path = tmp_path / "limit.json"
    async with _recorded_from() as (server, session):
        async with Cassette.record(session, path) as recording:
            task = await session.wait(await session.submit("Walk", max_agent_steps=2))
        cost = server.store.tasks[0].cost_cents
    cassette = Cassette.load(path)

    async with LocalServer(executor=cassette.executor()) as server, _session(server) as session:
        replayed = await session.wait(await session.submit("Walk", max_agent_steps=2))
        again = server.store.tasks[0].cost_cents

    assert (task.status, len(task.steps)) == ("failed", 3)
    assert _seen_of(replayed) == _seen_of(task)
    costs = [each.tasks[0].cost_cents for each in (recording.cassette, cassette)]
    assert costs == [cost, cost] == [6, again]  # a start, and two steps
    assert json.loads(path.read_text())["tasks"][0]["cost_cents"] == "6.0"


async def test_a_task_of_the_rule_based_browser_is_replayed_without_its_site():
    """In real time: what it read is in the answer, after the site has ended."""
    executor = ReaderExecutor()
    async with (
        StaticSite(example_site_directory()) as site,
        LocalServer(executor=executor) as server,
        _session(server) as session,
        Cassette.record(session) as recording,
    ):
        text = f"Open {site.url}/ and tell me its title"
        recorded = await session.run_and_wait(text)

    async with (
        LocalServer(executor=recording.cassette.executor(speed=math.inf)) as server,
        _session(server) as session,
    ):
        replayed = await session.run_and_wait(text)

    assert recorded.output
    assert recorded.steps
    assert _seen_of(replayed) == _seen_of(recorded)
    assert [each.url for each in replayed.steps] == [each.url for each in recorded.steps]


@pytest.mark.looptime
async def test_the_content_of_a_cassette(tmp_path: Path):
    """Times since the creation, and a text file that a person can read."""
    path = tmp_path / "shop.json"
    async with (
        _recorded_from() as (_server, session),
        Cassette.record(session, path) as recording,
    ):
        await session.run_and_wait("Find the prices", llm_model="o3")
    (task,) = recording.cassette.tasks

    assert [each.status for each in task.statuses] == ["created", "running", "finished"]
    times = [*(each.at for each in task.statuses), *(each.at for each in task.steps)]
    assert times == pytest.approx([0, 4, 19, 9, 18], abs=0.6)
    assert task.seconds == pytest.approx(19, abs=0.1)  # by the dates of the server
    assert task.cost_cents == 3  # a start, and two steps of o3
    text = path.read_text("utf-8")
    assert '"tea,3.50 €\\n"' in text
    assert '"browser_use_cassette": 1' in text
    loaded = Cassette.load(path)
    assert loaded.tasks[0].files == task.files
    assert loaded.tasks[0].steps[0].screenshot == _PICTURE
    loaded.save(path)
    assert Cassette.load(path) == loaded


class _Revealing(Executor):
    """An executor whose reports contain everything that must not be in a cassette."""

    name = "revealing"

    def __init__(self) -> None:
        self.server: LocalServer | None = None

    async def run(self, assignment: Assignment, control: Control) -> AsyncIterator[Step | Finished]:
        assert self.server is not None
        record = self.server.store.task(assignment.task_id)
        assert record is not None
        pages = f"{record.live_token} {record.share_token}"
        signed = "https://store.example/a/b.png?x=1&X-Amz-Signature=5161718"
        seen = (
            f"{_KEY} and tok_5f2c9, {signed}, {pages}; https://me:pw@a.example/ but "
            "https://shop.example/p?page=2&monkey=1"
        )
        yield Step(seen, seen, signed)
        files = {
            "a.txt": f"{seen} {assignment.secrets['pin']}".encode(),
            "b.bin": b"\xff" + _KEY.encode(),
        }
        yield Finished(seen, files)

    async def aclose(self) -> None:
        pass


@pytest.mark.looptime
async def test_no_key_secret_or_signed_url_is_in_the_file(tmp_path: Path):
    """Wherever a task shows one: in its steps, its answer, its files."""
    path = tmp_path / "shop.json"
    executor = _Revealing()
    async with (
        LocalServer(executor=executor, api_key=_KEY) as server,
        _session(server) as session,
        Cassette.record(session, path, redact=["tok_5f2c9"]),
    ):
        executor.server = server
        task = await session.run_and_wait(
            "Shop",
            secrets={"pin": "hunter2!"},
            allowed_domains=["shop.example"],
            enable_public_share=True,
        )
        record = server.store.tasks[0]
    text = path.read_text("utf-8")

    for secret in ("5161718", "me:pw", _KEY, "tok_5f2c9", record.live_token, record.share_token):
        assert str(secret) in (task.output or "")  # the client has seen it
        assert str(secret) not in text
    assert "hunter2!" not in text
    assert "https://store.example/***" in text
    assert "https://shop.example/p?page=2&monkey=1" in text
    assert _KEY.encode() not in Cassette.load(path).tasks[0].files["b.bin"]


_SIGNED = (
    "wss://live.example/socket?token=KEPT-OUT",
    *(
        f"https://shop.example/p?page=2&{name}=KEPT-OUT"
        for name in (
            *("auth", "authorization", "code", "jwt", "hmac", "sid", "session", "session_id"),
            *("sessionId", "pass", "pwd", "Policy", "auth_code", "x-auth", "PHPSESSID"),
            *("access-token", "ticket", "otp", "passwd", "SAMLResponse", "bearer"),
            *("oauth_verifier", "csrf", "X-CSRF"),
        )
    ),
    "https://shop.example/reset/KEPT-OUT/9f8a7b6c5d4e3f2a1b0c9d8e",
    "https://shop.example/invite/Zk3vQ9xTb2LmN8pRw5Yd?to=KEPT-OUT",
    "https://shop.example/p;jsessionid=KEPT-OUT",
    "https://shop.example/p?%73ig=KEPT-OUT",
    "https://shop.example/p?to=https%3A%2F%2Fs.example%2Fa%3Fb%3D1%26X-Amz-Signature%3DKEPT-OUT",
    "https://shop.example/p?to=https%253A%252F%252Fs.example%252Fa%253Fsig%253DKEPT-OUT",
    r"https:\/\/shop.example\/p?sig=KEPT-OUT",
    r"https://shop.example/p?X-Amz-Algorithm=a\u0026X-Amz-Signature=KEPT-OUT",
    "https://shop.example/p?a=1&amp;sig=KEPT-OUT",
)
_UNSIGNED = (
    "https://shop.example/p?page=2&monkey=1",
    "https://shop.example/p?country_code=no&compass=n&passage=3&author=me&policyholder=1",
    "wss://shop.example/prices",
    r"https:\/\/shop.example\/a\/b",
    "https://shop.example/sign-in?next=%2Fhome",
    "https://shop.example/wiki/List_of_2020_Summer_Olympics_medal_winners",
    "https://shop.example/a/0b54c0e1-6f5e-4d8e-9a3c-1f2e3d4c5b6a/12345678901234567890123",
)


@pytest.mark.looptime
@pytest.mark.parametrize("url", _SIGNED)
async def test_a_url_that_grants_access_is_not_in_the_file(url: str, tmp_path: Path):
    """For any scheme, and for any name of its parameter, encoded or escaped."""
    text = await _recorded_text(f"<{url}>", tmp_path)

    assert "KEPT-OUT" not in text
    assert "***" in text


@pytest.mark.looptime
@pytest.mark.parametrize("url", _UNSIGNED)
async def test_a_url_that_grants_nothing_is_in_the_file(url: str, tmp_path: Path):
    """It is unchanged, since a test may need it."""
    assert json.dumps(url)[1:-1] in await _recorded_text(f"<{url}>", tmp_path)


_SECRET = "Hünter2 & Söhne?"
_FORMS = {
    "capitals": _SECRET.upper(),
    "small letters": _SECRET.lower(),
    "Base64": b64encode(_SECRET.encode()).decode(),
    "Base64, one byte on": b64encode(b"x" + _SECRET.encode() + b"y").decode(),
    "Base64, two bytes on": b64encode(b"pw" + _SECRET.encode()).decode(),
    "Base64 of URLs": urlsafe_b64encode(_SECRET.encode() + b">>>???").decode(),
    "hexadecimal": _SECRET.encode().hex(),
    "hexadecimal bytes": _SECRET.encode().hex(" ").upper(),
    "decimal entities": "".join(f"&#{ord(each)};" for each in _SECRET),
    "hexadecimal entities": "".join(f"&#x{ord(each):X};" for each in _SECRET),
    "named entities": _SECRET.replace("&", "&amp;").replace("ü", "&uuml;").replace("ö", "&ouml;"),
    "escapes": "".join(f"\\u{ord(each):04x}" for each in _SECRET),
    "JSON in JSON": json.dumps(json.dumps(json.dumps(_SECRET))),
    "percent, once": quote(_SECRET),
    "percent, twice": quote(quote(_SECRET, safe=""), safe=""),
    "percent, three times": quote(quote(quote(_SECRET))),
    "a form": quote_plus(_SECRET),
}


@pytest.mark.looptime
@pytest.mark.parametrize("form", _FORMS.values(), ids=_FORMS)
async def test_no_form_of_a_secret_is_in_the_file(form: str, tmp_path: Path):
    """In any notation, in a text and in the bytes of a file; the text around it stays."""
    output, path = f"before {form} after", tmp_path / "one.json"
    files = {"a.bin": b"\xff\xfe\xfd before " + form.encode("latin-1") + b" after"}
    text = await _recorded_text(output, tmp_path, redact=[_SECRET], files=files)
    kept = Cassette.load(path).tasks[0]

    assert form not in text
    assert json.dumps(form)[1:-1] not in text
    assert kept.output is not None
    assert re.fullmatch(r'before ["\\]*\w{0,4}\*\*\*["\\\w=-]{0,16} after', kept.output)
    assert form.encode("latin-1") not in kept.files["a.bin"]
    assert kept.files["a.bin"].startswith(b"\xff\xfe\xfd before ")
    assert kept.files["a.bin"].endswith(b" after")


@pytest.mark.looptime
@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer KEPT-OUT",
        "authorization: Basic KEPT-OUT==",
        "Proxy-Authorization: KEPT-OUT",
        '{"Authorization": "Bearer KEPT-OUT"}',
        json.dumps('{"authorization": "token KEPT-OUT"}'),
        "Cookie: a=1; sid=KEPT-OUT",
        "Set-Cookie: sid=KEPT-OUT; HttpOnly",
        "X-Api-Key: KEPT-OUT",
        "x-amz-security-token=KEPT-OUT",
        "curl -H 'Authorization: Bearer KEPT-OUT' https://shop.example/",
        "the header is Bearer KEPT-OUT-0123456789",
    ],
)
async def test_no_header_that_grants_access_is_in_the_file(line: str, tmp_path: Path):
    """Neither as a line of HTTP nor within JSON."""
    assert "KEPT-OUT" not in await _recorded_text(line, tmp_path)


@pytest.mark.looptime
async def test_what_only_reads_like_a_header_is_in_the_file(tmp_path: Path):
    """Sentences about cookies and permission stay."""
    line = "Authorization required. My favourite cookie: oatmeal; bearer certificates, x-ray token"
    assert line in await _recorded_text(line, tmp_path)


@pytest.mark.looptime
async def test_no_secret_is_in_the_name_of_a_file(tmp_path: Path):
    """Two names that differ only in a secret stay two files."""
    files = {"hunter2-a.txt": b"1", "HUNTER2-a.txt": b"2", "b.txt": b"3"}
    text = await _recorded_text("Done", tmp_path, redact=["hunter2"], files=files)
    kept = Cassette.load(tmp_path / "one.json").tasks[0].files

    assert "hunter2" not in text.lower()
    assert sorted(kept.values()) == [b"1", b"2", b"3"]
    assert kept["b.txt"] == b"3"


def _zipped(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


_PACKED = {
    "a.zip": _zipped("a.txt", b"hunter2"),
    "b.zip": _zipped("hunter2.txt", b"text"),
    "c.zip": _zipped("inner.zip", _zipped("a.txt", b"see https://s.example/a?sig=1")),
    "d.gz": gzip.compress(b"a hunter2"),
    "e.bz2": bz2.compress(b"a hunter2"),
    "f.xz": lzma.compress(b"a hunter2"),
    "g.gz": gzip.compress(b"a hunter2")[:-4],
    "h.7z": b"7z\xbc\xaf\x27\x1c whatever",
}


@pytest.mark.looptime
async def test_compressed_files_with_secrets_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """They cannot be masked; the log names them, and those without a secret are recorded."""
    clean = {"ok.zip": _zipped("a.txt", b"tea"), "ok.gz": gzip.compress(b"tea")}
    await _recorded_text("Done", tmp_path, redact=["hunter2"], files={**_PACKED, **clean})

    assert Cassette.load(tmp_path / "one.json").tasks[0].files == clean
    for name in _PACKED:
        assert f"recorded without its file {name!r}" in caplog.text


async def _recorded_text(
    output: str,
    folder: Path,
    *,
    redact: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
) -> str:
    """The cassette of a task with that output."""
    path = folder / "one.json"
    scenario = Scenario(output=output, step_seconds=0, files=files or {})
    async with (
        _recorded_from({"Shop": scenario}) as (_server, session),
        Cassette.record(session, path, media=False, redact=redact),
    ):
        task = await session.run_and_wait("Shop")
    assert task.output == output
    return path.read_text("utf-8")


@pytest.mark.looptime
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
async def test_no_secret_is_in_a_file_of_another_encoding(encoding: str, tmp_path: Path):
    """Spreadsheets export UTF-16; the text around a secret there stays."""
    path = tmp_path / "one.json"
    content = f"a\tpwd\n1\thünter2 and {_KEY}\n".encode(encoding)
    scenario = Scenario(files={"a.tsv": content}, step_seconds=0)
    async with (
        _recorded_from({"Shop": scenario}) as (_server, session),
        Cassette.record(session, path),
    ):
        await session.run_and_wait(
            "Shop", secrets={"pwd": "hünter2"}, allowed_domains=["shop.example"]
        )
    kept = Cassette.load(path).tasks[0].files["a.tsv"]

    assert kept.decode(encoding) == "a\tpwd\n1\t*** and ***\n"


@pytest.mark.long
@pytest.mark.looptime
@pytest.mark.parametrize(("speed", "seconds"), [(1, 1800), (60, 30), (math.inf, 0)])
async def test_a_task_of_half_an_hour_replays_in_no_time(speed: float, seconds: float):
    """In its own time, which is virtual here, sixty times faster, or at once."""
    statuses = [(0, "created"), (60, "running"), (1800, "finished")]
    task = RecordedTask(
        "Count",
        statuses=tuple(RecordedStatus(at, status) for at, status in statuses),
        steps=tuple(RecordedStep(60 + 60 * number, f"Step {number}") for number in range(20)),
        output="20",
    )
    loop = asyncio.get_running_loop()
    pause = max(0.5, seconds / 30)
    poll = PollPolicy(interval=pause, latency_target=pause)
    executor = Cassette([task]).executor(speed=speed)
    async with LocalServer(executor=executor) as server, _session(server, poll=poll) as session:
        start = loop.time()
        counted = await session.run_and_wait("Count")
        lasted = loop.time() - start

    assert (counted.output, len(counted.steps)) == ("20", 20)
    assert seconds <= lasted <= seconds + pause + 1


@pytest.mark.long
@pytest.mark.looptime
async def test_pauses_and_stops_are_those_of_the_client():
    """Commands of the recorded client are not replayed; those of the next one are followed."""
    async with (
        _recorded_from() as (_server, session),
        Cassette.record(session, media=False) as recording,
    ):
        handle = await session.submit("Walk")
        await asyncio.sleep(12)
        await handle.pause()
        await asyncio.sleep(100)
        await handle.resume()
        await handle.wait()
        stopped = await session.submit("Wait")
        await asyncio.sleep(20)
        await stopped.stop()
    walked, waited = recording.cassette.tasks

    assert [each.status for each in walked.statuses] == ["running", "paused", "running", "finished"]
    # The second step was in progress when the pause came, and was reported after it.
    scenario = walked.scenario()
    active = sum(each.seconds for each in scenario.steps) + scenario.end_delay
    assert active == pytest.approx(22, abs=1.1)
    assert waited.status == "stopped"
    async with (
        LocalServer(executor=recording.cassette.executor()) as server,
        _session(server) as session,
    ):
        with pytest.raises(errors.WaitTimeoutError):
            await session.run_and_wait("Wait", timeout=60, on_timeout="stop")
        assert len(server.store.tasks[0].steps) == 2


@pytest.mark.looptime
async def test_a_replay_with_faults_still_pays_once():
    """A cassette is an executor like any other."""
    async with _recorded_from() as (_server, session), Cassette.record(session) as recording:
        await session.run_and_wait("Walk")
    faults = [
        Fault("lost_reply", "run_task", calls=1),
        Fault("reset", ["get_task", "get_task_status"], probability=0.3, seed=7),
    ]

    async with (
        LocalServer(executor=recording.cassette.executor(), faults=faults) as server,
        _session(server) as session,
    ):
        task = await session.run_and_wait("Walk")
        assert server.tasks_created == 1
        assert server.faults_fired["lost_reply run_task"] == 1

    assert [step.next_goal for step in task.steps] == ["One", "Two", "Three"]


@pytest.mark.looptime
async def test_how_a_recording_is_found():
    """By text, by pattern, in order; or by order alone."""
    ended = (RecordedStatus(1, "finished"),)
    tasks = [
        RecordedTask("A", statuses=ended, output="first"),
        RecordedTask("A", statuses=ended, output="second"),
        RecordedTask("B", r"Buy \d+ apples", statuses=ended, output="bought"),
    ]
    found = {}
    for match in ("exact", "any"):
        executor = Cassette(tasks).executor(match=match, speed=math.inf)
        async with LocalServer(executor=executor) as server, _session(server) as session:
            texts = ("A", "A", "A", "Buy 12 apples", "B")
            found[match] = [(await session.run_and_wait(text)).output for text in texts]

    assert found["exact"] == ["first", "second", "second", "bought", "bought"]
    assert found["any"] == ["first", "second", "bought", "bought", "bought"]


@pytest.mark.looptime
async def test_a_task_that_is_not_on_the_cassette_says_so():
    """The error has the recorded tasks, and the most similar one."""
    cassette = Cassette([RecordedTask("Find the prices"), RecordedTask("Log in")], "shop.json")
    async with LocalServer(executor=cassette.executor()) as server, _session(server) as session:
        with pytest.raises(errors.TaskFailedError) as caught:
            await session.run_and_wait("Find the price")

    for words in ("shop.json has no task 'Find the price'", "mean 'Find the prices'?", "'Log in'"):
        assert words in str(caught.value)


@pytest.mark.looptime
async def test_all_ways_of_creating_a_task_are_recorded():
    """Batches and lost answers too; plain calls are followed by their id."""
    async with _recorded_from() as (server, session):
        async with Cassette.record(session, media=False) as recording:
            server.set_faults([Fault("lost_reply", "run_task", calls=1)])
            await session.run_and_wait("adopted")
            await session.run_many([("a", "in a batch")], concurrency=1).collect()
            created = await session.tasks.run("plain")
            recording.follow(created.id)
        await session.run_and_wait("after")

    assert [each.task for each in recording.cassette.tasks] == ["adopted", "in a batch", "plain"]
    assert {str(each.status) for each in recording.cassette.tasks} == {"finished"}


@pytest.mark.looptime
async def test_events_of_a_receiver_are_recorded():
    """With their times, as they came."""
    received: list[Any] = []

    class Source:
        def subscribe(self, callback: Any) -> None:
            received.append(callback)

    async with (
        _recorded_from() as (_server, session),
        Cassette.record(session, media=False, webhooks=Source()) as recording,
    ):
        handle = await session.submit("Walk")
        await asyncio.sleep(7)
        status = webhooks.WebhookStatus("started")
        received[0](webhooks.TaskStatusUpdate(handle.id, "", status))
        received[0](webhooks.TaskStatusUpdate("another", "", status))
        await handle.wait()

    assert recording.cassette.tasks[0].webhooks == (RecordedStatus(7.0, "started"),)


@pytest.mark.looptime
async def test_a_recording_that_has_ended_is_not_kept():
    """A receiver that gets more webhooks later works on without it."""
    received: list[Any] = []

    class Source:
        def subscribe(self, callback: Any) -> None:
            received.append(callback)

    async with _recorded_from() as (_server, session):
        async with Cassette.record(session, media=False, webhooks=Source()) as recording:
            task = await session.run_and_wait("Walk")
        kept = weakref.ref(recording)
        del recording
        gc.collect()
    received[0](webhooks.TaskStatusUpdate(task.id, "", webhooks.WebhookStatus("finished")))

    assert kept() is None


def test_a_cassette_is_for_its_owner(tmp_path: Path):
    """It contains what a task has read, so only its user can read it, whatever the umask is."""
    path = tmp_path / "shop.json"
    path.write_text("former")
    path.chmod(0o644)
    umask = os.umask(0o022)
    try:
        Cassette([RecordedTask("Walk")]).save(path)
    finally:
        os.umask(umask)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.looptime
async def test_a_block_that_raises_saves_nothing(tmp_path: Path):
    """An earlier recording stays unchanged."""
    path = tmp_path / "shop.json"
    path.write_text("before")
    async with _recorded_from() as (_server, session):
        with contextlib.suppress(KeyError):
            async with Cassette.record(session, path):
                await session.submit("Wait")
                raise KeyError

    assert path.read_text() == "before"


@pytest.mark.looptime
async def test_a_task_without_an_end_is_recorded_so_far():
    """After the timeout of the recorder; its replay has no end either."""
    async with (
        _recorded_from() as (_server, session),
        Cassette.record(session, wait=30) as recording,
    ):
        await session.submit("Wait")
    (task,) = recording.cassette.tasks

    assert task.status == "running"
    assert len(task.steps) == 2
    assert task.scenario().hangs


async def test_a_session_that_is_closed_too_early_is_an_error(tmp_path: Path):
    """The recorder must be within the session; its recording so far is saved."""
    path = tmp_path / "shop.json"
    async with LocalServer(executor="scripted") as server:
        session = BrowserUseSession(server.api_key, base_url=server.base_url)
        recording = Cassette.record(session, path)
        await recording.__aenter__()
        await session.submit("Walk")
        await session.aclose()
        with pytest.raises(errors.SessionClosedError) as caught:
            await recording.__aexit__(None, None, None)

    assert caught.value.__notes__ == ["0 of 1 tasks are recorded"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "a.json: "),
        ("[]", "it is no cassette"),
        ('{"tasks": []}', "it has no 'browser_use_cassette'"),
        ('{"browser_use_cassette": 2}', "version 2, and this package reads 1"),
        ('{"browser_use_cassette": 1, "tasks": [7]}', r"tasks\[0\]: 7 is no object"),
        ('{"browser_use_cassette": 1, "tasks": [{"task": 7}]}', r"tasks\[0\]\.task: 7 is no text"),
        ('{"browser_use_cassette": 1, "tasks": [{"pattern": "("}]}', r"\]\.pattern: "),
        ('{"browser_use_cassette": 1, "tasks": [{"steps": [{"at": -1}]}]}', r"steps\[0\]\.at: -1"),
        (
            '{"browser_use_cassette": 1, "tasks": [{"files": {"a": {"base64": "!"}}}]}',
            "'a'.*base64",
        ),
    ],
)
def test_a_file_that_is_no_cassette(content: str, problem: str, tmp_path: Path):
    """The error names the place."""
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(errors.ConfigurationError, match=problem):
        Cassette.load(path)


def test_a_file_that_is_not_there(tmp_path: Path):
    """This is no traceback of the operating system, either."""
    with pytest.raises(errors.ConfigurationError, match=r"gone\.json: No such file"):
        Cassette.load(tmp_path / "gone.json")


@pytest.mark.parametrize("options", [{"speed": 0}, {"speed": math.nan}, {"match": "some"}])
def test_options_that_cannot_work(options: dict[str, Any]):
    """They are refused before a server starts."""
    with pytest.raises(errors.ConfigurationError, match=r"^(speed must be|match: )"):
        Cassette().executor(**options)
