import os
import re
import stat
from decimal import Decimal
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.batch.report import write_report
from browser_use_async.cli.report.figures import bins
from browser_use_async.cli.times import time_span
from browser_use_async.errors import LedgerError

from .ledgers import item, write_ledger
from .pages import Page, read_page

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>&\"'\x00\x1b\ud800"


async def report_of(folder: Path, ledger: Path) -> Page:
    """The report of a ledger, read."""
    await write_report(ledger, folder / "report.html")
    return read_page((folder / "report.html").read_text(encoding="utf-8"))


def names(folder: Path) -> list[str]:
    """The names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def many(count: int, seed: int = 7) -> list[dict[str, object]]:
    """Items in all states, with random figures from a seed."""
    draw = Random(seed)
    states = [str(state) for state in ItemState]
    return [
        item(
            f"item {number}",
            draw.choice(states),
            seconds=draw.choice([None, draw.uniform(0, 500)]),
            steps=draw.choice([None, draw.randrange(60)]),
            cost=draw.choice([None, draw.randrange(150_000)]),
            reason=draw.choice([None, "The page is on fire"]),
            output=draw.choice([None, "Done."]),
        )
        for number in range(count)
    ]


async def test_figures_are_those_of_the_ledger(tmp_path):
    """Every figure of the page, of all items and of each, is the one of the ledger."""
    ledger = write_ledger(tmp_path / "run.db", many(300), budget_cents=20_00)
    view = read_ledger(ledger)
    page = await report_of(tmp_path, ledger)

    rows = list(view.rows())
    seconds = [row.seconds for row in rows if row.seconds is not None]
    assert int(page.values["total"]) == view.total == 300
    assert int(page.values["finished"]) == view.counts[ItemState.DONE]
    for state, count in view.counts.items():
        assert page.values.get(f"state-{state.replace(' ', '-')}") == (
            str(count) if count else None
        )
    assert Decimal(page.values["cost"]) == view.cost_cents
    assert Decimal(page.values["budget"]) == view.budget_cents == 2000
    assert int(page.values["steps"]) == sum(row.steps or 0 for row in rows)
    assert time_span(max(seconds)) in page.texts["elapsed"]
    assert len(page.rows) == 300
    for row, shown in zip(rows, page.rows, strict=True):
        assert int(shown["Item value"]) == row.index + 1
        assert shown["key"] == row.key + (row.task_id or "")
        assert shown["State"].startswith(row.state)
        assert shown.get("Took value") == (None if row.seconds is None else f"{row.seconds:.3f}")
        assert shown.get("Steps value") == (None if row.steps is None else str(row.steps))
        shown_cost = shown.get("Cost value")
        assert (None if shown_cost is None else Decimal(shown_cost)) == row.cost_cents
        assert (row.output or "") in shown.get("words", "")
        assert (row.reason or "") in shown.get("words", "")


async def test_what_was_joined_is_said(tmp_path):
    """The page has how many items joined tasks of an earlier run, and each of them says so."""
    rows = [item("a", joined=1), item("b", "failed", joined=1), item("c")]
    page = await report_of(tmp_path, write_ledger(tmp_path / "run.db", rows))
    other = await report_of(tmp_path, write_ledger(tmp_path / "other.db", [item("c")]))

    said = "2 of 3 items joined tasks of an earlier run; 1 of these tasks failed"
    assert page.texts["joined"].strip() == f"{said}."
    assert ["joined" in row["State"] for row in page.rows] == [True, True, False]
    assert "joined" not in other.texts


async def test_the_rest_is_foretold(tmp_path):
    """The page of an unfinished batch says what the rest costs; another one has no rest."""
    rows = [item(f"k{n}", task="x", cost=3500, seconds=float(n)) for n in range(40)]
    over = await report_of(tmp_path, write_ledger(tmp_path / "over.db", rows))
    rows += [item(f"new{n}", "new", task="x") for n in range(60)]
    page = await report_of(tmp_path, write_ledger(tmp_path / "run.db", rows))

    assert "cost-to-come" not in over.values
    assert Decimal(page.values["cost-to-come"]) == 210
    assert page.texts["time-to-come"] == "1 min"


@pytest.mark.parametrize("name", ["durations", "costs"])
async def test_the_plots_count_every_item(tmp_path, name):
    """The bars of a plot, and the table beside it, count each ended task or cost once."""
    ledger = write_ledger(tmp_path / "run.db", many(200))
    await report_of(tmp_path, ledger)
    rows = list(read_ledger(ledger).rows())
    values = [row.seconds if name == "durations" else row.total_cents or None for row in rows]
    counted = sum(value is not None for value in values)
    text = (tmp_path / "report.html").read_text()
    plot = text.partition(f'id="plot-of-{name}"')[2].partition("</figure>")[0]
    bars = re.findall(r": ([\d,]+)</title></rect>", plot)
    table = re.search(rf'<table id="{name}".*?</table>', plot, re.DOTALL)

    assert sum(int(each.replace(",", "")) for each in bars) == counted > 0
    assert table is not None
    assert sum(map(int, re.findall(r'<data value="(\d+)">', table[0]))) == counted


async def test_results_come_first(tmp_path):
    """Failures with their reasons come first, then all results, then plots and states."""
    items = [
        item("f" * 32, "failed", reason="No such page", name="Acme", task="Read acme.example"),
        item("a", cost=3500),
    ]
    page = await report_of(tmp_path, write_ledger(tmp_path / "run.db", items))
    text = (tmp_path / "report.html").read_text()
    places = [
        text.index(f'id="{each}"') for each in ("trouble", "items", "plot-of-costs", "states")
    ]

    assert places == sorted(places)
    assert "Acme" in page.texts["trouble"]
    assert "No such page" in page.texts["trouble"]
    assert "f" * 32 not in page.texts["trouble"]
    assert page.rows[0]["key"].startswith("Acme")
    assert not {"state-unknown", "state-new"} & set(page.values)


async def test_one_file_that_loads_no_other(tmp_path):
    """No script but its own, no address of another file, and its policy forbids others."""
    ledger = write_ledger(tmp_path / "run.db", many(50))
    page = await report_of(tmp_path, ledger)
    text = (tmp_path / "report.html").read_text()
    policy = next(
        str(given["content"])
        for tag, given in page.tags
        if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy"
    )

    assert "default-src 'none'" in policy
    assert [given for tag, given in page.tags if tag == "script"] == [{}]
    assert "link" not in {tag for tag, _ in page.tags}
    assert not re.findall(r"""(?:https?:|url\(|@import|\son\w+=|style=)""", text)
    links = [str(given["href"]) for _, given in page.tags if "href" in given]
    assert links
    assert {link for link in links if not link.startswith("#item-")} == set()
    assert {link[1:] for link in links} <= {str(given.get("id")) for _, given in page.tags}


async def test_the_policy_allows_the_style(tmp_path):
    """The page's own style and script are those that its policy names, so that they apply."""
    import base64
    import hashlib

    await report_of(tmp_path, write_ledger(tmp_path / "run.db", many(3)))
    text = (tmp_path / "report.html").read_text()
    for name in ("style", "script"):
        source = text.partition(f"<{name}>")[2].partition(f"</{name}>")[0]
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()

        assert f"{name}-src 'sha256-{digest}'" in text


async def test_screen_readers(tmp_path):
    """The page has a language, each table has headings with a scope, and all tags are closed."""
    ledger = write_ledger(tmp_path / "run.db", many(50))
    page = await report_of(tmp_path, ledger)
    tags = dict(page.tags)
    headings = [given for tag, given in page.tags if tag == "th"]

    assert tags["html"]["lang"] == "en"
    assert "width=device-width" in str(
        next(given["content"] for tag, given in page.tags if given.get("name") == "viewport")
    )
    assert headings
    assert all(given.get("scope") in {"col", "row"} for given in headings)
    assert [tag for tag, _ in page.tags].count("h1") == 1
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    assert page.unclosed == []


async def test_hostile_text(tmp_path):
    """Text of an agent or a page is in the report as text, whatever it contains."""
    clean = HOSTILE.encode("utf-8", "replace").decode()
    ledger = write_ledger(
        tmp_path / "run<b>.db",
        [
            item(clean, "failed", reason=clean, error=clean, output=clean, status=clean),
            item("b", "dead letter", reason=clean),
        ],
        labels={clean: clean},
    )
    page = await report_of(tmp_path, ledger)

    tags = [tag for tag, _ in page.tags]
    assert (tags.count("script"), tags.count("img")) == (1, 0)
    assert tags.count("b") == 1  # the title of the only plot
    assert "<script>alert(1)</script>" in page.rows[0]["words"]
    assert "\x00" not in "".join(page.texts.values())
    assert page.unclosed == []
    assert len(page.rows) == 2


@pytest.mark.long
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=500))
async def test_any_text(tmp_path, text):
    """Whatever a key, an output and a reason contain, the page keeps its form and its two rows."""
    ledger = tmp_path / "any.db"
    ledger.unlink(missing_ok=True)
    write_ledger(ledger, [item(text, "failed", output=text, reason=text), item("last")])
    page = await report_of(tmp_path, ledger)

    assert page.unclosed == []
    assert [row["key"][-12:] for row in page.rows][1] == "task-of-last"
    assert len(page.rows) == 2


async def test_very_long_text(tmp_path):
    """Of an output of megabytes the page shows the beginning, and the length of the rest."""
    long = "word " * 1_000_000
    ledger = write_ledger(
        tmp_path / "run.db",
        [
            item("k" * 1000, output=long, output_bytes=len(long)),
            item("b", "failed", reason=long),
            item("c", output_bytes=20_000_000),
        ],
    )
    page = await report_of(tmp_path, ledger)

    assert (tmp_path / "report.html").stat().st_size < 100_000
    assert "and 4,980,000 more characters" in page.rows[0]["words"]
    assert "and 800 more characters" in page.rows[0]["key"]
    assert "20,000,000 bytes is too large" in page.rows[2]["words"]


async def test_the_same_ledger_gives_the_same_page(tmp_path):
    """Written twice, the page is the same byte for byte, and replaces the former file."""
    ledger = write_ledger(tmp_path / "run.db", many(40))
    target = tmp_path / "report.html"
    await write_report(ledger, target)
    first = target.read_bytes()
    target.write_text("something else")
    await write_report(ledger, target)

    assert target.read_bytes() == first
    assert names(tmp_path) == ["report.html", "run.db"]


async def test_a_report_is_for_its_owner(tmp_path):
    """Like the ledger, a report is readable for its user only, whether it is new or replaced."""
    ledger = write_ledger(tmp_path / "run.db", many(3))
    target = tmp_path / "report.html"
    target.write_text("former")
    target.chmod(0o644)
    umask = os.umask(0o022)
    try:
        for _ in range(2):
            await write_report(ledger, target)
            assert stat.S_IMODE(target.stat().st_mode) == 0o600
            target.unlink()
    finally:
        os.umask(umask)


async def test_an_empty_batch(tmp_path):
    """A batch without items, or without ended ones, has a report too."""
    empty = await report_of(tmp_path, write_ledger(tmp_path / "empty.db", []))
    begun = await report_of(
        tmp_path, write_ledger(tmp_path / "begun.db", [item("a", "submitted", seconds=None)])
    )

    assert empty.values["total"] == "0"
    assert empty.rows == []
    assert begun.values["state-submitted"] == "1"
    assert not {"figure", "ul"} & {tag for tag, _ in begun.tags}


async def test_nothing_is_left_of_a_report_that_failed(tmp_path):
    """Without a ledger, or without room for the page, nothing is written or changed."""
    ledger = write_ledger(tmp_path / "run.db", many(3))
    with pytest.raises(LedgerError, match="no ledger"):
        await write_report(tmp_path / "missing.db", tmp_path / "report.html")
    with pytest.raises(OSError, match="No such file"):
        await write_report(ledger, tmp_path / "no" / "folder.html")

    assert names(tmp_path) == ["run.db"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
async def test_a_report_takes_the_place_of_files_only(tmp_path):
    """A pipe stays, as a device such as /dev/null does; so does a link, whose file is written."""
    ledger = write_ledger(tmp_path / "run.db", many(3))
    pipe, link = tmp_path / "pipe", tmp_path / "link.html"
    os.mkfifo(pipe)
    (tmp_path / "to-pipe").symlink_to(pipe)
    link.symlink_to("page.html")
    (tmp_path / "page.html").write_text("old")
    for name in ("pipe", "to-pipe"):
        with pytest.raises(OSError, match="it is no file"):
            await write_report(ledger, tmp_path / name)
    await write_report(ledger, link)

    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert names(tmp_path) == ["link.html", "page.html", "pipe", "run.db", "to-pipe"]


# --- plots and words ------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1e7), min_size=1))
def test_bins(durations):
    """There are 16 bins at most, side by side, and each duration is in the right one."""
    durations.sort()
    found = bins(durations)

    assert 1 <= len(found) <= 16
    assert found[0].start == 0
    assert all(one.end == other.start for one, other in pairwise(found))
    for each in found:
        assert each.count == sum(each.start <= value < each.end for value in durations)
    assert sum(each.count for each in found) == len(durations)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "unknown"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (59.6, "1 min"),
        (3599.9, "1 h"),
        (7500, "2 h 5 min"),
        (90_000, "25 h"),
    ],
)
def test_durations_in_words(seconds, words):
    """Spans of time read as people say them."""
    assert time_span(seconds) == words


def _luminance(colour: str) -> float:
    """The luminance of a colour, as WCAG 2 defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "faint", "accent", "good", "bad", "waiting"])
async def test_contrast(tmp_path, scheme, name):
    """Every colour of text has a contrast of 4.5 to 1 to its backgrounds, in light and in dark."""
    await report_of(tmp_path, write_ledger(tmp_path / "run.db", []))
    text = (tmp_path / "report.html").read_text()
    colours = dict(re.findall(r"--(\w+): (#\w+)", re.findall(r":root \{(.*?)\}", text)[scheme]))

    for behind in ("paper", "panel"):
        lights = sorted((_luminance(colours[name]), _luminance(colours[behind])))
        assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5


async def test_the_design_is_that_of_the_servers_pages(tmp_path):
    """Every colour of the report is one of the server's pages, in light and in dark."""
    await report_of(tmp_path, write_ledger(tmp_path / "run.db", []))
    text = (tmp_path / "report.html").read_text()
    pages = files("browser_use_async.server.pages").joinpath("assets", "page.css").read_text()
    ours, theirs = (re.findall(r":root \{(.*?)\}", each, re.DOTALL) for each in (text, pages))

    assert len(ours) == len(theirs) == 2
    for mine, other in zip(ours, theirs, strict=True):
        colours = re.findall(r"(--[\w-]+): (#\w{6});", mine)
        assert colours
        assert set(colours) <= set(re.findall(r"(--[\w-]+): (#\w{6});", other))
