"""The representations of objects: in a notebook, for rich, and in one line."""

import io
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest
from rich.console import Console

from browser_use_async import BrowserUseSession, PollPolicy, Task
from browser_use_async.batch import BatchProgress, Forecast, ItemState, LedgerView
from browser_use_async.errors import BrowserUseError, TaskFailedError
from browser_use_async.types import (
    Balance,
    Screenshot,
    TaskMedia,
    TaskPage,
    TaskStatus,
    TaskStep,
    TaskSummary,
)
from browser_use_async.types.notebook import progress_html
from tests.support.fake_api import FakeTask
from tests.support.hygiene import KEY
from tests.types.test_responses import RESPONSES

EVIL = '<script>alert("x")</script>'
LIVE = "https://live.example.net/page?token=canary"
FAILED = Task("t-2", "x", TaskStatus.FAILED, None, steps=[TaskStep("s", 1, "On fire")])
RUNNING = Task("t-1", EVIL, TaskStatus.RUNNING, None, steps=[TaskStep("s", 1, next_goal=EVIL)])


class _Page(HTMLParser):
    """The tags, links and texts of a piece of HTML; refuses malformed HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.links += [value or "" for name, value in given if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(shown: Any) -> _Page:
    return _Page(shown._repr_html_())


def test_a_task_shows_its_status_its_steps_and_its_live_link():
    """Foreign content is text, never markup."""
    page = _page(attrs.evolve(RUNNING, live_url=LIVE))

    assert "running" in page.text
    assert page.text.count(EVIL) == 2
    assert page.links == [LIVE]
    assert "script" not in page.tags


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,canary", 'https://x/"onclick="y', "http://[", ""]
)
def test_a_hostile_live_url_is_no_link(url):
    """Only web addresses become links, and none leaves its quotes."""
    page = _page(attrs.evolve(RUNNING, live_url=url))

    assert page.links in ([], [url])
    assert all(link.startswith("https://") for link in page.links)
    assert "canary" not in page.text


def test_an_ended_task_has_no_link():
    """A stored notebook that is passed on does not contain it."""
    ended = attrs.evolve(RUNNING, live_url=LIVE, status=TaskStatus.FAILED)

    assert "canary" not in ended._repr_html_()
    assert "live" not in _page(ended).text


def test_a_long_output_is_cut():
    """A notebook stays readable; the output itself is unchanged."""
    ended = attrs.evolve(RUNNING, output="x" * 100_000, steps=[TaskStep("s", 1)] * 5000)

    assert len(ended._repr_html_()) < 100_000
    assert "Steps: 5000" in _page(ended).text


@pytest.mark.parametrize("response", RESPONSES, ids=[type(each).__name__ for each in RESPONSES])
def test_every_response_is_a_table(response):
    """Fields that a repr hides stay hidden, except those that have a call of their own."""
    page = _page(response)

    assert "table" in page.tags
    assert "canary" not in page.text
    assert type(response).__name__ in page.text or page.text.startswith(("Task", "Recordings"))


def test_a_page_shows_its_rows():
    """One line for each, with the columns that have values, and the figures above."""
    rows = [TaskSummary(f"t-{n}", EVIL, TaskStatus.RUNNING, None, live_url=LIVE) for n in (1, 2)]
    page = _page(TaskPage(rows, total_pages=3, page=1, limit=2, total_count=6))

    assert page.tags.count("tr") == 3
    assert page.tags.count("th") == 3
    assert page.text.startswith("TaskPage: 2 tasks, total_pages 3, page 1, limit 2, total_count 6")
    assert page.text.count(EVIL) == 2
    assert "canary" not in page.text


def test_a_text_cannot_turn_the_direction_of_another():
    """An override in it, as in a name that only seems to end in `.pdf`, shows its code."""
    page = _page(attrs.evolve(RUNNING, task="invoice\u202efdp.exe\u2066"))

    assert "invoice\\u202efdp.exe\\u2066" in page.text
    assert "\u202e" not in page.text


def test_a_long_page_is_cut():
    """The first two hundred rows, and how many there are."""
    rows = [TaskSummary(str(n), "x" * 5_000, TaskStatus.RUNNING, None) for n in range(500)]
    page = _page(TaskPage(rows, total_pages=1, page=1, limit=500, total_count=500))

    assert page.tags.count("tr") == 201
    assert "of which the first 200 are shown" in page.text
    assert len(page.text) < 60_000


def test_a_balance_is_money():
    """In cents, as the API has it, and in dollars."""
    assert _page(Balance(Decimal("995023.5"))).text == "Balancecents995023.5 ($9,950.24)"


def test_the_figures_of_a_batch_are_a_table():
    """Those that are not 0, with the forecast and without a word about the others."""
    about = Forecast(items=70, ends=30, cents=Decimal(350), seconds=140.0)
    progress = BatchProgress(
        total=100, done=28, failed=2, cost_cents=Decimal(150), budget_cents=Decimal(400),
        seconds=60.0, about=about,
    )  # fmt: skip

    assert _page(progress).text == (
        "BatchProgressended30 of 100done28failed2cost$1.50budget$4.00seconds60.0"
        "to comeabout $3.50 more, about 2 min, from 30 ends"
    )


def test_a_ledger_is_a_table(tmp_path):
    """With its labels, which are texts of others, and without reading the file again."""
    view = LedgerView(
        path=tmp_path / "run.db", id="b-1", created_at=datetime(2026, 3, 1, tzinfo=UTC), runs=2,
        labels={"template": EVIL, EVIL: "x"}, key_prefix="b-1", per_key=None,
        budget_cents=Decimal(500), cost_cents=Decimal("3.5"),
        counts=dict.fromkeys(ItemState, 0) | {ItemState.DONE: 7}, joined=0, joined_failed=0,
    )  # fmt: skip
    page = _page(view)

    assert page.text.startswith("Ledger run.db: 7 itemsdone7cost$0.035budget$5.00begun2026-03-01 ")
    assert page.text.count(EVIL) == 2
    assert "script" not in page.tags


async def test_a_budget_is_a_table(open_session):
    """Its amounts in dollars, as in its repr."""
    session = await open_session()

    assert _page(session.budget(cents=150)).text == (
        "Budgetlimit$1.50spent$0.00reserved$0.00remaining$1.50"
    )


@pytest.mark.parametrize("colour", ["#2563eb", "#dc2626"])
def test_a_bar_shows_what_failed_in_its_own_colour(colour):
    """A part as wide as the share of either; one of zero width is left out."""
    is_failed = colour == "#dc2626"
    bar = progress_html(int(not is_failed), int(is_failed), 2, EVIL)

    assert (bar.count("background: #2563eb"), bar.count("background: #dc2626")) == (
        int(not is_failed), int(is_failed),
    )  # fmt: skip
    assert "width: 6.00em" in bar
    assert _Page(bar).text.strip() == EVIL
    assert colour not in progress_html(0, 0, None, "")


def test_recordings_are_links():
    """A program that requests recordings gets links to them."""
    page = _page(TaskMedia(["https://files.test/a.mp4?sig=1", "javascript:alert(1)"]))

    assert page.links == ["https://files.test/a.mp4?sig=1"]
    assert page.text.startswith("Recordings: 2")


def test_a_picture_is_shown_no_wider_than_a_page():
    """Its type is found from its bytes, as some servers send other types than PNG."""
    for data, kind in (
        (b"\x89PNG\r\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF....WEBP", "image/webp"),
    ):
        shown: Any = Screenshot("step-1", data)
        shown, about = shown._repr_mimebundle_()
        assert (shown[kind], about) == (data, {kind: {"width": 640}})
        assert shown["text/plain"] == f"Screenshot(file_name='step-1', data=<{len(data)} bytes>)"


def _fails(depth: int) -> None:
    if depth:
        _fails(depth - 1)
    FAILED.raise_for_status()


def test_an_error_has_at_most_ten_lines():
    """The latest frames of the program and the message of the error; a pickle is as before."""
    with pytest.raises(TaskFailedError) as raised:
        _fails(20)
    lines = raised.value._render_traceback_()

    text = "\n".join(lines)
    assert len(text.splitlines()) <= 10
    assert text.count("_fails(depth - 1)") == 2
    assert "FAILED.raise_for_status()" in text
    assert lines[-1].endswith(f"TaskFailedError\x1b[39m: {raised.value}")
    assert "browser_use_async/types/tasks.py" not in text
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)
    assert len(again._render_traceback_()) <= 10  # it was never raised


def test_a_long_message_is_cut():
    """Its first two lines are shown."""
    lines = BrowserUseError("a\nb\nc\nd")._render_traceback_()

    assert [each.removeprefix("\x1b[31mBrowserUseError\x1b[39m") for each in lines[1:]] == [
        ": a",
        "b",
        " …",
    ]


@pytest.mark.looptime
async def test_a_handle_shows_what_was_last_seen(api, open_session):
    """While it is followed the whole table of its task, else its id."""
    session = await open_session(poll=PollPolicy(interval=1.0))
    task = api.add(FakeTask(life=((0.0, "running"),)))
    handle = session.handle(task.id)
    assert task.id in _page(handle).text
    assert "status not read yet (await handle.get_status())" in _page(handle).text

    steps = handle.stream_steps()
    await anext(steps)

    assert "running" in _page(handle).text
    assert "Steps: " in _page(handle).text
    await steps.aclose()
    assert repr(handle) == f"TaskHandle(id='{task.id}')"


@pytest.mark.parametrize("response", RESPONSES, ids=[type(each).__name__ for each in RESPONSES])
def test_rich_shows_the_fields_of_the_repr(response):
    """In several lines, with the same ones hidden."""
    output = io.StringIO()
    Console(file=output, width=60, color_system=None).print(response)

    text = output.getvalue()
    assert text.startswith(f"{type(response).__name__}(")
    assert "canary" not in text
    assert text.count("***") == repr(response).count("***")


async def test_sections_sessions_and_iterators_in_one_line():
    """No memory address, which has no meaning."""
    session = BrowserUseSession(KEY)
    shown = [
        repr(session.tasks),
        repr(session.scheduled_tasks),
        repr(session.files),
        repr(session.iterate_all_tasks(statuses=["failed", "stopped"], page_size=20)),
        repr(session.scheduled_tasks.iterate()),
        repr(session),
    ]

    assert shown[0].startswith("<TaskEndpoints: run, stop, pause, resume, of_owner, get,")
    assert shown[3] == "<PageIterator of tasks, failed or stopped, 20 on a page>"
    assert shown[4] == "<ListIterator of schedules, 100 on a page>"
    assert not [text for text in shown if " at 0x" in text or "\n" in text or KEY in text]
