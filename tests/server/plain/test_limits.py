"""The limits of its rules, of its permissions and of pages: a reason, and no wait."""

import asyncio

import pytest

from browser_use_async.server.executors.plain.executor import PlainExecutor
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from tests.server.plain.running import FREE, properties, run, table_of
from tests.server.raw_server import page, raw_server
from tests.support.hygiene import SECRET
from tests.support.wire import Connection

TEXT, NUMBER = {"type": "string"}, {"type": "number"}


async def test_pause_delays_the_next_step(plain, site):
    """While the task is paused, no step is taken and no page is opened."""

    class Gate:
        def __init__(self) -> None:
            self.open = asyncio.Event()
            self.open.set()
            self.goals: list[str] = []

        def doing(self, goal: str) -> None:
            self.goals.append(goal)

        async def checkpoint(self) -> None:
            await self.open.wait()

    gate = Gate()
    items = plain.run(Assignment("id", f"Open {site}, click Journal, and read"), gate)
    first = await anext(items)
    gate.open.clear()
    waiting = asyncio.ensure_future(anext(items))
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    assert not done

    gate.open.set()
    second = await waiting
    rest = [item async for item in items]

    assert isinstance(first, Step)
    assert isinstance(second, Step)
    assert second.url.endswith("/journal/winter-chain-care.html")
    assert isinstance(rest[-1], Finished)
    assert gate.goals[-1] == "Compose the answer"


@pytest.mark.looptime
async def test_stopping_ends_a_request_at_once(plain):
    """A task that is cancelled while a server keeps it waiting ends within a moment."""
    async with raw_server(Connection.stall) as url:
        running = asyncio.create_task(run(plain, f"Open {url}"))
        await asyncio.sleep(0.1)
        running.cancel()
        async with asyncio.timeout(0.2):
            with pytest.raises(asyncio.CancelledError):
                await running


@pytest.mark.parametrize(("limit", "steps"), [(0, 0), (1, 1), (2, 2)])
async def test_steps_are_limited(plain, site, limit, steps):
    """Opening, following and answering are a step each; beyond the limit the task fails."""
    done = await run(plain, f"Open {site} and click Journal", max_agent_steps=limit)

    assert len(done.steps) == steps
    assert done.reason == f"The task needs more than the {limit} steps that max_agent_steps allows."


async def test_as_many_steps_as_needed_are_enough(plain, site):
    """Three steps of three finish the task."""
    done = await run(plain, f"Open {site} and click Journal", max_agent_steps=3)

    assert len(done.steps) == 3
    assert done.output


async def test_allowed_domains_are_obeyed(plain, site):
    """The allowed host is opened with and without its port, another one is not."""
    for allowed in (["127.0.0.1"], [site], [site.removeprefix("http://")], None):
        assert (await run(plain, f"Open {site}", allowed_domains=allowed)).output

    nowhere = await run(plain, f"Open {site}", allowed_domains=[])
    assert nowhere.reason == f"{site} is outside the allowed domains of this task (none)."
    refused = await run(plain, f"Open {site}", allowed_domains=["shop.example", "*.a.example"])
    assert refused.steps == []
    assert refused.reason == (
        f"{site} is outside the allowed domains of this task (shop.example, *.a.example)."
    )


async def test_links_and_redirects_obey_the_allowed_domains(plain, site):
    """Neither a link nor a redirect leads to a host that is not allowed."""
    other = site.replace("127.0.0.1", "localhost")
    answers = {
        "/link": page(f"<title>x</title><a href='{other}'>there</a>".encode()),
        "/moved": page(status="302 Found", headers={"Location": other}),
    }
    async with raw_server(answers) as url:
        task = f"Open {url}/link and click there"
        linked = await run(plain, task, allowed_domains=["127.0.0.1"])
        moved = await run(plain, f"Open {url}/moved", allowed_domains=["127.0.0.1"])

    for done in (linked, moved):
        assert done.reason == f"{other} is outside the allowed domains of this task (127.0.0.1)."
        assert isinstance(done.end, Failed)
        assert done.end.url == other


async def test_what_is_too_long_to_be_understood_fails_the_task(plain):
    """At once, with a sentence; nothing is opened."""
    text = await run(plain, "Open https://a.example/" + "\n" * 1_000_000)
    schema = await run(plain, "Open https://a.example/", schema={"title": "t" * 200_000})

    assert text.steps == schema.steps == []
    assert "Without a language model a text of up to 20,000 is read" in text.reason
    assert schema.reason == "structured_output_json has more than 100,000 characters."


FAILURES = {
    "missing": (page(status="404 Not Found"), "answered 404 Not Found."),
    "broken": (page(status="503 Busy"), "answered 503 Service Unavailable."),
    "picture": (
        page(b"x", headers={"Content-Type": "image/png"}),
        "could not be read: it is image/png, and only text can be read.",
    ),
    "pdf": (
        page(b"%PDF-1.7", headers={"Content-Type": "application/pdf"}),
        "could not be read: it is application/pdf, and only text can be read.",
    ),
    "binary": (page(b"\0\1", headers={"Content-Type": "text/plain"}), "said to be text"),
    "huge": (page(b"x", headers={"Content-Length": "5242881"}), "larger than 5,242,880 bytes."),
    "circle": (page(status="302 Found", headers={"Location": "/"}), "redirects in a circle."),
    "empty": (page(b"<p> </p>"), "has nothing to read: neither a title nor text."),
    "dead": (b"", "broke off before an answer came."),
}


@pytest.mark.parametrize(("sent", "reason"), FAILURES.values(), ids=FAILURES)
async def test_page_that_cannot_be_read_fails_the_task(plain, sent, reason):
    """For any broken page, the reason has its address and the problem."""
    async with raw_server({"/": sent}) as url:
        done = await run(plain, f"Open {url}/ and read it")

    assert reason in done.reason
    assert f"{url}/" in done.reason


async def test_unreachable_page_fails_the_task(plain):
    """Where no server listens, the task fails and names the address."""
    async with raw_server({}) as url:
        pass
    done = await run(plain, f"Open {url}")

    assert done.reason == (
        f"{url} could not be opened: nothing answers at {url.removeprefix('http://')}."
    )


@pytest.mark.looptime
async def test_silent_page_fails_the_task_in_time(plain):
    """A server that never answers delays a task by no more than the timeout."""
    start = asyncio.get_running_loop().time()
    async with raw_server(Connection.stall) as url:
        done = await run(plain, f"Open {url}")

    assert "did not answer in time" in done.reason
    assert asyncio.get_running_loop().time() - start == pytest.approx(10, abs=0.1)


async def test_page_without_a_title_has_none(plain):
    """A requested title that is missing is not made up."""
    async with raw_server({"/": page(b"<p>words</p>")}) as url:
        done = await run(plain, f"Tell me the title of {url}")

    assert done.reason == f"{url} has no title."


async def test_link_that_is_not_there_fails_the_task(plain, site):
    """The reason names the existing links."""
    done = await run(plain, f"Open {site} and click Careers")

    assert done.reason.startswith(f"{site} has no link “Careers”. Its links: Tern & Tide, Home, ")


async def test_the_home_page_may_be_the_one_at_hand(plain, site):
    """Other words that may be a link must be one: a missing step is not ignored."""
    home = await run(plain, f"Open {site}/about.html, go to the start page and tell me its title")
    bottom = await run(plain, f"Open {site} and go to the bottom, then tell me its title")

    assert home.output == "About us | Tern & Tide Bicycles"
    assert "has no link “bottom”" in bottom.reason


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("Write a poem", "The task names no page, and there is no language model here."),
        ("", "The task names no page, and there is no language model here."),
        ("Open http://a.example/ and log in", "“log in” is not understood"),
        (
            "Open http://a.example/ and press Enter",
            "“press Enter” needs a browser: install",
        ),
        ("Open http://user:hunter2@127.0.0.1/", "user name or password are not opened"),
        ("Open http://127.0.0.1:99999/", "not a valid address"),
    ],
)
async def test_task_that_cannot_be_done_fails(plain, task, reason):
    """Tasks without a page, and tasks that need more than reading, fail at once, without a step."""
    done = await run(plain, task)

    assert reason in done.reason
    assert "hunter2" not in done.reason
    assert done.steps == []


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (properties(title=TEXT, founder=TEXT), "founder is not named on the page: {site}."),
        (
            properties(plans=table_of(plan=TEXT, discount=NUMBER)),
            "plans is no list on the page: ",
        ),
        ({"type": "array", "items": NUMBER}, "the answer is no list on the page"),
        ({"$ref": "#/nowhere"}, "structured_output_json has no '#/nowhere'."),
    ],
)
async def test_field_that_is_not_there_fails_the_task(plain, site, schema, reason):
    """The reason names the field and the page."""
    done = await run(plain, f"Open {site}/pricing.html", schema=schema)

    assert done.reason.startswith(reason.format(site=f"{site}/pricing.html"))


async def test_broken_schema_fails_before_a_page_is_opened(plain, site):
    """A schema that is no JSON is refused first."""
    assignment = Assignment("id", f"Open {site}", structured_output_json="{")
    (end,) = [item async for item in plain.run(assignment, FREE)]

    assert end == Failed("structured_output_json is not JSON.")


@pytest.mark.torture
async def test_table_of_a_cut_page_is_not_saved(plain):
    """A page that was too long gives words with a note, and neither files nor fields."""
    body = b"<title>T</title><table><tr><th>A<th>B" + b"<tr><td>1<td>2" * 20_100
    async with raw_server({"/": page(body)}) as url:
        words = await run(plain, f"Read {url}")
        saved = await run(plain, f"Open {url} and save the table as t.csv")
        filled = await run(plain, f"Open {url}", schema=properties(title=TEXT))

    assert words.output.endswith("[... the page is longer than what is read of it]")
    for done in (saved, filled):
        assert done.reason == f"{url} is too long: only its beginning could be read."


async def test_csv_needs_a_table(plain):
    """A page without a table, a list or the like gives no CSV file."""
    async with raw_server({"/": page(b"<p>words</p>")}) as url:
        done = await run(plain, f"Open {url} and save the table as t.csv")

    assert done.reason == f"t.csv needs a table, and there is none on {url}."


async def test_unreadable_file_fails_the_task(plain):
    """A picture that came with the task cannot be read."""
    done = await run(plain, "Read shot.png", files={"shot.png": b"\x89PNG"})

    assert done.reason == (
        "The file shot.png cannot be read: it is image/png, and only text can be read."
    )


async def test_secrets_are_written_nowhere(plain, site):
    """The values of secrets are in no step, no answer, no file and no request."""
    heads: list[bytes] = []

    async def note(connection: Connection) -> None:
        heads.append((await connection.read_request()).raw)
        connection.send(page(b"<title>T</title>words"))

    async with raw_server(note) as url:
        done = await run(
            plain, f"Open {url}, save it as x_password.txt", secrets={"x_password": SECRET}
        )

    assert SECRET not in repr((done, done.files, heads))


async def test_one_reader_serves_many_tasks_at_once(plain, site):
    """Tasks that run at the same time do not mix."""
    pages = {"about.html": "About us", "contact.html": "Contact", "products.html": "Bicycles"}
    tasks = [run(plain, f"Tell me the title of {site}/{name}") for name in pages]
    done = await asyncio.gather(*tasks)

    assert [one.output.partition(" | ")[0] for one in done] == list(pages.values())


async def test_closed_reader_reads_on(site):
    """Tasks share nothing that could be closed."""
    plain = PlainExecutor()
    await plain.aclose()

    assert (await run(plain, f"Open {site}")).output
    assert plain.name == "steps without a browser"


async def test_several_links_with_the_words_are_refused(plain):
    """With their addresses, one of which can be opened."""
    body = b"<title>x</title><a href=/1>More</a><a href=/2>More</a><a href=/1>More</a>"
    async with raw_server({"/": page(body)}) as url:
        done = await run(plain, f"Open {url} and click More")

    assert done.reason == (
        f"{url} has 2 links called “More”: More ({url}/1), More ({url}/2). Name one by more of "
        "its words, or open its address."
    )
